"""Value by value against f1-packets from PyPI, one independent release for each format."""

from collections.abc import Iterator
from typing import Any

import dpkt
import numpy as np
import pytest

from f1_packets import EVENTS, PACKETS, Packet, identify, read_event
from tests.peers import peer_decoder, values
from tests.shared import CAPTURES, RACE_2026, TIME_TRIAL, needs_recordings, needs_shared

MEMBER_OF_CODE = {
    "FTLP": "fastest_lap", "RTMT": "retirement", "DRSD": "drs_disabled", "TMPT": "team_mate_in_pits",
    "RCWN": "race_winner", "PENA": "penalty", "SPTP": "speed_trap", "DTSV": "drive_through_penalty_served",
    "SGSV": "stop_go_penalty_served", "FLBK": "flashback", "BUTN": "buttons", "OVTK": "overtake", "SCAR": "safety_car",
    "COLL": "collision",
}  # fmt: skip


def ours(raw: bytes, packet: Packet) -> list[Any]:
    return list(flat(np.frombuffer(raw, packet.dtype)[0]))


def flat(value: Any) -> Iterator[Any]:
    if isinstance(value, np.void):
        for name in value.dtype.names or ():
            yield from flat(value[name])
    elif isinstance(value, np.ndarray):
        for element in value:
            yield from flat(element)
    else:
        plain = value.item() if isinstance(value, np.generic) else value
        yield plain.split(b"\0")[0] if isinstance(plain, bytes) else plain


def same(left: list[Any], right: list[Any]) -> bool:
    """Equal, NaN with NaN; random bytes make some."""
    return len(left) == len(right) and all(a == b or (a != a and b != b) for a, b in zip(left, right, strict=True))


def assert_parity(raw: bytes) -> None:
    packet = identify(raw)
    decoded = peer_decoder(packet.format).resolve(raw)
    assert same(ours(raw, packet), list(values(decoded))), f"{packet.format} {packet.name}"


@pytest.mark.parametrize("packet", [pytest.param(p, id=f"{p.format}-{p.name}") for p in PACKETS.values()])
def test_random_bytes_decode_alike(packet: Packet) -> None:
    rng = np.random.default_rng(packet.format * 100 + packet.id)
    for _ in range(20):
        body = rng.integers(0, 256, packet.size, dtype=np.uint8).tobytes()
        head = packet.format.to_bytes(2, "little") + b"\x19\x01\x00\x01" + bytes([packet.id])
        assert_parity(head + body[7:])


@pytest.mark.parametrize("year", sorted(EVENTS))
def test_event_members_decode_alike(year: int) -> None:
    rng = np.random.default_rng(year)
    head = year.to_bytes(2, "little") + b"\x19\x01\x00\x01\x03" + bytes(22)
    compared = 0
    for code, table in EVENTS[year].items():
        raw = head + code.encode() + rng.integers(0, 128, 12, dtype=np.uint8).tobytes()
        union = peer_decoder(year).resolve(raw).event_details
        member = getattr(union, MEMBER_OF_CODE.get(code, ""), None)
        if table.fields and member is not None:
            assert list(read_event(raw).members.values()) == list(values(member)), f"{year} {code}"
            compared += 1
    assert compared >= 10


@needs_shared
def test_single_real_packets_decode_alike() -> None:
    files = sorted((CAPTURES / "packets").glob("*/*.bin"))
    assert len(files) >= 65
    for file in files:
        assert_parity(file.read_bytes())


@needs_recordings
@pytest.mark.parametrize("capture", [TIME_TRIAL, RACE_2026], ids=lambda path: path.stem)
def test_real_recordings_decode_alike(capture: Any) -> None:
    kinds = set()
    with capture.open("rb") as file:
        for n, (_, frame) in enumerate(dpkt.pcap.Reader(file)):
            raw = bytes(dpkt.ethernet.Ethernet(frame).data.data.data)
            packet = identify(raw)
            if packet.id not in kinds or n % 20 == 0:
                assert_parity(raw)
            kinds.add(packet.id)
    assert len(kinds) >= 12
