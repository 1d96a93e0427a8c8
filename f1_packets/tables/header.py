"""The 29 bytes in front of every packet, the same in all four formats."""

from f1_packets.fields import table

HEADER = table("PacketHeader", 29, """
    packet_format               u16  m_packetFormat
    game_year                   u8   m_gameYear
    game_major_version          u8   m_gameMajorVersion
    game_minor_version          u8   m_gameMinorVersion
    packet_version              u8   m_packetVersion
    packet_id                   u8   m_packetId
    session_uid                 u64  m_sessionUID
    session_time_s              f32  m_sessionTime
    frame_identifier            u32  m_frameIdentifier
    overall_frame_identifier    u32  m_overallFrameIdentifier
    player_car_index            u8   m_playerCarIndex
    secondary_player_car_index  u8   m_secondaryPlayerCarIndex
""")
