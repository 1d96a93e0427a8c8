"""Reading a datagram without numpy: its header, its kind, one car of it, one event.

Whole blocks are read with `f1_packets.block`. Any bytes at all give a packet or a `Rejected` with a reason.
"""

import struct
from typing import Any, ClassVar, Final, NamedTuple

from f1_packets.fields import Table
from f1_packets.packets import FORMATS, PACKETS, Packet
from f1_packets.tables.event import EVENTS

STRUCT_CODES = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "u64": "Q", "f32": "f", "f64": "d"}
HEADER_STRUCT = struct.Struct("<HBBBBBQfIIBB")
HEADER_BYTES = HEADER_STRUCT.size
EVENT_CODE: Final = slice(HEADER_BYTES, HEADER_BYTES + 4)
SESSION_END_ORDER = 2**32
"""Sorts behind every overall frame (u32)."""


class Rejected(ValueError):
    """Bytes that are no packet. `reason` is one of REASONS."""

    REASONS: ClassVar[tuple[str, ...]] = ("too_short", "unknown_format", "unknown_packet", "wrong_size")

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Header(NamedTuple):
    """The 29 bytes in front of every packet, fields in wire order."""

    packet_format: int
    game_year: int
    game_major_version: int
    game_minor_version: int
    packet_version: int
    packet_id: int
    session_uid: int
    session_time_s: float
    frame_identifier: int
    overall_frame_identifier: int
    player_car_index: int
    secondary_player_car_index: int


def identify(datagram: bytes) -> Packet:
    """The packet that `datagram` is: chosen by format and ID, then held against the exact size.

    Raises Rejected. A size alone never decides: several packets and formats share one.
    """
    packet = packet_of(datagram)
    if len(datagram) != packet.size:
        raise Rejected("wrong_size")
    return packet


def packet_of(header: bytes) -> Packet:
    """The packet that a header, or a datagram that begins with one, calls itself. Raises Rejected."""
    if len(header) < HEADER_BYTES:
        raise Rejected("too_short")
    packet_format = header[0] | header[1] << 8
    packet = PACKETS.get((packet_format, header[6]))
    if packet is None:
        raise Rejected("unknown_packet" if packet_format in FORMATS else "unknown_format")
    return packet


def read_header(datagram: bytes) -> Header:
    """The header; raises Rejected if there are not even 29 bytes."""
    if len(datagram) < HEADER_BYTES:
        raise Rejected("too_short")
    return Header._make(HEADER_STRUCT.unpack_from(datagram))


def sample_order(overall_frame: int, session_time_s: float) -> int:
    """Sort key of a sample within its session and rig: later samples have the higher key.

    It is the overall frame, except that session end, final classification and the last session history carry
    frame 0 with the clock running: those sort behind everything.
    """
    return SESSION_END_ORDER if overall_frame == 0 and session_time_s > 0 else overall_frame


def signed_uid(session_uid: int) -> int:
    """The session UID of a header as Postgres keeps it: the same 64 bits as a bigint."""
    return session_uid - 2**64 if session_uid >= 2**63 else session_uid


class CarReader:
    """Reads some fields of one car: `CarReader(PACKETS[2025, 6], ("speed_kmh", "gear")).read(datagram, 19)`.

    The names must come in wire order, as the values do; an array field gives as many values as it has elements.
    """

    def __init__(self, packet: Packet, names: tuple[str, ...]) -> None:
        cars = next(f for f in packet.table.fields if f.name == "cars")
        self._car = packet.table.parts[cars.type]
        self._base = packet.dtype.fields["cars"][1]  # type: ignore[index]
        self._struct = _sparse_struct(self._car, names)
        self.num_cars = packet.num_cars

    def read(self, datagram: bytes, car_index: int) -> tuple[Any, ...]:
        """The values of `names`; raises IndexError for a car that the packet has no room for."""
        if not 0 <= car_index < self.num_cars:
            raise IndexError(f"car {car_index} of {self.num_cars}")
        return self._struct.unpack_from(datagram, self._base + car_index * self._car.size)


def _sparse_struct(table: Table, names: tuple[str, ...]) -> struct.Struct:
    """A struct of the named fields of a table, pad bytes in place of all others."""
    if names != tuple(f.name for f in table.fields if f.name in names):
        raise KeyError(f"{table.name} does not have {names} in this order")
    codes = []
    for f in table.fields:
        size = table.dtype[f.name].itemsize
        if f.name not in names:
            codes.append(f"{size}x")
        elif f.type == "char":
            codes.append(f"{size}s")
        else:
            code = STRUCT_CODES[f.type]
            codes.append(f"{size // struct.calcsize('<' + code)}{code}")
    return struct.Struct("<" + "".join(codes))


class EventRecord(NamedTuple):
    """`members` holds what this code defines and nothing else; `known` is False for a code no table has."""

    code: str
    members: dict[str, int | float]
    known: bool


def read_event(datagram: bytes) -> EventRecord:
    """The event in an event packet (as `identify` has accepted it). An unknown code has no members."""
    code = datagram[EVENT_CODE].decode("ascii", errors="backslashreplace")
    table = EVENTS[datagram[0] | datagram[1] << 8].get(code)
    if table is None:
        return EventRecord(code, {}, known=False)
    reader = _event_structs.get(id(table))
    if reader is None:
        reader = _event_structs[id(table)] = _sparse_struct(table, tuple(f.name for f in table.fields))
    values = reader.unpack_from(datagram, EVENT_CODE.stop)
    return EventRecord(code, {f.name: value for f, value in zip(table.fields, values, strict=True)}, known=True)


_event_structs: dict[int, struct.Struct] = {}
