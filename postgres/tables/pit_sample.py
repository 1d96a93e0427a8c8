"""What of a stop is seen from the pit lane."""

from sqlalchemy import REAL, BigInteger, Boolean, Integer, SmallInteger, Table

from postgres.columns import FRAME, REWOUND, always, car_key, check, key, metadata, value

pit_sample = Table(
    "pit_sample",
    metadata,
    *car_key(),
    key("lap_number", SmallInteger, "from 1"),
    key("session_second", Integer, "whole second of the session clock"),
    always("session_time_s", REAL, "the game's session clock; rewinds on a flashback"),
    always("lane_time_ms", Integer, "since the car came into the lane; the game's 16 bits begin again after 65.5 s"),
    value(
        "stop_time_ms",
        Integer,
        "longest stationary time shown in this second since the last flashback; 0 = not stopped yet",
    ),
    always("pit_status", SmallInteger, "1 pitting, 2 in the pit area"),
    always("pit_stops", SmallInteger, "as the game counts them"),
    always("serves_penalty", Boolean, "a penalty is to be served at this stop"),
    value("actual_compound_id", SmallInteger, "ref.tyre_compound; NULL = no CarStatus of this frame, here and below"),
    value("visual_compound_id", SmallInteger, "ref.visual_compound, as the game shows it"),
    value("tyre_age_laps", SmallInteger, "of the tyres that are reported"),
    value("rewound", Integer, REWOUND),
    always("overall_frame", BigInteger, FRAME),
    check("second", "session_second >= 0"),
    schema="core",
    info={"packets": ("lap_data", "car_status")},
    comment=(
        "One row for each car, lap and second in which the pit lane timer runs: the second's last sample. Clock less "
        "time in the lane is when the car came in, whichever sample says it: mart.pit_stop tells visits apart by that. "
        "What a flashback undid goes by the FLBK event and by core.history."
    ),
)
