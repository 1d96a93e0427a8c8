"""Packets made by hand from the published offsets, of formats 2025 and 2026: zeros but for what a test sets."""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

from spark.jobs.blocks import Block
from spark.jobs.micro_batch import Reduced, reduce
from tests.blocks import blocks

UID = 0x85DB0A0F77EC492A
SIGNED_UID = -8801429985212741334
HEADER = struct.Struct("<HBBBBBQfIIBB")
HEADER_BYTES = 29
SIZES = {
    2025: {0: 1349, 2: 1285, 3: 45, 6: 1352, 7: 1239, 10: 1041, 13: 273},
    2026: {0: 1325, 2: 1399, 6: 1448, 7: 1445, 10: 1133, 13: 273, 16: 269},
}
CAR_BYTES = {2025: {0: 60, 2: 57, 6: 60, 7: 55, 10: 46}, 2026: {0: 54, 2: 57, 6: 59, 7: 59, 10: 46, 16: 10}}
LAP_DATA = {
    "current_lap_ms": (4, "I"), "gap_ahead_ms": (14, "H"), "gap_ahead_min": (16, "B"), "gap_leader_ms": (17, "H"),
    "gap_leader_min": (19, "B"), "distance": (20, "f"), "total_distance": (24, "f"), "position": (32, "B"),
    "lap": (33, "B"), "pit_status": (34, "B"), "pit_stops": (35, "B"), "penalties_s": (38, "B"), "warnings": (39, "B"),
    "corner_cutting": (40, "B"), "drive_throughs": (41, "B"), "stop_gos": (42, "B"), "driver_status": (44, "B"),
    "result_status": (45, "B"), "timer_active": (46, "B"), "lane_ms": (47, "H"), "stop_ms": (49, "H"),
    "serves_penalty": (51, "B"), "trap_kmh": (52, "f"), "trap_lap": (56, "B"),
}  # fmt: skip
ON_TRACK = {"position": 1, "lap": 2, "driver_status": 4, "result_status": 2}


def packet(
    packet_id: int, frame: int, *, time_s: float = 9.0, year: int = 2025, player: int = 3, uid: int = UID
) -> bytearray:
    raw = bytearray(SIZES[year][packet_id])
    HEADER.pack_into(raw, 0, year, 25, 1, 0, 1, packet_id, uid, time_s, frame, frame, player, 255)
    return raw


def at(packet_id: int, car: int, year: int) -> int:
    """Where a car's part of a packet begins."""
    return HEADER_BYTES + car * CAR_BYTES[year][packet_id]


def lap_data(frame: int, cars: Mapping[int, Mapping[str, Any]] | None = None, **header: Any) -> bytes:
    """Cars by index with the members of LAP_DATA that are not those of ON_TRACK; car 3 at 1234.5 m if none is given."""
    raw = packet(2, frame, **header)
    for car, given in (cars or {3: {"distance": 1234.5}}).items():
        for name, value in {**ON_TRACK, **given}.items():
            offset, code = LAP_DATA[name]
            struct.pack_into("<" + code, raw, at(2, car, header.get("year", 2025)) + offset, value)
    return bytes(raw)


def telemetry(frame: int, *, car: int = 3, speed: int = 287, **header: Any) -> bytes:
    raw = packet(6, frame, **header)
    struct.pack_into("<H", raw, at(6, car, header.get("year", 2025)), speed)
    return bytes(raw)


def status(frame: int, *, car: int = 3, compounds: tuple[int, int] = (17, 16), age: int = 4, **header: Any) -> bytes:
    raw = packet(7, frame, **header)
    struct.pack_into("<BBB", raw, at(7, car, header.get("year", 2025)) + 25, *compounds, age)
    return bytes(raw)


def motion(frame: int, **header: Any) -> bytes:
    return bytes(packet(0, frame, **header))


def telemetry_2(frame: int, *, car: int = 3, values: tuple[int, ...] = (1, 1, 250, 0, 1, 120, 1, 0)) -> bytes:
    raw = packet(16, frame, year=2026)
    struct.pack_into("<BBHBBHBB", raw, at(16, car, 2026), *values)
    return bytes(raw)


def damage(frame: int, *, car: int = 3, wear: tuple[float, ...] = (4.5, 3.5, 2.5, 1.5), **header: Any) -> bytes:
    """The bytes behind the wear count up from 16, so that each member has a value of its own."""
    raw = packet(10, frame, **header)
    struct.pack_into("<4f30B", raw, at(10, car, header.get("year", 2025)), *wear, *range(16, 46))
    return bytes(raw)


def motion_ex(frame: int, *, player: int = 3, first: float = 0.5, **header: Any) -> bytes:
    """The 61 floats count up from `first`."""
    raw = packet(13, frame, player=player, **header)
    struct.pack_into("<61f", raw, HEADER_BYTES, *(first + i for i in range(61)))
    return bytes(raw)


def event(frame: int, code: bytes, details: bytes, **header: Any) -> bytes:
    raw = packet(3, frame, **header)
    raw[29 : 33 + len(details)] = code + details
    return bytes(raw)


def reduced(*datagrams: bytes, waiting: Iterable[Block] = ()) -> Reduced:
    return reduce([*waiting, *blocks([(1_750_000_000_000_000_000, raw) for raw in datagrams])], "query")


def rows(result: Reduced, name: str) -> list[dict[str, Any]]:
    table = result.tables.get(name)
    return [] if table is None else table.to_pylist()


def waiting(result: Reduced) -> list[Block]:
    """What goes into the next batch, as spark.sink reads it back."""
    found = rows(result, "pending_datagram")
    return [Block(row["packet_format"], row["packet_id"], row["shard"], row["entry"], waited=[0]) for row in found]
