"""Session (1): track, weather, rules and the state of the whole session."""

from f1_packets.fields import table
from f1_packets.tables.header import HEADER

MARSHAL_ZONE = table("MarshalZone", 5, """
    start_fraction  f32  m_zoneStart
    flag            i8   m_zoneFlag
""")
ACTIVE_AERO_ZONE = table("ActiveAeroZone", 8, """
    start_fraction  f32  m_zoneStart
    end_fraction    f32  m_zoneEnd
""")
DRS_ZONE = table("DRSZone", 8, """
    start_fraction  f32  m_zoneStart
    end_fraction    f32  m_zoneEnd
""")
FORECAST = table("WeatherForecastSample", 8, """
    session_type              u8  m_sessionType
    time_offset_min           u8  m_timeOffset
    weather                   u8  m_weather
    track_temperature_c       i8  m_trackTemperature
    track_temperature_change  i8  m_trackTemperatureChange
    air_temperature_c         i8  m_airTemperature
    air_temperature_change    i8  m_airTemperatureChange
    rain_percent              u8  m_rainPercentage
""")

SESSION_2023 = table("PacketSessionData", 644, """
    header                              PacketHeader               m_header
    weather                             u8                         m_weather
    track_temperature_c                 i8                         m_trackTemperature
    air_temperature_c                   i8                         m_airTemperature
    total_laps                          u8                         m_totalLaps
    track_length_m                      u16                        m_trackLength
    session_type                        u8                         m_sessionType
    track_id                            i8                         m_trackId
    formula                             u8                         m_formula
    session_time_left_s                 u16                        m_sessionTimeLeft
    session_duration_s                  u16                        m_sessionDuration
    pit_speed_limit_kmh                 u8                         m_pitSpeedLimit
    game_paused                         u8                         m_gamePaused
    is_spectating                       u8                         m_isSpectating
    spectator_car_index                 u8                         m_spectatorCarIndex
    sli_pro_native_support              u8                         m_sliProNativeSupport
    num_marshal_zones                   u8                         m_numMarshalZones
    marshal_zones                       MarshalZone[21]            m_marshalZones
    safety_car_status                   u8                         m_safetyCarStatus
    network_game                        u8                         m_networkGame
    num_weather_forecast_samples        u8                         m_numWeatherForecastSamples
    weather_forecast_samples            WeatherForecastSample[56]  m_weatherForecastSamples
    forecast_accuracy                   u8                         m_forecastAccuracy
    ai_difficulty                       u8                         m_aiDifficulty
    season_link                         u32                        m_seasonLinkIdentifier
    weekend_link                        u32                        m_weekendLinkIdentifier
    session_link                        u32                        m_sessionLinkIdentifier
    pit_stop_window_ideal_lap           u8                         m_pitStopWindowIdealLap
    pit_stop_window_latest_lap          u8                         m_pitStopWindowLatestLap
    pit_stop_rejoin_position            u8                         m_pitStopRejoinPosition
    steering_assist                     u8                         m_steeringAssist
    braking_assist                      u8                         m_brakingAssist
    gearbox_assist                      u8                         m_gearboxAssist
    pit_assist                          u8                         m_pitAssist
    pit_release_assist                  u8                         m_pitReleaseAssist
    ers_assist                          u8                         m_ERSAssist
    drs_assist                          u8                         m_DRSAssist
    dynamic_racing_line                 u8                         m_dynamicRacingLine
    dynamic_racing_line_type            u8                         m_dynamicRacingLineType
    game_mode                           u8                         m_gameMode
    rule_set                            u8                         m_ruleSet
    time_of_day_min                     u32                        m_timeOfDay
    session_length                      u8                         m_sessionLength
    speed_units_lead_player             u8                         m_speedUnitsLeadPlayer
    temperature_units_lead_player       u8                         m_temperatureUnitsLeadPlayer
    speed_units_secondary_player        u8                         m_speedUnitsSecondaryPlayer
    temperature_units_secondary_player  u8                         m_temperatureUnitsSecondaryPlayer
    num_safety_car_periods              u8                         m_numSafetyCarPeriods
    num_virtual_safety_car_periods      u8                         m_numVirtualSafetyCarPeriods
    num_red_flag_periods                u8                         m_numRedFlagPeriods
""", HEADER, MARSHAL_ZONE, FORECAST)

SESSION_2024 = SESSION_2023.derive(
    753,
    change="weather_forecast_samples  WeatherForecastSample[64]  m_weatherForecastSamples",
    insert={"num_red_flag_periods": """
    equal_car_performance               u8      m_equalCarPerformance
    recovery_mode                       u8      m_recoveryMode
    flashback_limit                     u8      m_flashbackLimit
    surface_type                        u8      m_surfaceType
    low_fuel_mode                       u8      m_lowFuelMode
    race_starts                         u8      m_raceStarts
    tyre_temperature                    u8      m_tyreTemperature
    pit_lane_tyre_sim                   u8      m_pitLaneTyreSim
    car_damage                          u8      m_carDamage
    car_damage_rate                     u8      m_carDamageRate
    collisions                          u8      m_collisions
    collisions_off_for_first_lap_only   u8      m_collisionsOffForFirstLapOnly
    mp_unsafe_pit_release               u8      m_mpUnsafePitRelease
    mp_off_for_griefing                 u8      m_mpOffForGriefing
    corner_cutting_stringency           u8      m_cornerCuttingStringency
    parc_ferme_rules                    u8      m_parcFermeRules
    pit_stop_experience                 u8      m_pitStopExperience
    safety_car                          u8      m_safetyCar
    safety_car_experience               u8      m_safetyCarExperience
    formation_lap                       u8      m_formationLap
    formation_lap_experience            u8      m_formationLapExperience
    red_flags                           u8      m_redFlags
    affects_licence_level_solo          u8      m_affectsLicenceLevelSolo
    affects_licence_level_mp            u8      m_affectsLicenceLevelMP
    num_sessions_in_weekend             u8      m_numSessionsInWeekend
    weekend_structure                   u8[12]  m_weekendStructure
    sector2_start_m                     f32     m_sector2LapDistanceStart
    sector3_start_m                     f32     m_sector3LapDistanceStart
"""})

SESSION_2026 = SESSION_2024.derive(926, ACTIVE_AERO_ZONE, DRS_ZONE, insert={"sector3_start_m": """
    active_aero_track_status            u8                 m_activeAeroTrackStatus
    num_active_aero_zones_full          u8                 m_numActiveAeroZonesFull
    active_aero_zones_full              ActiveAeroZone[8]  m_activeAeroZonesFull
    num_active_aero_zones_partial       u8                 m_numActiveAeroZonesPartial
    active_aero_zones_partial           ActiveAeroZone[8]  m_activeAeroZonesPartial
    num_drs_zones                       u8                 m_numDRSZones
    drs_zones                           DRSZone[4]         m_drsZones
    start_reaction_time_s               f32                m_startReactionTime
    anti_lock_brakes_assist             u8                 m_antiLockBrakesAssist
    traction_control_assist             u8                 m_tractionControlAssist
    dynamic_racing_line_hi_vis          u8                 m_dynamicRacingLineHiVis
    dynamic_racing_line_colour_blind    u8                 m_dynamicRacingLineColourBlind
    recurring_rewind_prompt             u8                 m_recurringRewindPrompt
"""})

SESSION = {2023: SESSION_2023, 2024: SESSION_2024, 2025: SESSION_2024, 2026: SESSION_2026}
