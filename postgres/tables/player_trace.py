"""What the player's car feels."""

from sqlalchemy import REAL, BigInteger, Integer, SmallInteger, Table

from postgres.columns import FRAME, REWOUND, always, by_wheel, car_key, check, key, metadata, value
from postgres.partitions import BY_SESSION, in_parts

player_trace = Table(
    "player_trace",
    metadata,
    *car_key(),
    key("lap_number", SmallInteger, "from 1"),
    key("distance_bin", SmallInteger, "lap distance in steps of 10 m: bin n is [10 n, 10 n + 10)"),
    always("lap_distance_m", REAL, "of the sample"),
    *by_wheel("slip_ratio", REAL, "how much faster or slower the wheel turns than the car goes"),
    *by_wheel("slip_angle_rad", REAL, "between where the wheel points and where it goes"),
    *by_wheel("wheel_speed_mps", REAL, "of the wheel's rim"),
    *by_wheel("suspension_position_mm", REAL, "of the suspension"),
    *by_wheel("vertical_force", REAL, "as the game says; no unit is published"),
    value("local_velocity_x_mps", REAL, "sideways, in the frame of the car"),
    value("local_velocity_y_mps", REAL, "up and down, in the frame of the car"),
    value("local_velocity_z_mps", REAL, "forward, in the frame of the car"),
    value("angular_velocity_x_radps", REAL, "about the axis across the car: pitch"),
    value("angular_velocity_y_radps", REAL, "about the upright axis: yaw"),
    value("angular_velocity_z_radps", REAL, "about the axis along the car: roll"),
    value("front_wheels_angle_rad", REAL, "steering angle of the front wheels"),
    value("centre_of_gravity_height_m", REAL, "above the ground"),
    value("front_ride_height_m", REAL, "height of the plank's front edge; NULL in 2023"),
    value("rear_ride_height_m", REAL, "height of the plank's rear edge; NULL in 2023"),
    value("front_roll_angle_rad", REAL, "of the front suspension; NULL in 2023"),
    value("rear_roll_angle_rad", REAL, "of the rear suspension; NULL in 2023"),
    value("chassis_yaw_rad", REAL, "against the direction of motion; NULL in 2023"),
    value("chassis_pitch_rad", REAL, "against the direction of motion; NULL before 2025"),
    always("overall_frame", BigInteger, FRAME),
    value("rewound", Integer, REWOUND),
    check("bin", "distance_bin >= 0"),
    schema="core",
    info={"packets": ("motion_ex", "lap_data")},
    comment=(
        "One row for each lap and 10 m of the player's car, while it is on track and racing; none for a spectator. "
        "MotionEx joined with LapData of the same frame; of a bin's samples the newest wins."
    ),
    postgresql_partition_by=BY_SESSION,
)
in_parts(player_trace, fillfactor=95)  # a bin is written once or twice, then never again
