"""What stands in a car's garage: the setups it was driven with, and its sets of tyres."""

from sqlalchemy import REAL, BigInteger, Boolean, SmallInteger, Table, Text

from postgres.columns import FRAME, always, car_key, check, key, metadata, value

setup = Table(
    "setup",
    metadata,
    *car_key(),
    key("digest", Text, "of the setup's members; the same setup has the same one in every session"),
    always("first_frame", BigInteger, "order of the first sample that showed it"),
    always("last_frame", BigInteger, "order of the last one"),
    value("front_wing", SmallInteger, "angle, in the game's clicks"),
    value("rear_wing", SmallInteger, "angle, in the game's clicks"),
    value("on_throttle_percent", SmallInteger, "lock of the differential on throttle"),
    value("off_throttle_percent", SmallInteger, "lock of the differential off throttle"),
    value("front_camber_deg", REAL, "lean of the front wheels, below zero inwards at the top"),
    value("rear_camber_deg", REAL, "lean of the rear wheels, below zero inwards at the top"),
    value("front_toe_deg", REAL, "toe-out of the front wheels"),
    value("rear_toe_deg", REAL, "toe-in of the rear wheels"),
    value("front_suspension", SmallInteger, "stiffness in the game's clicks"),
    value("rear_suspension", SmallInteger, "stiffness in the game's clicks"),
    value("front_anti_roll_bar", SmallInteger, "stiffness in the game's clicks"),
    value("rear_anti_roll_bar", SmallInteger, "stiffness in the game's clicks"),
    value("front_ride_height", SmallInteger, "in the game's clicks"),
    value("rear_ride_height", SmallInteger, "in the game's clicks"),
    value("brake_pressure_percent", SmallInteger, "of the greatest there is"),
    value("brake_bias_percent", SmallInteger, "share of the front brakes"),
    value("engine_braking_percent", SmallInteger, "drag of the engine off throttle; NULL in 2023"),
    value("rear_left_tyre_pressure_psi", REAL, "of the cold tyre"),
    value("rear_right_tyre_pressure_psi", REAL, "of the cold tyre"),
    value("front_left_tyre_pressure_psi", REAL, "of the cold tyre"),
    value("front_right_tyre_pressure_psi", REAL, "of the cold tyre"),
    value("ballast", SmallInteger, "in the game's clicks"),
    value("fuel_load_kg", REAL, "in the tank at the start"),
    check("frames", "first_frame <= last_frame"),
    schema="core",
    comment=(
        "One row for each car and setup it had, with the first and the last sample that showed it. From CarSetups "
        "packets. Online the game sends the own car's alone: other players' setups are blank and have no row."
    ),
    info={"packets": ("car_setups",)},
    postgresql_with={"fillfactor": "50"},  # last_frame of the setup in use changes with every batch
)

tyre_set = Table(
    "tyre_set",
    metadata,
    *car_key(),
    key("set_index", SmallInteger, "0 … 12 dry sets, 13 … 19 intermediate and wet ones"),
    always("actual_compound_id", SmallInteger, "ref.tyre_compound"),
    always("visual_compound_id", SmallInteger, "ref.visual_compound"),
    always("wear_percent", SmallInteger, "of the set, 100 is worn out"),
    always("is_available", Boolean, "may be fitted now"),
    value("recommended_session_id", SmallInteger, "ref.session_type, with packet_format; NULL = none"),
    always("life_span_laps", SmallInteger, "laps left in it"),
    always("usable_life_laps", SmallInteger, "laps recommended for the compound"),
    always("lap_delta_time_ms", SmallInteger, "of a lap against the fitted set, above zero is slower"),
    always("is_fitted", Boolean, "on the car"),
    always("overall_frame", BigInteger, FRAME),
    check("index", "set_index BETWEEN 0 AND 19"),
    schema="core",
    comment=(
        "One row for each car and set of tyres it may use, as the newest sample showed it. From TyreSets packets. A "
        "car that hides its telemetry sends zeros: what was last shown stands, and without it there is no row."
    ),
    info={"packets": ("tyre_sets",)},
    postgresql_with={"fillfactor": "60"},
)
