"""What a lap left of the car."""

from sqlalchemy import REAL, BigInteger, Boolean, SmallInteger, Table

from postgres.columns import FRAME, always, by_wheel, car_key, check, key, metadata, value

lap_damage = Table(
    "lap_damage",
    metadata,
    *car_key(),
    key("lap_number", SmallInteger, "from 1"),
    *by_wheel("tyre_wear_percent", REAL, "of the tread; NULL = restricted, here and in all columns below"),
    *by_wheel("tyre_damage_percent", SmallInteger, "of the tyre"),
    *by_wheel("brake_damage_percent", SmallInteger, "of the brake"),
    *by_wheel("tyre_blisters_percent", SmallInteger, "of the tread; NULL before format 2025"),
    value("front_left_wing_damage_percent", SmallInteger, "left half of the front wing"),
    value("front_right_wing_damage_percent", SmallInteger, "right half of the front wing"),
    value("rear_wing_damage_percent", SmallInteger, "of the rear wing"),
    value("floor_damage_percent", SmallInteger, "of the floor"),
    value("diffuser_damage_percent", SmallInteger, "of the diffuser"),
    value("sidepod_damage_percent", SmallInteger, "of the sidepods"),
    value("gearbox_damage_percent", SmallInteger, "of the gearbox"),
    value("engine_damage_percent", SmallInteger, "of the engine as a whole"),
    value("engine_mguh_wear_percent", SmallInteger, "generator on the turbocharger (MGU-H)"),
    value("engine_es_wear_percent", SmallInteger, "energy store"),
    value("engine_ce_wear_percent", SmallInteger, "control electronics"),
    value("engine_ice_wear_percent", SmallInteger, "combustion engine"),
    value("engine_mguk_wear_percent", SmallInteger, "generator on the axle (MGU-K)"),
    value("engine_tc_wear_percent", SmallInteger, "turbocharger"),
    value("is_drs_faulty", Boolean, "the DRS has a fault"),
    value("is_ers_faulty", Boolean, "the ERS has a fault"),
    value("is_engine_blown", Boolean, "the engine has failed"),
    value("is_engine_seized", Boolean, "the engine has seized"),
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
