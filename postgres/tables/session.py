"""What concerns a whole session: its row, its samples, its events."""

from sqlalchemy import REAL, BigInteger, Boolean, Integer, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from postgres.columns import FRAME, INSTANT, always, check, key, metadata, session_key, value

session = Table(
    "session",
    metadata,
    *session_key(),
    always("packet_format", SmallInteger, "2023 … 2026; what ids mean depends on it"),
    always("game_year", SmallInteger, "23 … 25; team ids depend on it"),
    value("track_id", SmallInteger, "ref.track"),
    value("session_type_id", SmallInteger, "ref.session_type, with packet_format"),
    value("formula", SmallInteger, "0 F1 modern, 1 classic, 2 F2 …"),
    value("total_laps", SmallInteger, "of the race; 1 elsewhere"),
    value("track_length_m", Integer, "as the game says"),
    value("session_duration_s", Integer, "planned"),
    value("pit_speed_limit_kmh", SmallInteger, ""),
    value("is_network_game", Boolean, ""),
    value("is_spectating", Boolean, ""),
    value("spectator_car_index", SmallInteger, "the followed car; NULL when not spectating"),
    value("player_car_index", SmallInteger, "NULL for a spectator"),
    value("secondary_player_car_index", SmallInteger, "split screen; NULL without"),
    value("ai_difficulty", SmallInteger, "0 … 110"),
    value("game_mode", SmallInteger, "id of the game's appendix"),
    value("rule_set", SmallInteger, "id of the game's appendix"),
    value("season_link", BigInteger, "same for all sessions of a season"),
    value("weekend_link", BigInteger, "same for all sessions of a weekend"),
    value("session_link", BigInteger, ""),
    value("sector2_start_m", REAL, "lap distance at which sector 2 starts; NULL in 2023"),
    value("sector3_start_m", REAL, "lap distance at which sector 3 starts; NULL in 2023"),
    value("safety_car_periods", SmallInteger, "so far"),
    value("vsc_periods", SmallInteger, "so far"),
    value("red_flag_periods", SmallInteger, "so far"),
    always("started_at", INSTANT, "arrival of the first packet"),
    always("last_seen_at", INSTANT, "arrival of the last packet"),
    always("overall_frame", BigInteger, FRAME),
    check("uid", "session_uid <> 0"),
    schema="core",
    comment="One row for each session and rig. From Session packets, written by the gateway.",
    postgresql_with={"fillfactor": "50"},  # a handful of rows, each updated twice a second
)

session_sample = Table(
    "session_sample",
    metadata,
    *session_key(),
    key("overall_frame", BigInteger, FRAME),
    key("session_time_s", REAL, "the game's session clock; rewinds on a flashback"),
    always("arrived_at", INSTANT, "arrival of the packet"),
    value("weather_id", SmallInteger, "ref.weather"),
    value("track_temperature_c", SmallInteger, ""),
    value("air_temperature_c", SmallInteger, ""),
    value("safety_car_status", SmallInteger, "0 none, 1 full, 2 virtual, 3 formation lap"),
    value("session_time_left_s", Integer, ""),
    schema="core",
    comment="How a session changed: a row when weather, temperatures, safety car or time left changed.",
)

event = Table(
    "event",
    metadata,
    *session_key(),
    key("overall_frame", BigInteger, "order of the event in its session"),
    key("code", Text, "ref.event; four letters"),
    key("digest", Text, "of the event's content: one frame may carry two of the same code"),
    always("session_time_s", REAL, "the game's session clock"),
    always("arrived_at", INSTANT, "first arrival"),
    value("car_index", SmallInteger, "NULL = concerns no car"),
    value("other_car_index", SmallInteger, "NULL = concerns no second car"),
    value("lap_number", SmallInteger, "where the event says so"),
    always("details", JSONB, "all members by our names; an unknown code has its bytes as `raw`"),
    schema="core",
    comment="Everything that happened. From Event packets, without the player's buttons (BUTN, 98 % of them).",
)
