"""Sending datagrams over UDP at the rhythm they were recorded or simulated in.

Every datagram has an offset from the first. Its deadline is start + offset / speed, so errors never add up: one
that is late makes none after it late. A sender that has fallen behind (or a high speed) does not catch up in one
burst: it stays below MAX_RATE with bursts of at most BURST, which a receive buffer of Linux's default size
(212,992 bytes, about 92 datagrams of this kind) takes.
"""

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from f1_packets import Rejected, identify
from pitlane import capture

MAX_RATE = 20_000
"""Datagrams a second, ten rigs' worth at 60 Hz and more than fifty times one rig's."""

BURST = 32
"""Datagrams back to back; a frame has at most 17 kinds and a few events."""


@dataclass
class Sent:
    """What was sent. `refused` counts answers that nobody listens on that port (only a machine's own kernel tells)."""

    datagrams: int = 0
    bytes: int = 0
    by_name: Counter[str] = field(default_factory=Counter)
    refused: int = 0


Timed = tuple[float, bytes]
"""Seconds since the first datagram, and a datagram."""

Progress = Callable[[Sent, float], None]
"""Called with the counts so far and the offset in seconds, now and then."""


class Pacer:
    """Waits for deadlines. `clock` and `sleep` are replaced in tests."""

    def __init__(
        self,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if speed <= 0:
            raise ValueError("speed must be above 0")
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._start: float | None = None
        self._free_at = 0.0  # when all that was sent so far would have gone at MAX_RATE

    def wait(self, offset_s: float) -> None:
        """Return when the datagram of this offset is due and the rate allows it."""
        now = self._clock()
        if self._start is None:
            self._start = now - offset_s / self._speed
        due = max(self._start + offset_s / self._speed, self._free_at - BURST / MAX_RATE)
        if due > now:
            self._sleep(due - now)
            now = self._clock()
        self._free_at = max(self._free_at, now) + 1 / MAX_RATE


def send(
    datagrams: Iterable[Timed],
    host: str = "127.0.0.1",
    port: int = capture.GAME_PORT,
    speed: float = 1.0,
    progress: Progress | None = None,
) -> Sent:
    """Send (offset in seconds, datagram) pairs, offsets rising, and return when the last is out. Raises OSError."""
    sent, pacer, reported = Sent(), Pacer(speed), 0.0
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as out:
        out.connect(address)
        for offset_s, datagram in datagrams:
            pacer.wait(offset_s)
            try:
                out.send(datagram)
            except ConnectionRefusedError:  # told of an earlier datagram, in place of sending this one
                sent.refused += 1
                out.send(datagram)
            sent.datagrams += 1
            sent.bytes += len(datagram)
            sent.by_name[_name(datagram)] += 1
            if progress and time.monotonic() - reported > 0.1:
                reported = time.monotonic()
                progress(sent, offset_s)
        if progress and sent.datagrams:
            progress(sent, offset_s)
    return sent


def recorded(path: Path, rounds: int = 1) -> Iterator[Timed]:
    """(offset in seconds, payload) of a capture, `rounds` times over; 0 means for ever. Raises CaptureError."""
    begin_s, played = 0.0, 0
    while played < rounds or rounds == 0:
        first_ns, offset_s = None, begin_s
        for datagram in capture.read(path):
            first_ns = datagram.arrival_ns if first_ns is None else first_ns
            # A capture of a real network may hold datagrams out of order: they go at once, not back in time.
            offset_s = max(offset_s, begin_s + (datagram.arrival_ns - first_ns) / capture.NANOSECONDS)
            yield offset_s, datagram.payload
        if first_ns is None:
            return
        begin_s, played = offset_s, played + 1


def duration(path: Path) -> float:
    """Seconds from the first datagram of a capture to its last; 0 without any. Raises CaptureError."""
    return max((offset_s for offset_s, _ in recorded(path)), default=0.0)


def _name(datagram: bytes) -> str:
    try:
        return identify(datagram).name
    except Rejected as rejected:
        return rejected.reason
