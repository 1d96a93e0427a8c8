"""The tables, defined once: migrations are generated from here, and Spark's sink takes its columns from here.

Every key starts with (session_uid, rig): two rigs in one online session keep their own copies. Comments land in the
database (`\\d+ core.lap`) and in the documentation.

Three conventions hold everywhere:
- `session_uid` is the game's unsigned 64-bit number as two's complement; `core.session_hex` shows it.
- `overall_frame` is the sample's order in its session (`f1_packets.sample_order`): the game's overall frame, and
  2^32 for what the game sends at session end with frame 0.
- NULL means "not known": not sent, not complete yet, or hidden by the driver's telemetry setting. Never zero.
"""

from typing import Any

from sqlalchemy import (
    REAL,
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    false,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

ColumnType = TypeEngine[Any] | type[TypeEngine[Any]]

metadata = MetaData(
    naming_convention={"ck": "%(table_name)s_%(constraint_name)s", "pk": "%(table_name)s_pkey"},
)
SCHEMAS = ("core", "ref", "mart")
INSTANT = TIMESTAMP(timezone=True)


def _key(name: str, type_: ColumnType, comment: str) -> Column[Any]:
    return Column(name, type_, primary_key=True, autoincrement=False, nullable=False, comment=comment)


def _value(name: str, type_: ColumnType, comment: str, *, group: str = "") -> Column[Any]:
    """A nullable column. Columns of one `group` come from the same sample and are replaced together."""
    return Column(name, type_, comment=comment or None, info={"group": group})


def _always(name: str, type_: ColumnType, comment: str) -> Column[Any]:
    """A column that the game or the writer always fills."""
    return Column(name, type_, nullable=False, comment=comment or None)


def _session() -> tuple[Column[Any], Column[Any]]:
    return (
        _key("session_uid", BigInteger, "the game's session UID, two's complement"),
        _key("rig", Text, "name of the rig that sent it"),
    )


def _car() -> tuple[Column[Any], ...]:
    return *_session(), _key("car_index", SmallInteger, "place of the car in the packets' arrays, 0-based")


def _check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name=name)


_FRAME = "order of the sample that this row shows"

# --- written by the gateway -------------------------------------------------------------------------------------

session = Table(
    "session",
    metadata,
    *_session(),
    _always("packet_format", SmallInteger, "2023 … 2026; what ids mean depends on it"),
    _always("game_year", SmallInteger, "23 … 25; team ids depend on it"),
    _value("track_id", SmallInteger, "ref.track"),
    _value("session_type_id", SmallInteger, "ref.session_type, with packet_format"),
    _value("formula", SmallInteger, "0 F1 modern, 1 classic, 2 F2 …"),
    _value("total_laps", SmallInteger, "of the race; 1 elsewhere"),
    _value("track_length_m", Integer, "as the game says"),
    _value("session_duration_s", Integer, "planned"),
    _value("pit_speed_limit_kmh", SmallInteger, ""),
    _value("is_network_game", Boolean, ""),
    _value("is_spectating", Boolean, ""),
    _value("spectator_car_index", SmallInteger, "the followed car; NULL when not spectating"),
    _value("player_car_index", SmallInteger, "NULL for a spectator"),
    _value("secondary_player_car_index", SmallInteger, "split screen; NULL without"),
    _value("ai_difficulty", SmallInteger, "0 … 110"),
    _value("game_mode", SmallInteger, "id of the game's appendix"),
    _value("rule_set", SmallInteger, "id of the game's appendix"),
    _value("season_link", BigInteger, "same for all sessions of a season"),
    _value("weekend_link", BigInteger, "same for all sessions of a weekend"),
    _value("session_link", BigInteger, ""),
    _value("sector2_start_m", REAL, "lap distance at which sector 2 starts; NULL in 2023"),
    _value("sector3_start_m", REAL, "lap distance at which sector 3 starts; NULL in 2023"),
    _value("safety_car_periods", SmallInteger, "so far"),
    _value("vsc_periods", SmallInteger, "so far"),
    _value("red_flag_periods", SmallInteger, "so far"),
    _always("started_at", INSTANT, "arrival of the first packet"),
    _always("last_seen_at", INSTANT, "arrival of the last packet"),
    _always("overall_frame", BigInteger, _FRAME),
    _check("uid", "session_uid <> 0"),
    schema="core",
    comment="One row for each session and rig. From Session packets, written by the gateway.",
    postgresql_with={"fillfactor": "50"},  # a handful of rows, each updated twice a second
)

