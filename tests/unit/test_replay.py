"""Pacing on a clock of the test's own, and sending to a real socket."""

import socket
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitlane import capture, replay
from pitlane.capture import Datagram
from pitlane.replay import BURST, MAX_RATE, Pacer


class Clock:
    """Time that passes only in sleep, a little too long each time, as on a real machine."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds + 50e-6


def sent_at(offsets: list[float], speed: float) -> list[float]:
    clock = Clock()
    pacer = Pacer(speed, clock, clock.sleep)
    times = []
    for offset in offsets:
        pacer.wait(offset)
        times.append(clock.now - 1_000.0)
    return times


def test_lateness_does_not_add_up() -> None:
    offsets = [i / 20 for i in range(72_000)]  # an hour of frames
    times = sent_at(offsets, speed=2.0)
    assert max(abs(t - o / 2) for t, o in zip(times, offsets, strict=True)) < 100e-6


@given(st.lists(st.floats(0, 0.01), min_size=1, max_size=300), st.sampled_from([1.0, 10.0, 1e6]))
def test_never_early_and_never_in_floods(gaps: list[float], speed: float) -> None:
    offsets = [sum(gaps[:i]) for i in range(len(gaps))]
    times = sent_at(offsets, speed)
    assert all(t >= o / speed - 1e-9 for t, o in zip(times, offsets, strict=True))
    for i, begin in enumerate(times):
        within = sum(1 for t in times[i:] if t - begin < 0.01)
        assert within <= BURST + 0.01 * MAX_RATE + 1


def test_speed_must_be_positive() -> None:
    with pytest.raises(ValueError, match="speed"):
        Pacer(0)


def test_what_is_sent_arrives(tmp_path: Path) -> None:
    payloads = [b"\xe9\x07\x19\x01\x02\x01\x03" + bytes(22) + b"SSTA" + bytes(12), b"short"]
    path = tmp_path / "x.pcap"
    capture.write(path, [Datagram(n * 10**6, "127.0.0.1", payload) for n, payload in enumerate(payloads)])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        sent = replay.send(replay.recorded(path, rounds=2), port=receiver.getsockname()[1])
        assert [receiver.recv(2048) for _ in range(4)] == payloads * 2
    assert sent.datagrams == 4
    assert sent.bytes == 2 * (45 + 5)
    assert sent.by_name == {"event": 2, "too_short": 2}
    assert sent.refused == 0


def test_it_says_when_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sent = replay.send([(0.0, b"a"), (0.01, b"b"), (0.02, b"c")], port=port)
    assert sent.datagrams == 3
    assert sent.refused > 0


def test_rounds_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    capture.write(path, [Datagram(n, "127.0.0.1", b"x") for n in (5 * 10**9, 7 * 10**9, 6 * 10**9)])
    assert [offset for offset, _ in replay.recorded(path, rounds=2)] == [0, 2, 2, 2, 4, 4]
    assert replay.duration(path) == 2


def two_rigs(tmp_path: Path) -> Path:
    """Datagrams 0 to 9, half a second apart, the odd ones from another rig."""
    path = tmp_path / "x.pcap"
    sources = ("192.168.0.7", "192.168.0.9")
    capture.write(path, [Datagram(n * 500_000_000, sources[n % 2], bytes([n])) for n in range(10)])
    return path


def test_a_part_of_a_recording(tmp_path: Path) -> None:
    path = two_rigs(tmp_path)

    def part(**options: object) -> list[tuple[float, int]]:
        return [(offset, datagram.payload[0]) for offset, datagram in replay.sourced(path, **options)]  # type: ignore[arg-type]

    assert part(begin_s=1.0, end_s=2.0) == [(0.0, 2), (0.5, 3)]
    assert part(begin_s=4.0) == [(0.0, 8), (0.5, 9)]
    assert part(end_s=0.6) == [(0.0, 0), (0.5, 1)]
    assert part(begin_s=9.0) == []
    assert part(begin_s=9.0, rounds=0) == [], "nothing, for ever, ends"
    assert part(wanted=lambda source: source == "192.168.0.9", begin_s=1.0, end_s=2.0) == [(0.5, 3)]
    assert part(begin_s=1.0, end_s=1.75, rounds=2) == [(0.0, 2), (0.5, 3), (0.75, 2), (1.25, 3)]
    assert [n for cut in (0.0, 1.3, 2.5, 9.0) for _, n in part(begin_s=cut, end_s=cut + 1.0)] == [0, 1, 3, 4, 5, 6]


def test_what_a_recording_holds(tmp_path: Path) -> None:
    assert replay.survey(two_rigs(tmp_path)) == replay.Survey(4.5, Counter({"192.168.0.7": 5, "192.168.0.9": 5}))
    capture.write(tmp_path / "empty.pcap", [])
    assert replay.survey(tmp_path / "empty.pcap") == replay.Survey(0.0, Counter())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has every loopback address")
def test_each_source_gets_an_address_of_its_own() -> None:
    assert replay.addresses_of(["10.0.0.9", "10.0.0.1", "2001:db8::7"], "127.0.0.1") == {
        "10.0.0.9": "127.0.0.1", "10.0.0.1": "127.0.0.2", "2001:db8::7": "127.0.0.3",
    }  # fmt: skip
    assert replay.addresses_of(["127.0.0.2", "10.0.0.9", "10.0.0.1"], "127.0.0.1") == {
        "127.0.0.2": "127.0.0.2", "10.0.0.9": "127.0.0.1", "10.0.0.1": "127.0.0.3",
    }  # fmt: skip
    assert (
        len(set(replay.addresses_of([f"10.0.1.{n}" for n in range(255)] + ["10.0.2.1"], "127.0.0.1").values())) == 256
    )
    assert replay.addresses_of(["10.0.0.9"], "192.0.2.1") == {}
    assert replay.addresses_of(["10.0.0.9"], "::1") == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has every loopback address")
def test_rigs_stay_apart(tmp_path: Path) -> None:
    path = two_rigs(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        addresses = replay.addresses_of(replay.survey(path).sources, "127.0.0.1")
        sent = replay.send_apart(replay.sourced(path), addresses, port=receiver.getsockname()[1], speed=100)
        received = [receiver.recvfrom(2048) for _ in range(10)]
    assert sent.datagrams == 10
    assert [(raw[0], source[0]) for raw, source in received] == [(n, f"127.0.0.{1 + n % 2}") for n in range(10)]
