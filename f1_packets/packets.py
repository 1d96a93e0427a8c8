"""Every packet of every format, found by (format, packet ID)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from f1_packets.fields import Table
from f1_packets.tables import car, drivers, event, laps, motion, session

FORMATS = (2023, 2024, 2025, 2026)

_BY_ID: Mapping[int, tuple[str, Mapping[int, Table]]] = {
    0: ("motion", motion.MOTION),
    1: ("session", session.SESSION),
    2: ("lap_data", laps.LAP_DATA),
    3: ("event", event.EVENT),
    4: ("participants", drivers.PARTICIPANTS),
    5: ("car_setups", car.CAR_SETUPS),
    6: ("car_telemetry", car.CAR_TELEMETRY),
    7: ("car_status", car.CAR_STATUS),
    8: ("final_classification", drivers.FINAL_CLASSIFICATION),
    9: ("lobby_info", drivers.LOBBY_INFO),
    10: ("car_damage", car.CAR_DAMAGE),
    11: ("session_history", laps.SESSION_HISTORY),
    12: ("tyre_sets", car.TYRE_SETS),
    13: ("motion_ex", motion.MOTION_EX),
    14: ("time_trial", laps.TIME_TRIAL),
    15: ("lap_positions", laps.LAP_POSITIONS),
    16: ("car_telemetry_2", car.CAR_TELEMETRY_2),
}


@dataclass(frozen=True)
class Packet:
    """One kind of datagram: `table` says what lies where in its `size` bytes."""

    format: int
    id: int
    name: str
    table: Table

    @property
    def size(self) -> int:
        return self.table.size

    @property
    def dtype(self) -> np.dtype:
        return self.table.dtype

    @property
    def num_cars(self) -> int:
        """Length of the `cars` array, 0 for packets without one."""
        return next((f.dims[0] for f in self.table.fields if f.name == "cars"), 0)


PACKET_NAMES: dict[int, str] = {packet_id: name for packet_id, (name, _) in _BY_ID.items()}
PACKET_IDS: dict[str, int] = {name: packet_id for packet_id, name in PACKET_NAMES.items()}
PACKETS: dict[tuple[int, int], Packet] = {
    (year, packet_id): Packet(year, packet_id, name, tables[year])
    for packet_id, (name, tables) in _BY_ID.items()
    for year in FORMATS
    if year in tables
}