session_sample = Table(
    "session_sample",
    metadata,
    *_session(),
    _key("overall_frame", BigInteger, _FRAME),
    _key("session_time_s", REAL, "the game's session clock; rewinds on a flashback"),
    _always("arrived_at", INSTANT, "arrival of the packet"),
    _value("weather_id", SmallInteger, "ref.weather"),
    _value("track_temperature_c", SmallInteger, ""),
    _value("air_temperature_c", SmallInteger, ""),
    _value("safety_car_status", SmallInteger, "0 none, 1 full, 2 virtual, 3 formation lap"),
    _value("session_time_left_s", Integer, ""),
    schema="core",
    comment="How a session changed: a row when weather, temperatures, safety car or time left changed.",
)

# --- written by Spark -------------------------------------------------------------------------------------------

participant = Table(
    "participant",
    metadata,
    *_car(),
    _always("name", Text, "as the game shows it; not unique, never a key"),
    _value("driver_id", Integer, "ref.driver; NULL for a human"),
    _value("team_id", Integer, "ref.team, with game_year; NULL without a team"),
    _value("race_number", SmallInteger, ""),
    _value("nationality_id", SmallInteger, "ref.nationality"),
    _always("is_ai", Boolean, ""),
    _always("is_player", Boolean, "driven on this rig, secondary player included"),
    _always("is_telemetry_public", Boolean, "the driver's setting at this sample"),
    _always("was_restricted", Boolean, "ever in this session: zeros in this car's fuel and ERS are hidden values"),
    _value("platform_id", SmallInteger, "1 Steam, 3 PlayStation, 4 Xbox, 6 Origin; NULL = unknown"),
    _value("network_id", Integer, "of the player in a network game"),
    _always("overall_frame", BigInteger, _FRAME),
    _check("car", "car_index BETWEEN 0 AND 23"),
    schema="core",
    comment="Who drives which car. From Participants packets; the newest sample wins.",
    postgresql_with={"fillfactor": "70"},
)

