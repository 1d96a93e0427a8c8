"""The tables of core, defined once: migrations are generated from here, and Spark's sink takes its columns from here.

Every key starts with (session_uid, rig): two rigs in one online session keep their own copies. Comments land in the
database (`\\d+ core.lap`) and in the documentation.

Three conventions hold everywhere:
- `session_uid` is the game's unsigned 64-bit number as two's complement; `core.session_hex` shows it.
- `overall_frame` is the sample's order in its session (`f1_packets.sample_order`): the game's overall frame, and
  2^32 for what the game sends at session end with frame 0.
- NULL means "not known": not sent, not complete yet, or hidden by the driver's telemetry setting. Never zero.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Double,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

# Exported again: who imports the tables has the whole metadata, with the tables of ref in it.
from postgres import reference as reference
from postgres.columns import INSTANT, always, car_key, key, session_key, value
from postgres.columns import metadata as metadata

SCHEMAS = ("core", "ref", "mart")


def _check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name=name)


_FRAME = "order of the sample that this row shows"

# --- written by the gateway -------------------------------------------------------------------------------------

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
    always("overall_frame", BigInteger, _FRAME),
    _check("uid", "session_uid <> 0"),
    schema="core",
    comment="One row for each session and rig. From Session packets, written by the gateway.",
    postgresql_with={"fillfactor": "50"},  # a handful of rows, each updated twice a second
)

session_sample = Table(
    "session_sample",
    metadata,
    *session_key(),
    key("overall_frame", BigInteger, _FRAME),
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

# --- written by Spark -------------------------------------------------------------------------------------------

participant = Table(
    "participant",
    metadata,
    *car_key(),
    always("name", Text, "as the game shows it; not unique, never a key"),
    value("driver_id", Integer, "ref.driver; NULL for a human"),
    value("team_id", Integer, "ref.team, with game_year; NULL without a team"),
    value("race_number", SmallInteger, ""),
    value("nationality_id", SmallInteger, "ref.nationality"),
    always("is_ai", Boolean, ""),
    always("is_player", Boolean, "driven on this rig, secondary player included"),
    always("is_telemetry_public", Boolean, "the driver's setting at this sample"),
    always("was_restricted", Boolean, "ever in this session: zeros in this car's fuel and ERS are hidden values"),
    value("platform_id", SmallInteger, "1 Steam, 3 PlayStation, 4 Xbox, 6 Origin; NULL = unknown"),
    value("network_id", Integer, "of the player in a network game"),
    always("overall_frame", BigInteger, _FRAME),
    _check("car", "car_index BETWEEN 0 AND 23"),
    schema="core",
    comment="Who drives which car. From Participants packets; the newest sample wins.",
    postgresql_with={"fillfactor": "70"},
)

lap = Table(
    "lap",
    metadata,
    *car_key(),
    key("lap_number", SmallInteger, "from 1"),
    value("lap_time_ms", Integer, "NULL = not complete", group="history"),
    value("sector1_ms", Integer, "NULL = not complete", group="history"),
    value("sector2_ms", Integer, "NULL = not complete", group="history"),
    value("sector3_ms", Integer, "NULL = not complete", group="history"),
    value("is_valid", Boolean, "the whole lap counts", group="history"),
    value("sector1_valid", Boolean, "", group="history"),
    value("sector2_valid", Boolean, "", group="history"),
    value("sector3_valid", Boolean, "", group="history"),
    value("history_frame", BigInteger, "order of the SessionHistory packet these times are from", group="history"),
    value("position", SmallInteger, "at the last sample of the lap while racing", group="place"),
    value("overall_frame", BigInteger, "order of the LapData sample that gives the position", group="place"),
    value("fuel_start_kg", REAL, "at the first sample of the lap; NULL = restricted", group="start"),
    value("start_frame", BigInteger, "order of the CarStatus sample that gives it", group="start"),
    value("actual_compound_id", SmallInteger, "ref.tyre_compound, at the last sample", group="status"),
    value("visual_compound_id", SmallInteger, "ref.visual_compound, at the last sample", group="status"),
    value("tyre_age_laps", SmallInteger, "at the last sample", group="status"),
    value("fuel_end_kg", REAL, "at the last sample; NULL = restricted", group="status"),
    value("ers_deployed_j", REAL, "in this lap until the last sample; NULL = restricted", group="status"),
    value("ers_harvested_j", REAL, "likewise, by MGU-K and MGU-H", group="status"),
    value("status_frame", BigInteger, "order of the CarStatus sample that gives these", group="status"),
    Column("fuel_used_kg", REAL, Computed("fuel_start_kg - fuel_end_kg", persisted=True), comment="NULL = restricted"),
    value("is_pit_lap", Boolean, "the car was in the pit lane during it", group="trace"),
    value("top_speed_kmh", SmallInteger, "of all samples on the lap", group="trace"),
    value("coverage", REAL, "share of its 10 m bins that were seen; NULL until the track is known", group="trace"),
    _check("lap", "lap_number >= 1"),
    _check("position", "position >= 1"),
    _check("coverage", "coverage BETWEEN 0 AND 1"),
    schema="core",
    comment=(
        "One row for each car and lap, the running one included. Times and validity from SessionHistory, position "
        "from LapData, tyres, fuel and ERS from CarStatus, the rest from the lap's trace."
    ),
    postgresql_with={"fillfactor": "60"},  # the running lap changes with every batch: keep its versions on the page
)

lap_trace = Table(
    "lap_trace",
    metadata,
    *car_key(),
    key("lap_number", SmallInteger, "from 1"),
    key("distance_bin", SmallInteger, "lap distance in steps of 10 m: bin n is [10 n, 10 n + 10)"),
    always("lap_distance_m", REAL, "of the sample"),
    always("current_lap_time_ms", Integer, ""),
    value("speed_kmh", SmallInteger, "NULL = no CarTelemetry of this frame"),
    value("top_speed_kmh", SmallInteger, "highest of all samples in the bin"),
    value("throttle", REAL, "0 … 1"),
    value("brake", REAL, "0 … 1"),
    value("steer", REAL, "-1 left … 1 right"),
    value("gear", SmallInteger, "-1 reverse, 0 neutral"),
    value("engine_rpm", Integer, ""),
    value("is_drs_open", Boolean, ""),
    value("ers_store_j", REAL, "NULL = no CarStatus of this frame, or restricted"),
    value("ers_deploy_mode", SmallInteger, "0 none, 1 medium, 2 hotlap, 3 overtake (2026: boost)"),
    value("ers_deployed_j", REAL, "in this lap so far"),
    value("ers_harvested_j", REAL, "in this lap so far, by MGU-K and MGU-H"),
    value("fuel_in_tank_kg", REAL, "NULL = no CarStatus of this frame, or restricted"),
    value("world_x_m", REAL, "NULL = no Motion of this frame"),
    value("world_y_m", REAL, ""),
    value("world_z_m", REAL, ""),
    always("position", SmallInteger, ""),
    always("pit_status", SmallInteger, "0 none, 1 pitting, 2 in the pit area"),
    always("overall_frame", BigInteger, _FRAME),
    always("is_complete", Boolean, "all four packets of the frame were there"),
    _check("bin", "distance_bin >= 0"),
    schema="core",
    comment=(
        "One row for each car, lap and 10 m of track, while the car is on track and racing. LapData joined with "
        "CarTelemetry, CarStatus and Motion of the same frame; of a bin's samples the newest complete one wins."
    ),
    postgresql_with={"fillfactor": "95"},  # a bin is written once or twice, then never again
)

stint = Table(
    "stint",
    metadata,
    *car_key(),
    key("stint_number", SmallInteger, "from 1"),
    always("start_lap", SmallInteger, ""),
    value("end_lap", SmallInteger, "NULL = running"),
    value("actual_compound_id", SmallInteger, "ref.tyre_compound"),
    value("visual_compound_id", SmallInteger, "ref.visual_compound"),
    always("overall_frame", BigInteger, _FRAME),
    schema="core",
    comment="One row for each car and set of tyres driven. From the newest SessionHistory packet of the car.",
    postgresql_with={"fillfactor": "60"},
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

result = Table(
    "result",
    metadata,
    *car_key(),
    always("position", SmallInteger, ""),
    value("grid_position", SmallInteger, "NULL = none"),
    always("laps", SmallInteger, "completed"),
    always("points", SmallInteger, ""),
    always("pit_stops", SmallInteger, ""),
    always("result_status_id", SmallInteger, "ref.result_status"),
    value("result_reason_id", SmallInteger, "ref.result_reason; NULL before format 2025"),
    value("best_lap_time_ms", Integer, "NULL = none"),
    value("total_time_s", Double, "without penalties; NULL = none"),
    always("penalties_s", SmallInteger, ""),
    always("penalties", SmallInteger, "number of them"),
    always("overall_frame", BigInteger, _FRAME),
    _check("position", "position >= 1"),
    schema="core",
    comment="How the session ended. From FinalClassification packets.",
)

history = Table(
    "history",
    metadata,
    *car_key(),
    key("num_laps", SmallInteger, "laps that the packet listed"),
    always("overall_frame", BigInteger, "order of the newest SessionHistory packet that listed so many"),
    schema="core",
    comment=(
        "What SessionHistory packets said of a car's laps. A sample of lap n that is older than a packet listing "
        "fewer than n laps was undone by a flashback; this is how a late one is told."
    ),
    postgresql_with={"fillfactor": "60"},
)

ledger = Table(
    "ledger",
    metadata,
    key("query_id", Text, "the streaming query of a checkpoint, or one run of `pitlane spark batch`"),
    key("batch_id", BigInteger, "number of the micro-batch"),
    Column("written_at", INSTANT, nullable=False, server_default=func.now(), comment="when the transaction began"),
    value("blocks", Integer, "Kafka records read"),
    value("datagrams", Integer, "datagrams in them"),
    value("rejected_blocks", Integer, "records that no packet table could read"),
    value("offsets", JSONB, "topic → partition → [first offset read, first offset of the next batch]"),
    value("rows", JSONB, "fact → rows handed to the database; those that changed nothing included"),
    schema="core",
    comment="One row for each micro-batch, written in its transaction: a batch that comes again changes nothing.",
)

pending_datagram = Table(
    "pending_datagram",
    metadata,
    key("query_id", Text, "who waits"),
    *session_key(),
    key("overall_frame", BigInteger, "the frame that still lacks a packet"),
    key("packet_id", SmallInteger, ""),
    always("packet_format", SmallInteger, ""),
    always("shard", SmallInteger, "Kafka partition of the rig"),
    always("entry", LargeBinary, "arrival time, rig and datagram as in a block"),
    schema="core",
    comment="Datagrams of recent frames whose partners have not come yet; read again with the next batch.",
    postgresql_with={"fillfactor": "50"},
)
