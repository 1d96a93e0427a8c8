"""What concerns time trials alone."""

from sqlalchemy import BigInteger, Boolean, Integer, SmallInteger, Table, Text

from postgres.columns import FRAME, always, check, key, metadata, session_key, value

time_trial = Table(
    "time_trial",
    metadata,
    *session_key(),
    key("record", Text, "session_best and personal_best of the player, rival"),
    always("car_index", SmallInteger, "the car that shows it: the player's own or a ghost's"),
    value("team_id", Integer, "ref.team, with game_year; NULL = none"),
    always("lap_time_ms", Integer, "of the record"),
    value("sector1_ms", Integer, "of its first sector; NULL = not told"),
    value("sector2_ms", Integer, "of its second sector; NULL = not told"),
    value("sector3_ms", Integer, "of its third sector; NULL = not told"),
    always("traction_control", Boolean, "driven with this assist"),
    always("gearbox_assist", Boolean, "driven with this assist"),
    always("anti_lock_brakes", Boolean, "driven with this assist"),
    always("has_equal_cars", Boolean, "driven with equal car performance, not a realistic one"),
    always("has_custom_setup", Boolean, "driven with a setup of the player's own"),
    always("is_valid", Boolean, "the lap counts"),
    always("overall_frame", BigInteger, FRAME),
    check("record", "record IN ('session_best', 'personal_best', 'rival')"),
    schema="core",
    comment=(
        "Three rows for each time trial: the player's best of the session, personal best, and the rival's lap; none "
        "before there is such a lap. From TimeTrial packets, which format 2023 does not have; the newest sample wins."
    ),
    info={"packets": ("time_trial",)},
)
