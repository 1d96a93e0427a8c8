"""Participants (4), LobbyInfo (9) and FinalClassification (8): who drives, and how it ended."""

from f1_packets.fields import table
from f1_packets.tables.header import HEADER

PARTICIPANT_2023 = table("ParticipantData", 58, """
    ai_controlled      u8        m_aiControlled
    driver_id          u8        m_driverId
    network_id         u8        m_networkId
    team_id            u8        m_teamId
    my_team            u8        m_myTeam
    race_number        u8        m_raceNumber
    nationality        u8        m_nationality
    name               char[48]  m_name
    your_telemetry     u8        m_yourTelemetry
    show_online_names  u8        m_showOnlineNames
    platform           u8        m_platform
""")
PARTICIPANT_2024 = PARTICIPANT_2023.derive(60, insert={"show_online_names": "tech_level  u16  m_techLevel"})
LIVERY_COLOUR = table("LiveryColour", 3, """
    red    u8  red
    green  u8  green
    blue   u8  blue
""")
PARTICIPANT_2025 = PARTICIPANT_2024.derive(57, LIVERY_COLOUR, change="name  char[32]  m_name", insert={"platform": """
    num_colours        u8               m_numColours
    livery_colours     LiveryColour[4]  m_liveryColours
"""})
PARTICIPANT_2026 = PARTICIPANT_2025.derive(60, change="""
    driver_id   u16  m_driverId
    network_id  u16  m_networkId
    team_id     u16  m_teamId
""")

PARTICIPANTS_2023 = table("PacketParticipantsData", 1306, """
    header           PacketHeader         m_header
    num_active_cars  u8                   m_numActiveCars
    cars             ParticipantData[22]  m_participants
""", HEADER, PARTICIPANT_2023)
PARTICIPANTS_2024 = PARTICIPANTS_2023.derive(1350, PARTICIPANT_2024)
PARTICIPANTS_2025 = PARTICIPANTS_2024.derive(1284, PARTICIPANT_2025)
PARTICIPANTS_2026 = PARTICIPANTS_2025.derive(1470, PARTICIPANT_2026, change="cars  ParticipantData[24]  m_participants")

LOBBY_PLAYER_2023 = table("LobbyInfoData", 54, """
    ai_controlled  u8        m_aiControlled
    team_id        u8        m_teamId
    nationality    u8        m_nationality
    platform       u8        m_platform
    name           char[48]  m_name
    car_number     u8        m_carNumber
    ready_status   u8        m_readyStatus
""")
LOBBY_PLAYER_2024 = LOBBY_PLAYER_2023.derive(58, insert={"car_number": """
    your_telemetry     u8   m_yourTelemetry
    show_online_names  u8   m_showOnlineNames
    tech_level         u16  m_techLevel
"""})
LOBBY_PLAYER_2025 = LOBBY_PLAYER_2024.derive(42, change="name  char[32]  m_name")
LOBBY_PLAYER_2026 = LOBBY_PLAYER_2025.derive(43, change="team_id  u16  m_teamId")

LOBBY_2023 = table("PacketLobbyInfoData", 1218, """
    header       PacketHeader       m_header
    num_players  u8                 m_numPlayers
    cars         LobbyInfoData[22]  m_lobbyPlayers
""", HEADER, LOBBY_PLAYER_2023)
LOBBY_2024 = LOBBY_2023.derive(1306, LOBBY_PLAYER_2024)
LOBBY_2025 = LOBBY_2024.derive(954, LOBBY_PLAYER_2025)
LOBBY_2026 = LOBBY_2025.derive(1062, LOBBY_PLAYER_2026, change="cars  LobbyInfoData[24]  m_lobbyPlayers")

CLASSIFICATION_2023 = table("FinalClassificationData", 45, """
    position              u8     m_position
    num_laps              u8     m_numLaps
    grid_position         u8     m_gridPosition
    points                u8     m_points
    num_pit_stops         u8     m_numPitStops
    result_status         u8     m_resultStatus
    best_lap_time_ms      u32    m_bestLapTimeInMS
    total_race_time_s     f64    m_totalRaceTime
    penalties_time_s      u8     m_penaltiesTime
    num_penalties         u8     m_numPenalties
    num_tyre_stints       u8     m_numTyreStints
    tyre_stints_actual    u8[8]  m_tyreStintsActual
    tyre_stints_visual    u8[8]  m_tyreStintsVisual
    tyre_stints_end_laps  u8[8]  m_tyreStintsEndLaps
""")
CLASSIFICATION_2025 = CLASSIFICATION_2023.derive(46, insert={"result_status": "result_reason  u8  m_resultReason"})
FINAL_2023 = table("PacketFinalClassificationData", 1020, """
    header    PacketHeader                 m_header
    num_cars  u8                           m_numCars
    cars      FinalClassificationData[22]  m_classificationData
""", HEADER, CLASSIFICATION_2023)
FINAL_2025 = FINAL_2023.derive(1042, CLASSIFICATION_2025)
FINAL_2026 = FINAL_2025.derive(1134, change="cars  FinalClassificationData[24]  m_classificationData")

PARTICIPANTS = {2023: PARTICIPANTS_2023, 2024: PARTICIPANTS_2024, 2025: PARTICIPANTS_2025, 2026: PARTICIPANTS_2026}
LOBBY_INFO = {2023: LOBBY_2023, 2024: LOBBY_2024, 2025: LOBBY_2025, 2026: LOBBY_2026}
FINAL_CLASSIFICATION = {2023: FINAL_2023, 2024: FINAL_2023, 2025: FINAL_2025, 2026: FINAL_2026}
