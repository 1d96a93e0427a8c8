"""CarSetups (5), CarTelemetry (6), CarStatus (7), CarDamage (10), TyreSets (12), CarTelemetry2 (16): the machine.

Wheel arrays come rear left, rear right, front left, front right. Wear and damage are percentages.
"""

from f1_packets.fields import table
from f1_packets.tables.header import HEADER

SETUP_2023 = table("CarSetupData", 49, """
    front_wing                      u8   m_frontWing
    rear_wing                       u8   m_rearWing
    on_throttle_percent             u8   m_onThrottle
    off_throttle_percent            u8   m_offThrottle
    front_camber_deg                f32  m_frontCamber
    rear_camber_deg                 f32  m_rearCamber
    front_toe_deg                   f32  m_frontToe
    rear_toe_deg                    f32  m_rearToe
    front_suspension                u8   m_frontSuspension
    rear_suspension                 u8   m_rearSuspension
    front_anti_roll_bar             u8   m_frontAntiRollBar
    rear_anti_roll_bar              u8   m_rearAntiRollBar
    front_ride_height               u8   m_frontSuspensionHeight
    rear_ride_height                u8   m_rearSuspensionHeight
    brake_pressure_percent          u8   m_brakePressure
    brake_bias_percent              u8   m_brakeBias
    rear_left_tyre_pressure_psi     f32  m_rearLeftTyrePressure
    rear_right_tyre_pressure_psi    f32  m_rearRightTyrePressure
    front_left_tyre_pressure_psi    f32  m_frontLeftTyrePressure
    front_right_tyre_pressure_psi   f32  m_frontRightTyrePressure
    ballast                         u8   m_ballast
    fuel_load_kg                    f32  m_fuelLoad
""")
SETUP_2024 = SETUP_2023.derive(50, insert={"brake_bias_percent": "engine_braking_percent  u8  m_engineBraking"})
SETUPS_2023 = table("PacketCarSetupData", 1107, """
    header  PacketHeader      m_header
    cars    CarSetupData[22]  m_carSetups
""", HEADER, SETUP_2023)
SETUPS_2024 = SETUPS_2023.derive(
    1133,
    SETUP_2024,
    change="cars  CarSetupData[22]  m_carSetupData",
    insert={"cars": "next_front_wing_value  f32  m_nextFrontWingValue"},
)
SETUPS_2026 = SETUPS_2024.derive(1233, change="cars  CarSetupData[24]  m_carSetupData")

TELEMETRY_2023 = table("CarTelemetryData", 60, """
    speed_kmh                   u16     m_speed
    throttle                    f32     m_throttle
    steer                       f32     m_steer
    brake                       f32     m_brake
    clutch_percent              u8      m_clutch
    gear                        i8      m_gear
    engine_rpm                  u16     m_engineRPM
    drs                         u8      m_drs
    rev_lights_percent          u8      m_revLightsPercent
    rev_lights_bits             u16     m_revLightsBitValue
    brakes_temperature_c        u16[4]  m_brakesTemperature
    tyres_surface_temperature_c u8[4]   m_tyresSurfaceTemperature
    tyres_inner_temperature_c   u8[4]   m_tyresInnerTemperature
    engine_temperature_c        u16     m_engineTemperature
    tyres_pressure_psi          f32[4]  m_tyresPressure
    surface_type                u8[4]   m_surfaceType
""")
TELEMETRY_2026 = TELEMETRY_2023.derive(59, change="engine_temperature_c  u8  m_engineTemperature")
CAR_TELEMETRY_2023 = table("PacketCarTelemetryData", 1352, """
    header                      PacketHeader          m_header
    cars                        CarTelemetryData[22]  m_carTelemetryData
    mfd_panel_index             u8                    m_mfdPanelIndex
    mfd_panel_index_secondary   u8                    m_mfdPanelIndexSecondaryPlayer
    suggested_gear              i8                    m_suggestedGear
""", HEADER, TELEMETRY_2023)
CAR_TELEMETRY_2026 = CAR_TELEMETRY_2023.derive(
    1448, TELEMETRY_2026, change="cars  CarTelemetryData[24]  m_carTelemetryData"
)

# `fuel_remaining_laps` is the margin over the finish in a race and the laps on board elsewhere.
STATUS_2023 = table("CarStatusData", 55, """
    traction_control            u8   m_tractionControl
    anti_lock_brakes            u8   m_antiLockBrakes
    fuel_mix                    u8   m_fuelMix
    front_brake_bias_percent    u8   m_frontBrakeBias
    pit_limiter_status          u8   m_pitLimiterStatus
    fuel_in_tank_kg             f32  m_fuelInTank
    fuel_capacity_kg            f32  m_fuelCapacity
    fuel_remaining_laps         f32  m_fuelRemainingLaps
    max_rpm                     u16  m_maxRPM
    idle_rpm                    u16  m_idleRPM
    max_gears                   u8   m_maxGears
    drs_allowed                 u8   m_drsAllowed
    drs_activation_distance_m   u16  m_drsActivationDistance
    actual_tyre_compound        u8   m_actualTyreCompound
    visual_tyre_compound        u8   m_visualTyreCompound
    tyres_age_laps              u8   m_tyresAgeLaps
    vehicle_fia_flags           i8   m_vehicleFiaFlags
    engine_power_ice_w          f32  m_enginePowerICE
    engine_power_mguk_w         f32  m_enginePowerMGUK
    ers_store_j                 f32  m_ersStoreEnergy
    ers_deploy_mode             u8   m_ersDeployMode
    ers_harvested_mguk_j        f32  m_ersHarvestedThisLapMGUK
    ers_harvested_mguh_j        f32  m_ersHarvestedThisLapMGUH
    ers_deployed_j              f32  m_ersDeployedThisLap
    network_paused              u8   m_networkPaused
""")
STATUS_2024 = STATUS_2023.derive(55, change="vehicle_fia_flags  i8  m_vehicleFIAFlags")
STATUS_2026 = STATUS_2024.derive(59, insert={"ers_harvested_mguh_j": "ers_harvest_limit_j  f32  m_ersHarvestLimitPerLap"})
CAR_STATUS_2023 = table("PacketCarStatusData", 1239, """
    header  PacketHeader       m_header
    cars    CarStatusData[22]  m_carStatusData
""", HEADER, STATUS_2023)
CAR_STATUS_2024 = CAR_STATUS_2023.derive(1239, STATUS_2024)
CAR_STATUS_2026 = CAR_STATUS_2024.derive(1445, STATUS_2026, change="cars  CarStatusData[24]  m_carStatusData")