lap = Table(
    "lap",
    metadata,
    *_car(),
    _key("lap_number", SmallInteger, "from 1"),
    _value("lap_time_ms", Integer, "NULL = not complete", group="history"),
    _value("sector1_ms", Integer, "NULL = not complete", group="history"),
    _value("sector2_ms", Integer, "NULL = not complete", group="history"),
    _value("sector3_ms", Integer, "NULL = not complete", group="history"),
    _value("is_valid", Boolean, "the whole lap counts", group="history"),
    _value("sector1_valid", Boolean, "", group="history"),
    _value("sector2_valid", Boolean, "", group="history"),
    _value("sector3_valid", Boolean, "", group="history"),
    _value("history_frame", BigInteger, "order of the SessionHistory packet these times are from", group="history"),
    _value("position", SmallInteger, "at the last sample of the lap while racing", group="place"),
    _value("overall_frame", BigInteger, "order of the LapData sample that gives the position", group="place"),
    _value("fuel_start_kg", REAL, "at the first sample of the lap; NULL = restricted", group="start"),
    _value("start_frame", BigInteger, "order of the CarStatus sample that gives it", group="start"),
    _value("actual_compound_id", SmallInteger, "ref.tyre_compound, at the last sample", group="status"),
    _value("visual_compound_id", SmallInteger, "ref.visual_compound, at the last sample", group="status"),
    _value("tyre_age_laps", SmallInteger, "at the last sample", group="status"),
    _value("fuel_end_kg", REAL, "at the last sample; NULL = restricted", group="status"),
    _value("ers_deployed_j", REAL, "in this lap until the last sample; NULL = restricted", group="status"),
    _value("ers_harvested_j", REAL, "likewise, by MGU-K and MGU-H", group="status"),
    _value("status_frame", BigInteger, "order of the CarStatus sample that gives these", group="status"),
    Column("fuel_used_kg", REAL, Computed("fuel_start_kg - fuel_end_kg", persisted=True), comment="NULL = restricted"),
    _value("is_pit_lap", Boolean, "the car was in the pit lane during it", group="trace"),
    _value("top_speed_kmh", SmallInteger, "of all samples on the lap", group="trace"),
    _value("coverage", REAL, "share of its 10 m bins that were seen; NULL until the track is known", group="trace"),
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
    *_car(),
    _key("lap_number", SmallInteger, "from 1"),
    _key("distance_bin", SmallInteger, "lap distance in steps of 10 m: bin n is [10 n, 10 n + 10)"),
    _always("lap_distance_m", REAL, "of the sample"),
    _always("current_lap_time_ms", Integer, ""),
    _value("speed_kmh", SmallInteger, "NULL = no CarTelemetry of this frame"),
    _value("top_speed_kmh", SmallInteger, "highest of all samples in the bin"),
    _value("throttle", REAL, "0 … 1"),
    _value("brake", REAL, "0 … 1"),
    _value("steer", REAL, "-1 left … 1 right"),
    _value("gear", SmallInteger, "-1 reverse, 0 neutral"),
    _value("engine_rpm", Integer, ""),
    _value("is_drs_open", Boolean, ""),
    _value("ers_store_j", REAL, "NULL = no CarStatus of this frame, or restricted"),
    _value("ers_deploy_mode", SmallInteger, "0 none, 1 medium, 2 hotlap, 3 overtake (2026: boost)"),
    _value("ers_deployed_j", REAL, "in this lap so far"),
    _value("ers_harvested_j", REAL, "in this lap so far, by MGU-K and MGU-H"),
    _value("fuel_in_tank_kg", REAL, "NULL = no CarStatus of this frame, or restricted"),
    _value("world_x_m", REAL, "NULL = no Motion of this frame"),
    _value("world_y_m", REAL, ""),
    _value("world_z_m", REAL, ""),
    _always("position", SmallInteger, ""),
    _always("pit_status", SmallInteger, "0 none, 1 pitting, 2 in the pit area"),
    _always("overall_frame", BigInteger, _FRAME),
    _always("is_complete", Boolean, "all four packets of the frame were there"),
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
    *_car(),
    _key("stint_number", SmallInteger, "from 1"),
    _always("start_lap", SmallInteger, ""),
    _value("end_lap", SmallInteger, "NULL = running"),
    _value("actual_compound_id", SmallInteger, "ref.tyre_compound"),
    _value("visual_compound_id", SmallInteger, "ref.visual_compound"),
    _always("overall_frame", BigInteger, _FRAME),
    schema="core",
    comment="One row for each car and set of tyres driven. From the newest SessionHistory packet of the car.",
    postgresql_with={"fillfactor": "60"},
)

event = Table(
    "event",
    metadata,
    *_session(),
    _key("overall_frame", BigInteger, "order of the event in its session"),
    _key("code", Text, "ref.event; four letters"),
    _key("digest", Text, "of the event's content: one frame may carry two of the same code"),
    _always("session_time_s", REAL, "the game's session clock"),
    _always("arrived_at", INSTANT, "first arrival"),
    _value("car_index", SmallInteger, "NULL = concerns no car"),
    _value("other_car_index", SmallInteger, "NULL = concerns no second car"),
    _value("lap_number", SmallInteger, "where the event says so"),
    _always("details", JSONB, "all members by our names; an unknown code has its bytes as `raw`"),
    schema="core",
    comment="Everything that happened. From Event packets, without the player's buttons (BUTN, 98 % of them).",
)

result = Table(
    "result",
    metadata,
    *_car(),
    _always("position", SmallInteger, ""),
    _value("grid_position", SmallInteger, "NULL = none"),
    _always("laps", SmallInteger, "completed"),
    _always("points", SmallInteger, ""),
    _always("pit_stops", SmallInteger, ""),
    _always("result_status_id", SmallInteger, "ref.result_status"),
    _value("result_reason_id", SmallInteger, "ref.result_reason; NULL before format 2025"),
    _value("best_lap_time_ms", Integer, "NULL = none"),
    _value("total_time_s", Double, "without penalties; NULL = none"),
    _always("penalties_s", SmallInteger, ""),
    _always("penalties", SmallInteger, "number of them"),
    _always("overall_frame", BigInteger, _FRAME),
    _check("position", "position >= 1"),
    schema="core",
    comment="How the session ended. From FinalClassification packets.",
)

