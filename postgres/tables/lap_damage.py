"""What a lap left of the car."""

from sqlalchemy import REAL, BigInteger, Boolean, SmallInteger, Table

from postgres.columns import FRAME, always, by_wheel, car_key, check, key, metadata, value

lap_damage = Table(
    "lap_damage",
    metadata,
    *car_key(),
    key("lap_number", SmallInteger, "from 1"),
    *by_wheel("tyre_wear_percent", REAL, "NULL = restricted, here and in all columns below"),
    *by_wheel("tyre_damage_percent", SmallInteger, ""),
    *by_wheel("brake_damage_percent", SmallInteger, ""),
    *by_wheel("tyre_blisters_percent", SmallInteger, "NULL before format 2025"),
    value("front_left_wing_damage_percent", SmallInteger, ""),
    value("front_right_wing_damage_percent", SmallInteger, ""),
    value("rear_wing_damage_percent", SmallInteger, ""),
    value("floor_damage_percent", SmallInteger, ""),
    value("diffuser_damage_percent", SmallInteger, ""),
    value("sidepod_damage_percent", SmallInteger, ""),
    value("gearbox_damage_percent", SmallInteger, ""),
    value("engine_damage_percent", SmallInteger, ""),
    value("engine_mguh_wear_percent", SmallInteger, ""),
    value("engine_es_wear_percent", SmallInteger, "energy store"),
    value("engine_ce_wear_percent", SmallInteger, "control electronics"),
    value("engine_ice_wear_percent", SmallInteger, "combustion engine"),
    value("engine_mguk_wear_percent", SmallInteger, ""),
    value("engine_tc_wear_percent", SmallInteger, "turbocharger"),
    value("is_drs_faulty", Boolean, ""),
    value("is_ers_faulty", Boolean, ""),
    value("is_engine_blown", Boolean, ""),
    value("is_engine_seized", Boolean, ""),
    always("overall_frame", BigInteger, FRAME),
    check("lap", "lap_number >= 1"),
    schema="core",
    info={"packets": ("car_damage", "lap_data")},
    comment=(
        "One row for each car and lap: wear and damage at the lap's last CarDamage sample (ten a second) while racing. "
        "The lap is that of LapData of the same frame."
    ),
    postgresql_with={"fillfactor": "60"},  # the running lap changes with every batch: keep its versions on the page
)
