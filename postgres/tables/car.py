"""What concerns a car for a whole session: who drives it, and how it ended."""

from sqlalchemy import BigInteger, Boolean, Double, Integer, SmallInteger, Table, Text

from postgres.columns import FRAME, always, car_key, check, metadata, value

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
    always("overall_frame", BigInteger, FRAME),
    check("car", "car_index BETWEEN 0 AND 23"),
    schema="core",
    comment="Who drives which car. From Participants packets; the newest sample wins.",
    postgresql_with={"fillfactor": "70"},
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
    always("overall_frame", BigInteger, FRAME),
    check("position", "position >= 1"),
    schema="core",
    comment="How the session ended. From FinalClassification packets.",
)
