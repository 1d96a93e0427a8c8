"""Motion (0): where every car is; MotionEx (13): the physics of the player's car.

Wheel arrays come rear left, rear right, front left, front right. Directions are unit vectors times 32767.
"""

from f1_packets.fields import table
from f1_packets.tables.header import HEADER

CAR_2023 = table("CarMotionData", 60, """
    world_position_x_m      f32  m_worldPositionX
    world_position_y_m      f32  m_worldPositionY
    world_position_z_m      f32  m_worldPositionZ
    world_velocity_x_mps    f32  m_worldVelocityX
    world_velocity_y_mps    f32  m_worldVelocityY
    world_velocity_z_mps    f32  m_worldVelocityZ
    world_forward_x         i16  m_worldForwardDirX
    world_forward_y         i16  m_worldForwardDirY
    world_forward_z         i16  m_worldForwardDirZ
    world_right_x           i16  m_worldRightDirX
    world_right_y           i16  m_worldRightDirY
    world_right_z           i16  m_worldRightDirZ
    g_force_lateral         f32  m_gForceLateral
    g_force_longitudinal    f32  m_gForceLongitudinal
    g_force_vertical        f32  m_gForceVertical
    yaw_rad                 f32  m_yaw
    pitch_rad               f32  m_pitch
    roll_rad                f32  m_roll
""")
# Since 2026 the g-forces are quantised; the scale is not published, so the raw integers keep the names.
CAR_2026 = CAR_2023.derive(54, change="""
    g_force_lateral         i16  m_gForceLateral
    g_force_longitudinal    i16  m_gForceLongitudinal
    g_force_vertical        i16  m_gForceVertical
""")

MOTION_2023 = table("PacketMotionData", 1349, """
    header  PacketHeader       m_header
    cars    CarMotionData[22]  m_carMotionData
""", HEADER, CAR_2023)
MOTION_2026 = MOTION_2023.derive(1325, CAR_2026, change="cars  CarMotionData[24]  m_carMotionData")

MOTION_EX_2023 = table("PacketMotionExData", 217, """
    header                       PacketHeader  m_header
    suspension_position_mm       f32[4]        m_suspensionPosition
    suspension_velocity_mmps     f32[4]        m_suspensionVelocity
    suspension_acceleration      f32[4]        m_suspensionAcceleration
    wheel_speed_mps              f32[4]        m_wheelSpeed
    wheel_slip_ratio             f32[4]        m_wheelSlipRatio
    wheel_slip_angle_rad         f32[4]        m_wheelSlipAngle
    wheel_lateral_force          f32[4]        m_wheelLatForce
    wheel_longitudinal_force     f32[4]        m_wheelLongForce
    centre_of_gravity_height_m   f32           m_heightOfCOGAboveGround
    local_velocity_x_mps         f32           m_localVelocityX
    local_velocity_y_mps         f32           m_localVelocityY
    local_velocity_z_mps         f32           m_localVelocityZ
    angular_velocity_x_radps     f32           m_angularVelocityX
    angular_velocity_y_radps     f32           m_angularVelocityY
    angular_velocity_z_radps     f32           m_angularVelocityZ
    angular_acceleration_x       f32           m_angularAccelerationX
    angular_acceleration_y       f32           m_angularAccelerationY
    angular_acceleration_z       f32           m_angularAccelerationZ
    front_wheels_angle_rad       f32           m_frontWheelsAngle
    wheel_vertical_force         f32[4]        m_wheelVertForce
""", HEADER)
MOTION_EX_2024 = MOTION_EX_2023.derive(237, insert={"wheel_vertical_force": """
    front_aero_height_m          f32           m_frontAeroHeight
    rear_aero_height_m           f32           m_rearAeroHeight
    front_roll_angle_rad         f32           m_frontRollAngle
    rear_roll_angle_rad          f32           m_rearRollAngle
    chassis_yaw_rad              f32           m_chassisYaw
"""})
MOTION_EX_2025 = MOTION_EX_2024.derive(273, insert={"chassis_yaw_rad": """
    chassis_pitch_rad            f32           m_chassisPitch
    wheel_camber_rad             f32[4]        m_wheelCamber
    wheel_camber_gain_rad        f32[4]        m_wheelCamberGain
"""})

MOTION = {2023: MOTION_2023, 2024: MOTION_2023, 2025: MOTION_2023, 2026: MOTION_2026}
MOTION_EX = {2023: MOTION_EX_2023, 2024: MOTION_EX_2024, 2025: MOTION_EX_2025, 2026: MOTION_EX_2025}
