"""What concerns a car for a whole session: who drives it, and how it ended."""

from sqlalchemy import BigInteger, Boolean, Double, Integer, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from postgres.columns import FRAME, always, car_key, check, metadata, value

participant = Table(
    "participant",
    metadata,
    *car_key(),
    always("name", Text, "as the game shows it; not unique, never a key"),
    value("driver_id", Integer, "ref.driver; NULL for a human"),
    value("team_id", Integer, "ref.team, with game_year; NULL without a team"),
    value("race_number", SmallInteger, "on the car; drivers choose it, two may have the same"),
    value("nationality_id", SmallInteger, "ref.nationality"),
    always("is_ai", Boolean, "driven by the game, not by a person"),
    always("is_player", Boolean, "driven on this rig, secondary player included"),
    always("is_telemetry_public", Boolean, "the driver's setting at this sample"),
    always("was_restricted", Boolean, "ever in this session: zeros in this car's fuel and ERS are hidden values"),
    value("platform_id", SmallInteger, "1 Steam, 3 PlayStation, 4 Xbox, 6 Origin; NULL = unknown"),
    value("network_id", Integer, "of the player in a network game; NULL = none"),
    value("is_my_team", Boolean, "the car of a My Team career"),
    value("tech_level", Integer, "of an F1 World car; NULL = none, or before format 2024"),
    value("shows_online_name", Boolean, "the player's setting; without it online names read Player"),
    value("livery_colours", JSONB, "of the car, as #rrggbb, main colour first; NULL before format 2025"),
    always("overall_frame", BigInteger, FRAME),
    check("car", "car_index BETWEEN 0 AND 23"),
    schema="core",
    comment="Who drives which car. From Participants packets; the newest sample wins.",
    info={"packets": ("participants",)},
    postgresql_with={"fillfactor": "70"},
)

result = Table(
    "result",
    metadata,
    *car_key(),
    always("position", SmallInteger, "in which the car was classified"),
    value("grid_position", SmallInteger, "where it started; NULL = no grid, as in qualifying"),
    always("laps", SmallInteger, "completed"),
    always("points", SmallInteger, "scored in this session"),
    always("pit_stops", SmallInteger, "made"),
    always("result_status_id", SmallInteger, "ref.result_status"),
    value("result_reason_id", SmallInteger, "ref.result_reason; NULL before format 2025"),
    value("best_lap_time_ms", Integer, "of its valid laps; NULL = no lap was timed"),
    value("total_time_s", Double, "without penalties; NULL = the game told none"),
    always("penalties_s", SmallInteger, "sum of time penalties, not yet in total_time_s"),
    always("penalties", SmallInteger, "number of them"),
    value(
        "tyre_stints",
        JSONB,
        "as told at the end: [{end_lap (null: to the flag), actual_compound_id, visual_compound_id}]",
    ),
    always("overall_frame", BigInteger, FRAME),
    check("position", "position >= 1"),
    schema="core",
    comment="How the session ended. From FinalClassification packets.",
    info={"packets": ("final_classification",)},
)
