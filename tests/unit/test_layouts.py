"""Every field, type, offset and size against the published layouts, which were written down independently."""

import json
from typing import Any

import pytest

from f1_packets import PACKETS, Field, Packet, Table
from f1_packets.fields import table
from tests.shared import LAYOUTS, needs_shared

TYPES = {
    "u8": "uint8", "i8": "int8", "u16": "uint16", "i16": "int16", "u32": "uint32", "u64": "uint64",
    "f32": "float", "f64": "double", "char": "char",
}  # fmt: skip
SIZES = {
    0: (1349, 1349, 1349, 1325), 1: (644, 753, 753, 926), 2: (1131, 1285, 1285, 1399), 3: (45,) * 4,
    4: (1306, 1350, 1284, 1470), 5: (1107, 1133, 1133, 1233), 6: (1352, 1352, 1352, 1448), 7: (1239, 1239, 1239, 1445),
    8: (1020, 1020, 1042, 1134), 9: (1218, 1306, 954, 1062), 10: (953, 953, 1041, 1133), 11: (1460,) * 4,
    12: (231,) * 4, 13: (217, 237, 273, 273), 14: (None, 101, 101, 104), 15: (None, None, 1131, 1231),
    16: (None, None, None, 269),
}  # fmt: skip
"""Packet ID → published size in 2023, 2024, 2025, 2026."""


def every_packet() -> list[Any]:
    return [pytest.param(p, id=f"{p.format}-{p.name}") for p in PACKETS.values()]


def test_sizes_are_the_published_ones() -> None:
    ours = {
        packet_id: tuple(
            PACKETS[year, packet_id].size if (year, packet_id) in PACKETS else None for year in range(2023, 2027)
        )
        for packet_id in SIZES
    }
    assert ours == SIZES


@needs_shared
@pytest.mark.parametrize("packet", every_packet())
def test_every_field_lies_where_the_layout_says(packet: Packet) -> None:
    structs = json.loads(LAYOUTS.read_text())[str(packet.format)]["structs"]
    compare(packet.table, structs)


def compare(ours: Table, structs: dict[str, Any]) -> None:
    published = structs[ours.name]
    assert ours.size == published["size"]
    if ours.name != "PacketEventData":  # a union; it has a test of its own
        theirs = [(f["name"], f["type"], tuple(f["dims"]), f["offset"], f["size"]) for f in published["fields"]]
        assert [described(ours, f) for f in ours.fields] == theirs
    for f in ours.fields:
        if f.type in ours.parts:
            compare(ours.parts[f.type], structs)


def described(ours: Table, f: Field) -> tuple[str, str, tuple[int, ...], int, int]:
    offset = ours.dtype.fields[f.name][1]  # type: ignore[index]
    return f.game_name, TYPES.get(f.type, f.type), f.dims, offset, ours.dtype[f.name].itemsize


def test_the_event_packet_is_header_code_and_twelve_bytes() -> None:
    """Its union is the one place where the layout file names a type that no struct of ours mirrors."""
    event = PACKETS[2025, 3].table
    assert [(f.name, event.dtype.fields[f.name][1]) for f in event.fields] == [
        ("header", 0),
        ("code", 29),
        ("details", 33),
    ]  # type: ignore[index]


def test_names_are_unique_and_ours() -> None:
    for packet in PACKETS.values():
        names = [path for path, _, _ in packet.table.leaves()]
        assert len(names) == len(set(names))
        assert all(name == name.lower() for name in names)


def test_a_wrong_published_size_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes described, 4 published"):
        table("Wrong", 4, "a u8 m_a\nb u16 m_b")


def test_a_difference_must_name_a_field_that_exists() -> None:
    with pytest.raises(ValueError, match="no such fields"):
        table("T", 1, "a u8 m_a").derive(1, change="b u8 m_b")


def test_a_line_that_is_no_field_is_refused() -> None:
    with pytest.raises(ValueError, match="not a field"):
        table("T", 1, "a u8")