DAMAGE_2023 = table("CarDamageData", 42, """
    tyres_wear_percent         f32[4]  m_tyresWear
    tyres_damage_percent       u8[4]   m_tyresDamage
    brakes_damage_percent      u8[4]   m_brakesDamage
    front_left_wing_damage     u8      m_frontLeftWingDamage
    front_right_wing_damage    u8      m_frontRightWingDamage
    rear_wing_damage           u8      m_rearWingDamage
    floor_damage               u8      m_floorDamage
    diffuser_damage            u8      m_diffuserDamage
    sidepod_damage             u8      m_sidepodDamage
    drs_fault                  u8      m_drsFault
    ers_fault                  u8      m_ersFault
    gearbox_damage             u8      m_gearBoxDamage
    engine_damage              u8      m_engineDamage
    engine_mguh_wear           u8      m_engineMGUHWear
    engine_es_wear             u8      m_engineESWear
    engine_ce_wear             u8      m_engineCEWear
    engine_ice_wear            u8      m_engineICEWear
    engine_mguk_wear           u8      m_engineMGUKWear
    engine_tc_wear             u8      m_engineTCWear
    engine_blown               u8      m_engineBlown
    engine_seized              u8      m_engineSeized
""")
DAMAGE_2025 = DAMAGE_2023.derive(46, insert={"brakes_damage_percent": "tyre_blisters_percent  u8[4]  m_tyreBlisters"})
CAR_DAMAGE_2023 = table("PacketCarDamageData", 953, """
    header  PacketHeader       m_header
    cars    CarDamageData[22]  m_carDamageData
""", HEADER, DAMAGE_2023)
CAR_DAMAGE_2025 = CAR_DAMAGE_2023.derive(1041, DAMAGE_2025)
CAR_DAMAGE_2026 = CAR_DAMAGE_2025.derive(1133, change="cars  CarDamageData[24]  m_carDamageData")

TYRE_SET = table("TyreSetData", 10, """
    actual_tyre_compound  u8   m_actualTyreCompound
    visual_tyre_compound  u8   m_visualTyreCompound
    wear_percent          u8   m_wear
    available             u8   m_available
    recommended_session   u8   m_recommendedSession
    life_span_laps        u8   m_lifeSpan
    usable_life_laps      u8   m_usableLife
    lap_delta_time_ms     i16  m_lapDeltaTime
    fitted                u8   m_fitted
""")
TYRE_SETS_2023 = table("PacketTyreSetsData", 231, """
    header      PacketHeader     m_header
    car_index   u8               m_carIdx
    tyre_sets   TyreSetData[20]  m_tyreSetData
    fitted_index u8              m_fittedIdx
""", HEADER, TYRE_SET)

TELEMETRY2_2026 = table("CarTelemetry2Data", 10, """
    active_aero_mode                   u8   m_activeAeroMode
    active_aero_available              u8   m_activeAeroAvailable
    active_aero_activation_distance_m  u16  m_activeAeroActivationDistance
    overtake_available                 u8   m_overtakeAvailable
    overtake_active                    u8   m_overtakeActive
    overtake_activation_distance_m     u16  m_overtakeActivationDistance
    has_2026_regulations               u8   m_2026Regulations
    driving_wrong_way                  u8   m_drivingWrongWay
""")
CAR_TELEMETRY_2_2026 = table("PacketCarTelemetry2Data", 269, """
    header  PacketHeader           m_header
    cars    CarTelemetry2Data[24]  m_carTelemetry2Data
""", HEADER, TELEMETRY2_2026)

CAR_SETUPS = {2023: SETUPS_2023, 2024: SETUPS_2024, 2025: SETUPS_2024, 2026: SETUPS_2026}
CAR_TELEMETRY = {
    2023: CAR_TELEMETRY_2023,
    2024: CAR_TELEMETRY_2023,
    2025: CAR_TELEMETRY_2023,
    2026: CAR_TELEMETRY_2026,
}
CAR_STATUS = {2023: CAR_STATUS_2023, 2024: CAR_STATUS_2024, 2025: CAR_STATUS_2024, 2026: CAR_STATUS_2026}
CAR_DAMAGE = {2023: CAR_DAMAGE_2023, 2024: CAR_DAMAGE_2023, 2025: CAR_DAMAGE_2025, 2026: CAR_DAMAGE_2026}
TYRE_SETS = dict.fromkeys((2023, 2024, 2025, 2026), TYRE_SETS_2023)
CAR_TELEMETRY_2 = {2026: CAR_TELEMETRY_2_2026}
