"""Pacing on a clock of the test's own, and sending to a real socket."""

import socket
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
