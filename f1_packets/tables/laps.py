"""LapData (2), SessionHistory (11), TimeTrial (14) and LapPositions (15): times, gaps and places.

From 2024 sector times and gaps are split into `…_ms_part` and `…_minutes_part`; 2023 already splits the sector
times, and sends the gaps as milliseconds only. Our names are the same in all formats.
"""

from f1_packets.fields import table
from f1_packets.tables.header import HEADER

LAP_2023 = table("LapData", 50, """
    last_lap_time_ms                   u32  m_lastLapTimeInMS
    current_lap_time_ms                u32  m_currentLapTimeInMS
    sector1_ms_part                    u16  m_sector1TimeInMS
    sector1_minutes_part               u8   m_sector1TimeMinutes
    sector2_ms_part                    u16  m_sector2TimeInMS
    sector2_minutes_part               u8   m_sector2TimeMinutes
    gap_to_car_in_front_ms_part        u16  m_deltaToCarInFrontInMS
    gap_to_leader_ms_part              u16  m_deltaToRaceLeaderInMS
    lap_distance_m                     f32  m_lapDistance
    total_distance_m                   f32  m_totalDistance
    safety_car_delta_s                 f32  m_safetyCarDelta
    car_position                       u8   m_carPosition
    current_lap_num                    u8   m_currentLapNum
    pit_status                         u8   m_pitStatus
    num_pit_stops                      u8   m_numPitStops
    sector                             u8   m_sector
    current_lap_invalid                u8   m_currentLapInvalid
    penalties_s                        u8   m_penalties
    total_warnings                     u8   m_totalWarnings
    corner_cutting_warnings            u8   m_cornerCuttingWarnings
    num_unserved_drive_through_pens    u8   m_numUnservedDriveThroughPens
    num_unserved_stop_go_pens          u8   m_numUnservedStopGoPens
    grid_position                      u8   m_gridPosition
    driver_status                      u8   m_driverStatus
    result_status                      u8   m_resultStatus
    pit_lane_timer_active              u8   m_pitLaneTimerActive
    pit_lane_time_in_lane_ms           u16  m_pitLaneTimeInLaneInMS
    pit_stop_timer_ms                  u16  m_pitStopTimerInMS
    pit_stop_should_serve_penalty      u8   m_pitStopShouldServePen
""")
LAP_2024 = LAP_2023.derive(
    57,
    change="""
    sector1_ms_part                    u16  m_sector1TimeMSPart
    sector1_minutes_part               u8   m_sector1TimeMinutesPart
    sector2_ms_part                    u16  m_sector2TimeMSPart
    sector2_minutes_part               u8   m_sector2TimeMinutesPart
    gap_to_car_in_front_ms_part        u16  m_deltaToCarInFrontMSPart
    gap_to_leader_ms_part              u16  m_deltaToRaceLeaderMSPart
""",
    insert={
        "gap_to_car_in_front_ms_part": "gap_to_car_in_front_minutes_part  u8  m_deltaToCarInFrontMinutesPart",
        "gap_to_leader_ms_part": "gap_to_leader_minutes_part  u8  m_deltaToRaceLeaderMinutesPart",
        "pit_stop_should_serve_penalty": """
    speed_trap_fastest_speed_kmh       f32  m_speedTrapFastestSpeed
    speed_trap_fastest_lap             u8   m_speedTrapFastestLap
""",
    },
)

LAP_DATA_2023 = table("PacketLapData", 1131, """
    header                     PacketHeader  m_header
    cars                       LapData[22]   m_lapData
    time_trial_pb_car_index    u8            m_timeTrialPBCarIdx
    time_trial_rival_car_index u8            m_timeTrialRivalCarIdx
""", HEADER, LAP_2023)
LAP_DATA_2024 = LAP_DATA_2023.derive(1285, LAP_2024)
LAP_DATA_2026 = LAP_DATA_2024.derive(1399, change="cars  LapData[24]  m_lapData")

