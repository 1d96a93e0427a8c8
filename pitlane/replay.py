"""Sending datagrams over UDP at the rhythm they were recorded or simulated in.

Every datagram has an offset from the first. Its deadline is start + offset / speed, so errors never add up: one
that is late makes none after it late. A sender that has fallen behind (or a high speed) does not catch up in one
burst: it stays below MAX_RATE with bursts of at most BURST, which a receive buffer of Linux's default size
(212,992 bytes, about 92 datagrams of this kind) takes.
"""

import ipaddress
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from f1_packets import Rejected, identify
from pitlane import capture
from pitlane.capture import Datagram

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

Sourced = tuple[float, Datagram]
"""The same with who sent it when it was recorded."""

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")

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
    sourced = ((offset_s, Datagram(0, "", datagram)) for offset_s, datagram in datagrams)
    return send_apart(sourced, {}, host, port, speed, progress)


def send_apart(
    datagrams: Iterable[Sourced],
    addresses: dict[str, str],
    host: str = "127.0.0.1",
    port: int = capture.GAME_PORT,
    speed: float = 1.0,
    progress: Progress | None = None,
) -> Sent:
    """`send`, each source of `addresses` from the address of this machine that it has there; others from any."""
    sent, pacer, reported = Sent(), Pacer(speed), 0.0
    family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with ExitStack() as opened:

        def outlet(address: str | None) -> socket.socket:
            out = opened.enter_context(socket.socket(family, kind, protocol))
            if address:
                out.bind((address, 0))
            out.connect(target)
            return out

        others = outlet(None)
        outs = {source: outlet(address) for source, address in addresses.items()}
        for offset_s, (_, source, payload) in datagrams:
            pacer.wait(offset_s)
            out = outs.get(source, others)
            try:
                out.send(payload)
            except ConnectionRefusedError:  # told of an earlier datagram, in place of sending this one
                sent.refused += 1
                out.send(payload)
            sent.datagrams += 1
            sent.bytes += len(payload)
            sent.by_name[_name(payload)] += 1
            if progress and time.monotonic() - reported > 0.1:
                reported = time.monotonic()
                progress(sent, offset_s)
        if progress and sent.datagrams:
            progress(sent, offset_s)
    return sent


def addresses_of(sources: Iterable[str], host: str) -> dict[str, str]:
    """Source → an address of this machine to send from, so that a receiver on it keeps rigs apart.

    127.0.0.1, 127.0.0.2 … in the order given; a loopback address keeps its own. Empty where that cannot be done: only
    Linux has them all, and only what listens on a loopback address sees them. Raises OSError for an unknown host.
    """
    target = str(socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0][4][0])
    if sys.platform != "linux" or not _is_loopback(target):
        return {}
    ordered = list(sources)
    own = {source for source in ordered if _is_loopback(source)}
    free = (text for text in (str(LOOPBACK[number]) for number in count(1)) if text not in own)
    return {source: source if source in own else next(free) for source in ordered}


@dataclass(frozen=True)
class Survey:
    """What is in a capture: seconds from its first datagram to its last, and datagrams by source, in order."""

    seconds: float
    sources: Counter[str]


def survey(path: Path) -> Survey:
    """Reads a capture through. Raises CaptureError."""
    sources: Counter[str] = Counter()
    seconds = 0.0
    for offset_s, datagram in sourced(path):
        seconds = offset_s
        sources[datagram.source] += 1
    return Survey(seconds, sources)


def sourced(
    path: Path,
    rounds: int = 1,
    wanted: Callable[[str], bool] = lambda source: True,
    begin_s: float = 0.0,
    end_s: float | None = None,
) -> Iterator[Sourced]:
    """(offset in seconds, datagram) of a capture, `rounds` times over; 0 means for ever. Raises CaptureError.

    Of each round only what came from `begin_s` on and before `end_s`, counted from the first datagram of the file, and
    from a source that is `wanted`; the offset is then from `begin_s`.
    """
    round_s, played = 0.0, 0
    while played < rounds or rounds == 0:
        first_ns, now_s, played_any = None, 0.0, False
        for datagram in capture.read(path):
            first_ns = datagram.arrival_ns if first_ns is None else first_ns
            # A capture of a real network may hold datagrams out of order: they go at once, not back in time.
            now_s = max(now_s, (datagram.arrival_ns - first_ns) / capture.NANOSECONDS)
            if end_s is not None and now_s >= end_s:
                now_s = end_s
                break
            if now_s >= begin_s and wanted(datagram.source):
                played_any = True
                yield round_s + now_s - begin_s, datagram
        if not played_any:
            return
        round_s, played = round_s + now_s - begin_s, played + 1


def recorded(path: Path, rounds: int = 1) -> Iterator[Timed]:
    """(offset in seconds, payload) of a capture, `rounds` times over; 0 means for ever. Raises CaptureError."""
    return ((offset_s, datagram.payload) for offset_s, datagram in sourced(path, rounds))


def duration(path: Path) -> float:
    """Seconds from the first datagram of a capture to its last; 0 without any. Raises CaptureError."""
    return survey(path).seconds


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.version == 4 and parsed in LOOPBACK


def _name(datagram: bytes) -> str:
    try:
        return identify(datagram).name
    except Rejected as rejected:
        return rejected.reason
