"""Damage, the player's car and the pit lane by lap; gaps, penalties, active aero and overtake of a lap."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lap_damage",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column("lap_number", sa.SmallInteger(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column(
            "rear_left_tyre_wear_percent",
            sa.REAL(),
            nullable=True,
            comment="of the tread; NULL = restricted, here and in all columns below",
        ),
        sa.Column(
            "rear_right_tyre_wear_percent",
            sa.REAL(),
            nullable=True,
            comment="of the tread; NULL = restricted, here and in all columns below",
        ),
        sa.Column(
            "front_left_tyre_wear_percent",
            sa.REAL(),
            nullable=True,
            comment="of the tread; NULL = restricted, here and in all columns below",
        ),
        sa.Column(
            "front_right_tyre_wear_percent",
            sa.REAL(),
            nullable=True,
            comment="of the tread; NULL = restricted, here and in all columns below",
        ),
        sa.Column("rear_left_tyre_damage_percent", sa.SmallInteger(), nullable=True, comment="of the tyre"),
        sa.Column("rear_right_tyre_damage_percent", sa.SmallInteger(), nullable=True, comment="of the tyre"),
        sa.Column("front_left_tyre_damage_percent", sa.SmallInteger(), nullable=True, comment="of the tyre"),
        sa.Column("front_right_tyre_damage_percent", sa.SmallInteger(), nullable=True, comment="of the tyre"),
        sa.Column("rear_left_brake_damage_percent", sa.SmallInteger(), nullable=True, comment="of the brake"),
        sa.Column("rear_right_brake_damage_percent", sa.SmallInteger(), nullable=True, comment="of the brake"),
        sa.Column("front_left_brake_damage_percent", sa.SmallInteger(), nullable=True, comment="of the brake"),
        sa.Column("front_right_brake_damage_percent", sa.SmallInteger(), nullable=True, comment="of the brake"),
        sa.Column(
            "rear_left_tyre_blisters_percent",
            sa.SmallInteger(),
            nullable=True,
            comment="of the tread; NULL before format 2025",
        ),
        sa.Column(
            "rear_right_tyre_blisters_percent",
            sa.SmallInteger(),
            nullable=True,
            comment="of the tread; NULL before format 2025",
        ),
        sa.Column(
            "front_left_tyre_blisters_percent",
            sa.SmallInteger(),
            nullable=True,
            comment="of the tread; NULL before format 2025",
        ),
        sa.Column(
            "front_right_tyre_blisters_percent",
            sa.SmallInteger(),
            nullable=True,
            comment="of the tread; NULL before format 2025",
        ),
        sa.Column(
            "front_left_wing_damage_percent", sa.SmallInteger(), nullable=True, comment="left half of the front wing"
        ),
        sa.Column(
            "front_right_wing_damage_percent", sa.SmallInteger(), nullable=True, comment="right half of the front wing"
        ),
        sa.Column("rear_wing_damage_percent", sa.SmallInteger(), nullable=True, comment="of the rear wing"),
        sa.Column("floor_damage_percent", sa.SmallInteger(), nullable=True, comment="of the floor"),
        sa.Column("diffuser_damage_percent", sa.SmallInteger(), nullable=True, comment="of the diffuser"),
        sa.Column("sidepod_damage_percent", sa.SmallInteger(), nullable=True, comment="of the sidepods"),
        sa.Column("gearbox_damage_percent", sa.SmallInteger(), nullable=True, comment="of the gearbox"),
        sa.Column("engine_damage_percent", sa.SmallInteger(), nullable=True, comment="of the engine as a whole"),
        sa.Column(
            "engine_mguh_wear_percent",
            sa.SmallInteger(),
            nullable=True,
            comment="generator on the turbocharger (MGU-H)",
        ),
        sa.Column("engine_es_wear_percent", sa.SmallInteger(), nullable=True, comment="energy store"),
        sa.Column("engine_ce_wear_percent", sa.SmallInteger(), nullable=True, comment="control electronics"),
        sa.Column("engine_ice_wear_percent", sa.SmallInteger(), nullable=True, comment="combustion engine"),
        sa.Column(
            "engine_mguk_wear_percent", sa.SmallInteger(), nullable=True, comment="generator on the axle (MGU-K)"
        ),
        sa.Column("engine_tc_wear_percent", sa.SmallInteger(), nullable=True, comment="turbocharger"),
        sa.Column("is_drs_faulty", sa.Boolean(), nullable=True, comment="the DRS has a fault"),
        sa.Column("is_ers_faulty", sa.Boolean(), nullable=True, comment="the ERS has a fault"),
        sa.Column("is_engine_blown", sa.Boolean(), nullable=True, comment="the engine has failed"),
        sa.Column("is_engine_seized", sa.Boolean(), nullable=True, comment="the engine has seized"),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.CheckConstraint("lap_number >= 1", name=op.f("lap_damage_lap")),
        sa.PrimaryKeyConstraint("session_uid", "rig", "car_index", "lap_number", name=op.f("lap_damage_pkey")),
        schema="core",
        comment="One row for each car and lap: wear and damage at the lap's last CarDamage sample (ten a second) while racing. The lap is that of LapData of the same frame.",
        info={"packets": ("car_damage", "lap_data")},
        postgresql_with={"fillfactor": "60"},
    )
    op.create_table(
        "pit_sample",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column("lap_number", sa.SmallInteger(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column(
            "session_second",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="whole second of the session clock",
        ),
        sa.Column(
            "session_time_s", sa.REAL(), nullable=False, comment="the game's session clock; rewinds on a flashback"
        ),
        sa.Column(
            "lane_time_ms",
            sa.Integer(),
            nullable=False,
            comment="since the car came into the lane; the game's 16 bits begin again after 65.5 s",
        ),
        sa.Column(
            "stop_time_ms",
            sa.Integer(),
            nullable=True,
            comment="longest stationary time that was shown in this second; 0 = not stopped yet",
        ),
        sa.Column("pit_status", sa.SmallInteger(), nullable=False, comment="1 pitting, 2 in the pit area"),
        sa.Column("pit_stops", sa.SmallInteger(), nullable=False, comment="as the game counts them"),
        sa.Column("serves_penalty", sa.Boolean(), nullable=False, comment="a penalty is to be served at this stop"),
        sa.Column(
            "actual_compound_id",
            sa.SmallInteger(),
            nullable=True,
            comment="ref.tyre_compound; NULL = no CarStatus of this frame, here and below",
        ),
        sa.Column(
            "visual_compound_id", sa.SmallInteger(), nullable=True, comment="ref.visual_compound, as the game shows it"
        ),
        sa.Column("tyre_age_laps", sa.SmallInteger(), nullable=True, comment="of the tyres that are reported"),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.CheckConstraint("session_second >= 0", name=op.f("pit_sample_second")),
        sa.PrimaryKeyConstraint(
            "session_uid", "rig", "car_index", "lap_number", "session_second", name=op.f("pit_sample_pkey")
        ),
        schema="core",
        comment="One row for each car, lap and second in which the pit lane timer runs: the second's last sample. Clock less time in the lane is when the car came in, whichever sample says it: mart.pit_stop tells visits apart by that. What a flashback undid goes by the FLBK event and by core.history.",
        info={"packets": ("lap_data", "car_status")},
    )
    op.create_table(
        "player_trace",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column("lap_number", sa.SmallInteger(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column(
            "distance_bin",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="lap distance in steps of 10 m: bin n is [10 n, 10 n + 10)",
        ),
        sa.Column("lap_distance_m", sa.REAL(), nullable=False, comment="of the sample"),
        sa.Column(
            "rear_left_slip_ratio",
            sa.REAL(),
            nullable=True,
            comment="how much faster or slower the wheel turns than the car goes",
        ),
        sa.Column(
            "rear_right_slip_ratio",
            sa.REAL(),
            nullable=True,
            comment="how much faster or slower the wheel turns than the car goes",
        ),
        sa.Column(
            "front_left_slip_ratio",
            sa.REAL(),
            nullable=True,
            comment="how much faster or slower the wheel turns than the car goes",
        ),
        sa.Column(
            "front_right_slip_ratio",
            sa.REAL(),
            nullable=True,
            comment="how much faster or slower the wheel turns than the car goes",
        ),
        sa.Column(
            "rear_left_slip_angle_rad",
            sa.REAL(),
            nullable=True,
            comment="between where the wheel points and where it goes",
        ),
        sa.Column(
            "rear_right_slip_angle_rad",
            sa.REAL(),
            nullable=True,
            comment="between where the wheel points and where it goes",
        ),
        sa.Column(
            "front_left_slip_angle_rad",
            sa.REAL(),
            nullable=True,
            comment="between where the wheel points and where it goes",
        ),
        sa.Column(
            "front_right_slip_angle_rad",
            sa.REAL(),
            nullable=True,
            comment="between where the wheel points and where it goes",
        ),
        sa.Column("rear_left_wheel_speed_mps", sa.REAL(), nullable=True, comment="of the wheel's rim"),
        sa.Column("rear_right_wheel_speed_mps", sa.REAL(), nullable=True, comment="of the wheel's rim"),
        sa.Column("front_left_wheel_speed_mps", sa.REAL(), nullable=True, comment="of the wheel's rim"),
        sa.Column("front_right_wheel_speed_mps", sa.REAL(), nullable=True, comment="of the wheel's rim"),
        sa.Column("rear_left_suspension_position_mm", sa.REAL(), nullable=True, comment="of the suspension"),
        sa.Column("rear_right_suspension_position_mm", sa.REAL(), nullable=True, comment="of the suspension"),
        sa.Column("front_left_suspension_position_mm", sa.REAL(), nullable=True, comment="of the suspension"),
        sa.Column("front_right_suspension_position_mm", sa.REAL(), nullable=True, comment="of the suspension"),
        sa.Column(
            "rear_left_vertical_force", sa.REAL(), nullable=True, comment="as the game says; no unit is published"
        ),
        sa.Column(
            "rear_right_vertical_force", sa.REAL(), nullable=True, comment="as the game says; no unit is published"
        ),
        sa.Column(
            "front_left_vertical_force", sa.REAL(), nullable=True, comment="as the game says; no unit is published"
        ),
        sa.Column(
            "front_right_vertical_force", sa.REAL(), nullable=True, comment="as the game says; no unit is published"
        ),
        sa.Column("local_velocity_x_mps", sa.REAL(), nullable=True, comment="sideways, in the frame of the car"),
        sa.Column("local_velocity_y_mps", sa.REAL(), nullable=True, comment="up and down, in the frame of the car"),
        sa.Column("local_velocity_z_mps", sa.REAL(), nullable=True, comment="forward, in the frame of the car"),
        sa.Column("angular_velocity_x_radps", sa.REAL(), nullable=True, comment="about the axis across the car: pitch"),
        sa.Column("angular_velocity_y_radps", sa.REAL(), nullable=True, comment="about the upright axis: yaw"),
        sa.Column("angular_velocity_z_radps", sa.REAL(), nullable=True, comment="about the axis along the car: roll"),
        sa.Column("front_wheels_angle_rad", sa.REAL(), nullable=True, comment="steering angle of the front wheels"),
        sa.Column("centre_of_gravity_height_m", sa.REAL(), nullable=True, comment="above the ground"),
        sa.Column(
            "front_ride_height_m", sa.REAL(), nullable=True, comment="height of the plank's front edge; NULL in 2023"
        ),
        sa.Column(
            "rear_ride_height_m", sa.REAL(), nullable=True, comment="height of the plank's rear edge; NULL in 2023"
        ),
        sa.Column("front_roll_angle_rad", sa.REAL(), nullable=True, comment="of the front suspension; NULL in 2023"),
        sa.Column("rear_roll_angle_rad", sa.REAL(), nullable=True, comment="of the rear suspension; NULL in 2023"),
        sa.Column("chassis_yaw_rad", sa.REAL(), nullable=True, comment="against the direction of motion; NULL in 2023"),
        sa.Column(
            "chassis_pitch_rad", sa.REAL(), nullable=True, comment="against the direction of motion; NULL before 2025"
        ),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.CheckConstraint("distance_bin >= 0", name=op.f("player_trace_bin")),
        sa.PrimaryKeyConstraint(
            "session_uid", "rig", "car_index", "lap_number", "distance_bin", name=op.f("player_trace_pkey")
        ),
        schema="core",
        comment="One row for each lap and 10 m of the player's car, while it is on track and racing; none for a spectator. MotionEx joined with LapData of the same frame; of a bin's samples the newest wins.",
        info={"packets": ("motion_ex", "lap_data")},
        postgresql_with={"fillfactor": "95"},
    )
    op.add_column(
        "lap",
        sa.Column(
            "gap_to_leader_ms",
            sa.Integer(),
            nullable=True,
            comment="at that sample; 0 = leads, NULL = not sent or not to be trusted",
        ),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column(
            "gap_to_ahead_ms",
            sa.Integer(),
            nullable=True,
            comment="to the car one place ahead; NULL likewise, and for who leads",
        ),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column("corner_cutting_warnings", sa.SmallInteger(), nullable=True, comment="in the session so far"),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column("total_warnings", sa.SmallInteger(), nullable=True, comment="in the session so far"),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column("penalties_s", sa.SmallInteger(), nullable=True, comment="added to the car's time so far"),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column("unserved_drive_throughs", sa.SmallInteger(), nullable=True, comment="at that sample"),
        schema="core",
    )
    op.add_column(
        "lap", sa.Column("unserved_stop_gos", sa.SmallInteger(), nullable=True, comment="at that sample"), schema="core"
    )
    op.add_column(
        "lap",
        sa.Column(
            "speed_trap_best_kmh",
            sa.REAL(),
            nullable=True,
            comment="fastest in the session so far; NULL = none yet, or 2023",
        ),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column("speed_trap_best_lap", sa.SmallInteger(), nullable=True, comment="the lap it was driven in"),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column(
            "active_aero_m",
            sa.Integer(),
            nullable=True,
            comment="driven with open wings, in steps of 10 m; NULL before 2026",
        ),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column(
            "overtake_m",
            sa.Integer(),
            nullable=True,
            comment="driven with overtake in use, in steps of 10 m; NULL before 2026",
        ),
        schema="core",
    )
    op.alter_column(
        "lap",
        "overall_frame",
        existing_type=sa.BIGINT(),
        comment="order of the LapData sample that gives the place and the rest",
        existing_comment="order of the LapData sample that gives the position",
        existing_nullable=True,
        schema="core",
    )
    op.create_table_comment(
        "lap",
        "One row for each car and lap, the running one included. Times and validity from SessionHistory, position, gaps and penalties from LapData, tyres, fuel and ERS from CarStatus, the rest from the lap's trace.",
        existing_comment="One row for each car and lap, the running one included. Times and validity from SessionHistory, position from LapData, tyres, fuel and ERS from CarStatus, the rest from the lap's trace.",
        schema="core",
    )
    op.add_column(
        "lap_trace",
        sa.Column(
            "active_aero_mode",
            sa.SmallInteger(),
            nullable=True,
            comment="0 closed (corners), 1 open (straights); NULL = no CarTelemetry2: before 2026",
        ),
        schema="core",
    )
    op.add_column(
        "lap_trace",
        sa.Column("is_active_aero_available", sa.Boolean(), nullable=True, comment="the wings may be opened"),
        schema="core",
    )
    op.add_column(
        "lap_trace",
        sa.Column(
            "active_aero_activation_distance_m",
            sa.Integer(),
            nullable=True,
            comment="to where it becomes available; 0 = it does not",
        ),
        schema="core",
    )
    op.add_column(
        "lap_trace",
        sa.Column("is_overtake_available", sa.Boolean(), nullable=True, comment="overtake may be used"),
        schema="core",
    )
    op.add_column(
        "lap_trace",
        sa.Column("is_overtake_active", sa.Boolean(), nullable=True, comment="overtake is in use"),
        schema="core",
    )
    op.add_column(
        "lap_trace",
        sa.Column(
            "overtake_activation_distance_m",
            sa.Integer(),
            nullable=True,
            comment="to where it becomes available; 0 = it does not",
        ),
        schema="core",
    )
    op.add_column(
        "lap_trace",
        sa.Column(
            "is_2026_regulations", sa.Boolean(), nullable=True, comment="the car has active aero and overtake at all"
        ),
        schema="core",
    )
    op.add_column(
        "lap_trace",
        sa.Column("is_wrong_way", sa.Boolean(), nullable=True, comment="driving against the direction of the track"),
        schema="core",
    )
    op.create_table_comment(
        "lap_trace",
        "One row for each car, lap and 10 m of track, while the car is on track and racing. LapData joined with CarTelemetry, CarStatus and Motion of the same frame, and with CarTelemetry2 where it has one; of a bin's samples the newest that has the first four wins.",
        existing_comment="One row for each car, lap and 10 m of track, while the car is on track and racing. LapData joined with CarTelemetry, CarStatus and Motion of the same frame; of a bin's samples the newest complete one wins.",
        schema="core",
    )


def downgrade() -> None:
    op.create_table_comment(
        "lap_trace",
        "One row for each car, lap and 10 m of track, while the car is on track and racing. LapData joined with CarTelemetry, CarStatus and Motion of the same frame; of a bin's samples the newest complete one wins.",
        existing_comment="One row for each car, lap and 10 m of track, while the car is on track and racing. LapData joined with CarTelemetry, CarStatus and Motion of the same frame, and with CarTelemetry2 where it has one; of a bin's samples the newest that has the first four wins.",
        schema="core",
    )
    op.drop_column("lap_trace", "is_wrong_way", schema="core")
    op.drop_column("lap_trace", "is_2026_regulations", schema="core")
    op.drop_column("lap_trace", "overtake_activation_distance_m", schema="core")
    op.drop_column("lap_trace", "is_overtake_active", schema="core")
    op.drop_column("lap_trace", "is_overtake_available", schema="core")
    op.drop_column("lap_trace", "active_aero_activation_distance_m", schema="core")
    op.drop_column("lap_trace", "is_active_aero_available", schema="core")
    op.drop_column("lap_trace", "active_aero_mode", schema="core")
    op.create_table_comment(
        "lap",
        "One row for each car and lap, the running one included. Times and validity from SessionHistory, position from LapData, tyres, fuel and ERS from CarStatus, the rest from the lap's trace.",
        existing_comment="One row for each car and lap, the running one included. Times and validity from SessionHistory, position, gaps and penalties from LapData, tyres, fuel and ERS from CarStatus, the rest from the lap's trace.",
        schema="core",
    )
    op.alter_column(
        "lap",
        "overall_frame",
        existing_type=sa.BIGINT(),
        comment="order of the LapData sample that gives the position",
        existing_comment="order of the LapData sample that gives the place and the rest",
        existing_nullable=True,
        schema="core",
    )
    op.drop_column("lap", "overtake_m", schema="core")
    op.drop_column("lap", "active_aero_m", schema="core")
    op.drop_column("lap", "speed_trap_best_lap", schema="core")
    op.drop_column("lap", "speed_trap_best_kmh", schema="core")
    op.drop_column("lap", "unserved_stop_gos", schema="core")
    op.drop_column("lap", "unserved_drive_throughs", schema="core")
    op.drop_column("lap", "penalties_s", schema="core")
    op.drop_column("lap", "total_warnings", schema="core")
    op.drop_column("lap", "corner_cutting_warnings", schema="core")
    op.drop_column("lap", "gap_to_ahead_ms", schema="core")
    op.drop_column("lap", "gap_to_leader_ms", schema="core")
    op.drop_table("player_trace", schema="core")
    op.drop_table("pit_sample", schema="core")
    op.drop_table("lap_damage", schema="core")