# The 2023 text calls the minutes of sector 2 `m_sector1TimeMinutes`, as it does those of sector 1: a slip of theirs.
HISTORY_LAP_2023 = table("LapHistoryData", 14, """
    lap_time_ms           u32  m_lapTimeInMS
    sector1_ms_part       u16  m_sector1TimeInMS
    sector1_minutes_part  u8   m_sector1TimeMinutes
    sector2_ms_part       u16  m_sector2TimeInMS
    sector2_minutes_part  u8   m_sector1TimeMinutes
    sector3_ms_part       u16  m_sector3TimeInMS
    sector3_minutes_part  u8   m_sector3TimeMinutes
    valid_flags           u8   m_lapValidBitFlags
""")
HISTORY_LAP_2024 = HISTORY_LAP_2023.derive(14, change="""
    sector1_ms_part       u16  m_sector1TimeMSPart
    sector1_minutes_part  u8   m_sector1TimeMinutesPart
    sector2_ms_part       u16  m_sector2TimeMSPart
    sector2_minutes_part  u8   m_sector2TimeMinutesPart
    sector3_ms_part       u16  m_sector3TimeMSPart
    sector3_minutes_part  u8   m_sector3TimeMinutesPart
""")
HISTORY_STINT = table("TyreStintHistoryData", 3, """
    end_lap                u8  m_endLap
    actual_tyre_compound   u8  m_tyreActualCompound
    visual_tyre_compound   u8  m_tyreVisualCompound
""")
HISTORY_2023 = table("PacketSessionHistoryData", 1460, """
    header                 PacketHeader             m_header
    car_index              u8                       m_carIdx
    num_laps               u8                       m_numLaps
    num_tyre_stints        u8                       m_numTyreStints
    best_lap_time_lap_num  u8                       m_bestLapTimeLapNum
    best_sector1_lap_num   u8                       m_bestSector1LapNum
    best_sector2_lap_num   u8                       m_bestSector2LapNum
    best_sector3_lap_num   u8                       m_bestSector3LapNum
    laps                   LapHistoryData[100]      m_lapHistoryData
    tyre_stints            TyreStintHistoryData[8]  m_tyreStintsHistoryData
""", HEADER, HISTORY_LAP_2023, HISTORY_STINT)
HISTORY_2024 = HISTORY_2023.derive(1460, HISTORY_LAP_2024)

TIME_TRIAL_SET_2024 = table("TimeTrialDataSet", 24, """
    car_index              u8   m_carIdx
    team_id                u8   m_teamId
    lap_time_ms            u32  m_lapTimeInMS
    sector1_ms             u32  m_sector1TimeInMS
    sector2_ms             u32  m_sector2TimeInMS
    sector3_ms             u32  m_sector3TimeInMS
    traction_control       u8   m_tractionControl
    gearbox_assist         u8   m_gearboxAssist
    anti_lock_brakes       u8   m_antiLockBrakes
    equal_car_performance  u8   m_equalCarPerformance
    custom_setup           u8   m_customSetup
    valid                  u8   m_valid
""")
TIME_TRIAL_SET_2026 = TIME_TRIAL_SET_2024.derive(25, change="team_id  u16  m_teamId")
TIME_TRIAL_2024 = table("PacketTimeTrialData", 101, """
    header               PacketHeader      m_header
    player_session_best  TimeTrialDataSet  m_playerSessionBestDataSet
    personal_best        TimeTrialDataSet  m_personalBestDataSet
    rival                TimeTrialDataSet  m_rivalDataSet
""", HEADER, TIME_TRIAL_SET_2024)
TIME_TRIAL_2026 = TIME_TRIAL_2024.derive(104, TIME_TRIAL_SET_2026)

# positions[lap][car], 0 = no record; `lap_start` is the index of the first lap in the packet.
LAP_POSITIONS_2025 = table("PacketLapPositionsData", 1131, """
    header     PacketHeader  m_header
    num_laps   u8            m_numLaps
    lap_start  u8            m_lapStart
    positions  u8[50,22]     m_positionForVehicleIdx
""", HEADER)
LAP_POSITIONS_2026 = LAP_POSITIONS_2025.derive(1231, change="positions  u8[50,24]  m_positionForVehicleIdx")

LAP_DATA = {2023: LAP_DATA_2023, 2024: LAP_DATA_2024, 2025: LAP_DATA_2024, 2026: LAP_DATA_2026}
SESSION_HISTORY = {2023: HISTORY_2023, 2024: HISTORY_2024, 2025: HISTORY_2024, 2026: HISTORY_2024}
TIME_TRIAL = {2024: TIME_TRIAL_2024, 2025: TIME_TRIAL_2024, 2026: TIME_TRIAL_2026}
LAP_POSITIONS = {2025: LAP_POSITIONS_2025, 2026: LAP_POSITIONS_2026}
