"""core.player_trace: a lap of the player's car as a row for each 10 m of track."""

import numpy as np
import pyarrow as pa

from spark.facts import FACTS
from spark.jobs.blocks import Sessions
from spark.jobs.frames import CarFrames
from spark.jobs.lap_trace import on_track
from spark.jobs.laps import lap_key
from spark.jobs.order import newest

BY_WHEEL = {
    "slip_ratio": "wheel_slip_ratio",
    "slip_angle_rad": "wheel_slip_angle_rad",
    "wheel_speed_mps": "wheel_speed_mps",
    "suspension_position_mm": "suspension_position_mm",
    "vertical_force": "wheel_vertical_force",
}
"""Column, without the wheel in front → member."""
OF_THE_CAR = {
    name: name
    for name in (
        "local_velocity_x_mps", "local_velocity_y_mps", "local_velocity_z_mps", "angular_velocity_x_radps",
        "angular_velocity_y_radps", "angular_velocity_z_radps", "front_wheels_angle_rad", "centre_of_gravity_height_m",
        "front_roll_angle_rad", "rear_roll_angle_rad", "chassis_yaw_rad", "chassis_pitch_rad",
    )
} | {"front_ride_height_m": "front_aero_height_m", "rear_ride_height_m": "rear_aero_height_m"}  # fmt: skip
"""Column → member; formats differ in which they have."""


def player_trace(rows: CarFrames, sessions: Sessions) -> pa.Table:
    """One row for each (session, rig, player's car, lap, bin): of a bin's samples the newest that came with MotionEx,
    those behind a flashback first."""
    rows, place = on_track(rows.take(np.flatnonzero(rows.has("motion_ex"))))
    stands = newest((rows.session, rows.car, rows.lap("current_lap_num"), place), (rows.rewound, rows.order))
    rows, place = rows.take(stands), place[stands]
    return FACTS["player_trace"].rows(
        {
            **lap_key(rows, sessions),
            "distance_bin": place,
            "lap_distance_m": rows.lap("lap_distance_m"),
            **rows.by_wheel("motion_ex", BY_WHEEL),
            **{column: rows.of("motion_ex", member) for column, member in OF_THE_CAR.items()},
            "overall_frame": rows.order,
            "rewound": rows.rewound,
        }
    )
