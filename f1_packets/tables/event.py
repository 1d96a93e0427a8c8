"""Event (3): a four-letter code and a union whose members depend on it.

Behind the members of its code a packet holds uninitialised memory: read only what `EVENTS[format][code]` lists.
"""

from f1_packets.fields import Table, table
from f1_packets.tables.header import HEADER

EVENT_2023 = table("PacketEventData", 45, """
    header   PacketHeader  m_header
    code     u8[4]         m_eventStringCode
    details  u8[12]        m_eventDetails
""", HEADER)
EVENT = dict.fromkeys((2023, 2024, 2025, 2026), EVENT_2023)


def _members(size: int, text: str) -> Table:
    return table("EventDataDetails", size, text)


NOTHING = _members(0, "")
VEHICLE = _members(1, "car_index  u8  vehicleIdx")
VEHICLE_AND_REASON = _members(2, """
    car_index  u8  vehicleIdx
    reason     u8  reason
""")

EVENTS_2023: dict[str, Table] = {
    "SSTA": NOTHING,  # session started
    "SEND": NOTHING,  # session ended
    "FTLP": _members(5, """
        car_index   u8   vehicleIdx
        lap_time_s  f32  lapTime
    """),
    "RTMT": VEHICLE,
    "DRSE": NOTHING,
    "DRSD": NOTHING,
    "TMPT": VEHICLE,  # team mate in the pits
    "CHQF": NOTHING,
    "RCWN": VEHICLE,
    "PENA": _members(7, """
        penalty_type       u8  penaltyType
        infringement_type  u8  infringementType
        car_index          u8  vehicleIdx
        other_car_index    u8  otherVehicleIdx
        time_s             u8  time
        lap_num            u8  lapNum
        places_gained      u8  placesGained
    """),
    "SPTP": _members(12, """
        car_index                 u8   vehicleIdx
        speed_kmh                 f32  speed
        is_overall_fastest        u8   isOverallFastestInSession
        is_driver_fastest         u8   isDriverFastestInSession
        fastest_car_index         u8   fastestVehicleIdxInSession
        fastest_speed_kmh         f32  fastestSpeedInSession
    """),
    "STLG": _members(1, "num_lights  u8  numLights"),
    "LGOT": NOTHING,
    "DTSV": VEHICLE,  # drive-through served
    "SGSV": VEHICLE,  # stop-go served
    "FLBK": _members(8, """
        flashback_frame_identifier  u32  flashbackFrameIdentifier
        flashback_session_time_s    f32  flashbackSessionTime
    """),
    "BUTN": _members(4, "buttons  u32  buttonStatus"),
    "RDFL": NOTHING,
    "OVTK": _members(2, """
        car_index        u8  overtakingVehicleIdx
        other_car_index  u8  beingOvertakenVehicleIdx
    """),
}
EVENTS_2024 = EVENTS_2023 | {
    "SCAR": _members(2, """
        safety_car_type  u8  safetyCarType
        event_type       u8  eventType
    """),
    "COLL": _members(2, """
        car_index        u8  vehicle1Idx
        other_car_index  u8  vehicle2Idx
    """),
}
EVENTS_2025 = EVENTS_2024 | {
    "RTMT": VEHICLE_AND_REASON,
    "DRSD": _members(1, "reason  u8  reason"),
    "SGSV": _members(5, """
        car_index    u8   vehicleIdx
        stop_time_s  f32  stopTime
    """),
}
EVENTS_2026 = EVENTS_2025 | {
    "COLL": _members(3, """
        car_index        u8  vehicle1Idx
        other_car_index  u8  vehicle2Idx
        severity         u8  severity
    """),
}
EVENTS = {2023: EVENTS_2023, 2024: EVENTS_2024, 2025: EVENTS_2025, 2026: EVENTS_2026}
