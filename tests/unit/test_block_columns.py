"""Columns of a block against values poked into datagrams at the published offsets."""

import struct

import numpy as np
import pytest

from f1_packets import PACKETS, block
from tests.datagrams import datagram


def test_every_field_is_a_contiguous_array_of_its_own() -> None:
    # CarTelemetryData: speed u16 at 0, throttle f32 at 2, gear i8 at 15, brakes u16[4] at 22
    pokes = {0: ("H", 312), 2: ("f", 0.5), 15: ("b", -1), 22: ("4H", 0)}
    first = bytearray(
        datagram(6, {offset: poke for offset, poke in pokes.items() if offset < 22}, car=3, overall_frame=8)
    )
    for wheel, temperature in enumerate((400, 500, 600, 700)):
        at = 29 + 3 * 60 + 22 + 2 * wheel
        first[at : at + 2] = temperature.to_bytes(2, "little")
    second = datagram(6, {0: ("H", 99)}, car=21, overall_frame=9)
    content = block.entry(11, "left", bytes(first)) + block.entry(12, "right", second)

    columns = block.columns(PACKETS[2025, 6], content)

    assert columns["arrival_ns"].tolist() == [11, 12]
    assert columns["rig"].tolist() == [b"left", b"right"]
    assert columns["header.overall_frame_identifier"].tolist() == [8, 9]
    assert columns["cars.speed_kmh"].shape == (2, 22)
    assert columns["cars.speed_kmh"][0, 3] == 312
    assert columns["cars.speed_kmh"][1, 21] == 99
    assert columns["cars.speed_kmh"].sum() == 312 + 99
    assert columns["cars.throttle"][0, 3] == 0.5
    assert columns["cars.gear"][0, 3] == -1
    assert columns["cars.brakes_temperature_c"].shape == (2, 22, 4)
    assert columns["cars.brakes_temperature_c"][0, 3].tolist() == [400, 500, 600, 700]
    assert all(values.flags.c_contiguous for values in columns.values())


@pytest.mark.parametrize("packet", [pytest.param(p, id=f"{p.format}-{p.name}") for p in PACKETS.values()])
def test_no_field_is_left_out(packet: object) -> None:
    """By the packet's size: the columns of one datagram hold all its bytes, and no byte twice."""
    assert isinstance(packet, type(PACKETS[2025, 6]))
    raw = np.random.default_rng(packet.id).integers(1, 256, packet.size, dtype=np.uint8).tobytes()
    columns = block.columns(packet, block.entry(1, "rig", raw))
    held = b"".join(values.tobytes() for name, values in columns.items() if name not in ("arrival_ns", "rig"))
    assert sorted(held) == sorted(raw)


def test_entries_of_any_bytes() -> None:
    content = b"".join(struct.pack("<Q16s", n, b"rig-\xc3\xbc") + bytes([n] * 3) for n in (1, 2))
    assert list(block.entries(content, 27)) == [(1, "rig-ü", b"\x01\x01\x01"), (2, "rig-ü", b"\x02\x02\x02")]
    assert list(block.entries(content[:24], 24)) == [(1, "rig-ü", b"")]  # an empty datagram is one, too


@pytest.mark.parametrize("length", [0, 23, 25, 53, -27])
def test_what_does_not_divide_is_no_block(length: int) -> None:
    with pytest.raises(ValueError, match="do not divide"):
        list(block.entries(bytes(54), length))
