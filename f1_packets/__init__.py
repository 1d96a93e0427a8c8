"""The UDP packets of the F1 games, formats 2023 to 2026, as tables. No I/O.

`PACKETS[2025, 6]` is CarTelemetry of format 2025: its table, size and numpy dtype. `identify` says what a datagram
is or raises `Rejected`; `read_header`, `CarReader` and `read_event` read the little that a live path needs; `block`
reads thousands at once. Names are ours, with units; docs/glossary.md maps them to the game's.
"""

from f1_packets.fields import Field, Table, text
from f1_packets.packets import FORMATS, PACKET_IDS, PACKET_NAMES, PACKETS, Packet
from f1_packets.readers import (
    HEADER_BYTES,
    SESSION_END_ORDER,
    CarReader,
    EventRecord,
    Header,
    Rejected,
    identify,
    read_event,
    read_header,
    sample_order,
    signed_uid,
)
from f1_packets.tables.event import EVENTS

__all__ = [
    "EVENTS", "FORMATS", "HEADER_BYTES", "PACKETS", "PACKET_IDS", "PACKET_NAMES", "SESSION_END_ORDER", "CarReader",
    "EventRecord", "Field", "Header", "Packet", "Rejected", "Table", "identify", "read_event", "read_header",
    "sample_order", "signed_uid", "text",
]  # fmt: skip