history = Table(
    "history",
    metadata,
    *_car(),
    _key("num_laps", SmallInteger, "laps that the packet listed"),
    _always("overall_frame", BigInteger, "order of the newest SessionHistory packet that listed so many"),
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
    _key("query_id", Text, "the streaming query of a checkpoint, or one run of `pitlane spark batch`"),
    _key("batch_id", BigInteger, "number of the micro-batch"),
    Column("written_at", INSTANT, nullable=False, server_default=func.now(), comment="when the transaction began"),
    _value("blocks", Integer, "Kafka records read"),
    _value("datagrams", Integer, "datagrams in them"),
    _value("rejected_blocks", Integer, "records that no packet table could read"),
    _value("offsets", JSONB, "topic → partition → [first offset read, first offset of the next batch]"),
    _value("rows", JSONB, "fact → rows handed to the database; those that changed nothing included"),
    schema="core",
    comment="One row for each micro-batch, written in its transaction: a batch that comes again changes nothing.",
)

pending_datagram = Table(
    "pending_datagram",
    metadata,
    _key("query_id", Text, "who waits"),
    *_session(),
    _key("overall_frame", BigInteger, "the frame that still lacks a packet"),
    _key("packet_id", SmallInteger, ""),
    _always("packet_format", SmallInteger, ""),
    _always("shard", SmallInteger, "Kafka partition of the rig"),
    _always("entry", LargeBinary, "arrival time, rig and datagram as in a block"),
    schema="core",
    comment="Datagrams of recent frames whose partners have not come yet; read again with the next batch.",
    postgresql_with={"fillfactor": "50"},
)

# --- reference data, from seeds/*.csv ---------------------------------------------------------------------------


def _ref(name: str, comment: str, *columns: Column[Any]) -> Table:
    return Table(name, metadata, *columns, schema="ref", comment=comment)


def _named(key: str, name: str, comment: str, *columns: Column[Any]) -> Table:
    return _ref(name, comment, _key(key, Integer, "as the game sends it"), _always("name", Text, ""), *columns)


track = _named(
    "track_id", "track", "Tracks of the games 23 to 25 and the 2026 pack.",
    _always("country", Text, ""),
    _value("length_m", Integer, "published length of the real track; NULL for short and unused layouts"),
)  # fmt: skip
team = _ref(
    "team",
    "Teams. What an id means depends on the game's year, not on the packet format.",
    _key("game_year", SmallInteger, "core.session.game_year; the 2026 pack belongs to 25"),
    _key("team_id", Integer, "as the game sends it"),
    _always("name", Text, ""),
)
driver = _named("driver_id", "driver", "Drivers that the game itself provides.")
tyre_compound = _named("actual_compound_id", "tyre_compound", "What a tyre is made of (C1 … C6, F2, classic).")
visual_compound = _named(
    "visual_compound_id", "visual_compound", "What a tyre is called in a race.",
    _always("colour", Text, "of its marking, #rrggbb"),
)  # fmt: skip
session_type = _ref(
    "session_type",
    "Session types. From 2024 the numbers from 10 on mean something else.",
    _key("packet_format", SmallInteger, "core.session.packet_format"),
    _key("session_type_id", SmallInteger, "as the game sends it"),
    _always("name", Text, ""),
    _always("kind", Text, "practice, qualifying, sprint_shootout, race, time_trial or unknown"),
)
penalty = _named("penalty_type", "penalty", "Penalties, as PENA events name them.")
infringement = _named("infringement_type", "infringement", "Reasons of penalties, as PENA events name them.")
weather = _named("weather_id", "weather", "Weather.")
result_status = _named(
    "result_status_id", "result_status", "How a car stands or ended.",
    _always("is_classified", Boolean, "counts as having come home"),
)  # fmt: skip
result_reason = _named("result_reason_id", "result_reason", "Why a car ended, from format 2025.")
nationality = _named("nationality_id", "nationality", "Nationalities of participants.")
event_code = _ref(
    "event",
    "Events.",
    _key("code", Text, "four letters"),
    _always("name", Text, ""),
    Column("is_highlight", Boolean, nullable=False, server_default=false(), comment="worth a line in a race's story"),
)
