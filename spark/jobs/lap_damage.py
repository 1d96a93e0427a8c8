"""core.lap_damage: what a lap left of the car."""

import numpy as np
import pyarrow as pa

from spark.facts import FACTS
from spark.jobs.blocks import Sessions
from spark.jobs.frames import CarFrames
from spark.jobs.laps import lap_key
from spark.jobs.order import newest

BY_WHEEL = {
    "tyre_wear_percent": "tyres_wear_percent",
    "tyre_damage_percent": "tyres_damage_percent",
    "brake_damage_percent": "brakes_damage_percent",
    "tyre_blisters_percent": "tyre_blisters_percent",
}
"""Column, without the wheel in front → member."""
PERCENT = (
    "front_left_wing_damage", "front_right_wing_damage", "rear_wing_damage", "floor_damage", "diffuser_damage",
    "sidepod_damage", "gearbox_damage", "engine_damage", "engine_mguh_wear", "engine_es_wear", "engine_ce_wear",
    "engine_ice_wear", "engine_mguk_wear", "engine_tc_wear",
)  # fmt: skip
FLAGS = {
    "is_drs_faulty": "drs_fault",
    "is_ers_faulty": "ers_fault",
    "is_engine_blown": "engine_blown",
    "is_engine_seized": "engine_seized",
}


def lap_damage(rows: CarFrames, sessions: Sessions) -> pa.Table:
    """Wear and damage at the last sample of each lap that came with CarDamage."""
    rows = rows.take(np.flatnonzero(rows.has("car_damage")))
    rows = rows.take(newest((rows.session, rows.car, rows.lap("current_lap_num")), (rows.order,)))
    return FACTS["lap_damage"].rows(
        {
            **lap_key(rows, sessions),
            **rows.by_wheel("car_damage", BY_WHEEL),
            **{f"{name}_percent": rows.of("car_damage", name) for name in PERCENT},
            **{column: rows.of("car_damage", member) > 0 for column, member in FLAGS.items()},
            "overall_frame": rows.order,
        }
    )
