"""The tables of ref: what the games' ids mean. Their rows are in seeds/*.csv."""

from typing import Any

from sqlalchemy import Boolean, Column, Integer, SmallInteger, Table, Text, false

from postgres.columns import always, key, metadata, value

NAME = "in English, as the game's appendix has it"
PHRASE = "as it reads within a sentence; NULL = its name does"


def _ref(name: str, comment: str, *columns: Column[Any]) -> Table:
    return Table(name, metadata, *columns, schema="ref", comment=comment)


def _named(id_: str, name: str, comment: str, *columns: Column[Any]) -> Table:
    return _ref(name, comment, key(id_, Integer, "as the game sends it"), always("name", Text, NAME), *columns)


track = _named(
    "track_id", "track", "Tracks of the games 23 to 25 and the 2026 pack.",
    always("country", Text, "in which it lies"),
    value("length_m", Integer, "published length of the real track; NULL for short and unused layouts"),
)  # fmt: skip
team = _ref(
    "team",
    "Teams. What an id means depends on the game's year, not on the packet format.",
    key("game_year", SmallInteger, "core.session.game_year; the 2026 pack belongs to 25"),
    key("team_id", Integer, "as the game sends it"),
    always("name", Text, NAME),
)
driver = _named("driver_id", "driver", "Drivers that the game itself provides.")
tyre_compound = _named("actual_compound_id", "tyre_compound", "What a tyre is made of (C1 … C6, F2, classic).")
visual_compound = _named(
    "visual_compound_id", "visual_compound", "What a tyre is called in a race.",
    always("colour", Text, "of its marking, #rrggbb"),
)  # fmt: skip
session_type = _ref(
    "session_type",
    "Session types. From 2024 the numbers from 10 on mean something else.",
    key("packet_format", SmallInteger, "core.session.packet_format"),
    key("session_type_id", SmallInteger, "as the game sends it"),
    always("name", Text, NAME),
    always("kind", Text, "practice, qualifying, sprint_shootout, race, time_trial or unknown"),
)
penalty = _named(
    "penalty_type", "penalty", "Penalties, as PENA events name them.",
    value("phrase", Text, PHRASE),
)  # fmt: skip
infringement = _named(
    "infringement_type", "infringement", "Reasons of penalties, as PENA events name them.",
    value("phrase", Text, PHRASE),
)  # fmt: skip
drs_disabled_reason = _named(
    "drs_disabled_reason_id", "drs_disabled_reason", "Why DRS may not be used, as DRSD events tell from format 2025."
)
safety_car_type = _named("safety_car_type_id", "safety_car_type", "Kinds of safety car, as SCAR events name them.")
safety_car_event = _named("safety_car_event_id", "safety_car_event", "What a safety car does, as SCAR events tell.")
collision_severity = _named(
    "collision_severity_id", "collision_severity", "How hard cars collided, as COLL events tell from format 2026."
)
game_mode = _named("game_mode_id", "game_mode", "What is played: a career, a time trial, an online race …")
rule_set = _named("rule_set_id", "rule_set", "The rules of a session.")
weather = _named("weather_id", "weather", "Weather.")
result_status = _named(
    "result_status_id", "result_status", "How a car stands or ended.",
    always("is_classified", Boolean, "counts as having come home"),
)  # fmt: skip
result_reason = _named("result_reason_id", "result_reason", "Why a car ended, from format 2025.")
nationality = _named("nationality_id", "nationality", "Nationalities of participants.")
event_code = _ref(
    "event",
    "Events.",
    key("code", Text, "four letters"),
    always("name", Text, NAME),
    Column("is_highlight", Boolean, nullable=False, server_default=false(), comment="worth a line in a race's story"),
)
