"""The UDP port: drained without blocking, each datagram stamped with its arrival, kernel losses counted.

Stock asyncio allocates 256 KiB for every `recvfrom` and wakes the loop for each datagram; a drain bounded in
datagrams takes several times as many and still gives posts and viewers their turn.

A source that goes on sending gets a socket of its own on the same port, connected to it. The kernel then keeps its
datagrams in a receive buffer of its own, so that a flood fills the flood's buffer and no other rig loses a datagram.
Linux only; elsewhere all share one.
"""

import asyncio
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import structlog

from pitlane.errors import PitlaneError

log = structlog.get_logger()

DRAIN = 256
"""Datagrams taken from all sockets in one turn of the loop: about 2 ms of work, so nothing else waits longer."""
LEAST_DRAIN = 16
"""Of those, what each socket gets however many there are."""

LARGEST_DATAGRAM = 65_535

OWN_AFTER = 100
"""Datagrams after which a source gets a socket of its own."""
OWN_SOCKETS = 64
"""At most so many; beyond that sources share one, as all do at first."""
OWN_OF_ADDRESS = 8
"""And so many for one address, so that nobody takes them all by sending from many ports."""
COUNTED_SOURCES = 4096
"""Sources (address and port) counted at once on the way there; forged ones must not take the memory."""
BEGIN_OWN_S = 0.1
SILENT_S = 60.0
"""A source silent for so long gives its socket back."""

MAPPED = "::ffff:"
"""In front of an IPv4 address on a socket for both kinds."""

OnDatagram = Callable[[bytes, str, int], bool]
"""Called with (datagram, source address, arrival in ns since the epoch); says whether this source may send at all."""


class PortTaken(PitlaneError):
    reason = "port_taken"


class Receiver:
    """Hands every datagram of one port to `on_datagram` on the running loop, until closed."""

    def __init__(
        self, host: str, port: int, buffer_bytes: int, on_datagram: OnDatagram, *, reuse_port: bool = False
    ) -> None:
        """Raises PortTaken. With `reuse_port` several processes may have the port, and the kernel spreads sources."""
        self._on_datagram = on_datagram
        self._buffer = bytearray(LARGEST_DATAGRAM)
        self._view = memoryview(self._buffer)
        self._wanted_bytes = buffer_bytes
        self._socket = _bind(host, port, reuse_port)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self.buffer_bytes = _widen(self._socket, buffer_bytes)
        if self.buffer_bytes < buffer_bytes:
            log.warning(
                "receive buffer smaller than asked for",
                wanted_bytes=buffer_bytes,
                given_bytes=self.buffer_bytes,
                hint=f"sysctl -w net.core.rmem_max={buffer_bytes}",
            )
        self._own: dict[tuple[str, int], _Own] = {}
        self._not_begun: list[_Own] = []
        self._counts: Counter[tuple[str, int]] = Counter()
        self._tidying: asyncio.TimerHandle | None = None
        self._dropped_before = 0
        """By sockets that are closed."""
        self.errors = 0
        """Failed reads other than an empty socket: counted, never fatal."""

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self.drain)
        self._tidying = self._loop.call_later(SILENT_S, self._tidy)

    def drain(self, limit: int = DRAIN) -> int:
        """Takes at most `limit` waiting datagrams from the socket that all share; returns how many there were."""
        receive, view, hand_over, now = self._socket.recvfrom_into, self._view, self._on_datagram, time.time_ns
        counts = self._counts
        if len(counts) > COUNTED_SOURCES:
            self._counts = counts = Counter(dict(counts.most_common(COUNTED_SOURCES // 2)))
        for taken in range(limit):
            try:
                size, source = receive(self._buffer)
            except BlockingIOError:
                self._begin_own()
                return taken
            except OSError:
                self.errors += 1
                return taken
            if hand_over(bytes(view[:size]), source[0].removeprefix(MAPPED), now()):
                counts[source] += 1
                if counts[source] == OWN_AFTER:
                    self._give_own(source)
        return limit

    def kernel_drops(self) -> int | None:
        """Datagrams the kernel threw away because a receive buffer was full; None where it does not say."""
        inodes = [_inode(self._socket), *(own.inode for own in self._own.values())]
        drops = kernel_drops(inodes)
        return None if drops is None else drops + self._dropped_before

    def close(self) -> None:
        """Stops listening after what the kernel already holds has been taken (bounded by one full buffer each)."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket.fileno())
        if self._tidying is not None:
            self._tidying.cancel()
        for own in list(self._own.values()):
            self._take_back(own)
        for _ in range(1 + self.buffer_bytes // (DRAIN * 256)):
            if self.drain() < DRAIN:
                break
        self._socket.close()

    def _drain_own(self, own: "_Own", limit: int | None = None) -> int:
        receive, view, hand_over, now = own.socket.recvfrom_into, self._view, self._on_datagram, time.time_ns
        before = own.taken
        for _ in range(limit or max(LEAST_DRAIN, DRAIN // len(self._own))):
            try:
                # Between its bind and its connect the socket was everybody's: the source is what the datagram says.
                size, source = receive(self._buffer)
            except BlockingIOError:
                break
            except OSError:
                self.errors += 1
                self._watch(own)  # uvloop stops watching a socket that had an error
                break
            own.taken += 1
            hand_over(bytes(view[:size]), source[0].removeprefix(MAPPED), now())
        return own.taken - before

    def _give_own(self, source: tuple[str, int]) -> None:
        of_address = sum(own.source[0] == source[0] for own in self._own.values())
        if len(self._own) >= OWN_SOCKETS or of_address >= OWN_OF_ADDRESS or source in self._own:
            return
        if sys.platform != "linux":
            return
        try:
            own = _Own(self._socket, source, self._wanted_bytes)
        except OSError as error:
            log.warning("no socket of its own", source=source[0], error=str(error))
            return
        self._own[source] = own
        self._not_begun.append(own)
        self._loop.call_later(BEGIN_OWN_S, self._begin_own)

    def _begin_own(self) -> None:
        """New sockets are read once the shared one, which holds what came before, is empty, or soon in any case."""
        while self._not_begun:
            own = self._not_begun.pop()
            if own.source in self._own:
                own.is_watched = True
                self._watch(own)

    def _watch(self, own: "_Own") -> None:
        if own.is_watched:
            self._loop.remove_reader(own.socket.fileno())
            self._loop.add_reader(own.socket.fileno(), self._drain_own, own)

    def _take_back(self, own: "_Own") -> None:
        own.is_watched = False
        self._loop.remove_reader(own.socket.fileno())
        for _ in range(1 + self.buffer_bytes // (DRAIN * 256)):
            if self._drain_own(own, DRAIN) < DRAIN:
                break
        self._dropped_before += kernel_drops([own.inode]) or 0
        own.socket.close()
        del self._own[own.source]
        self._counts.pop(own.source, None)

    def _tidy(self) -> None:
        self._tidying = self._loop.call_later(SILENT_S, self._tidy)
        for own in list(self._own.values()):
            if own.taken == own.taken_before:
                self._take_back(own)
            own.taken_before = own.taken


class _Own:
    """A socket on the same port that gets what one source sends."""

    def __init__(self, shared: socket.socket, source: tuple[str, int], buffer_bytes: int) -> None:
        # For this moment only: a port that is open to others all the time could be had by a second gateway as well.
        shareable = shared.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
        self.socket = socket.socket(shared.family, socket.SOCK_DGRAM)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.source = source
        try:
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            _widen(self.socket, buffer_bytes)
            self.socket.bind(shared.getsockname())
            self.socket.connect(source)
        except OSError:
            self.socket.close()
            raise
        finally:
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shareable)
        self.inode = _inode(self.socket)
        self.taken = self.taken_before = 0
        self.is_watched = False


def kernel_drops(inodes: list[int], tables: tuple[str, ...] = ("/proc/net/udp", "/proc/net/udp6")) -> int | None:
    """The `drops` column (the last) of the sockets with these inodes (column 10) in Linux's UDP tables, summed up."""
    wanted, found = set(map(str, inodes)), []
    for table in tables:
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        found += [int(columns[-1]) for columns in map(str.split, lines) if columns[9] in wanted]
    return sum(found) if found else None


def _inode(bound: socket.socket) -> int:
    return os.fstat(bound.fileno()).st_ino


def _bind(host: str, port: int, reuse_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_DGRAM)
    listening.setblocking(False)
    try:
        if reuse_port:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"UDP {host}:{port} cannot be had: {error.strerror}",
            "another telemetry program or gateway may hold it; stop that or set PITLANE_UDP_PORT",
        ) from error
    return listening


def _widen(listening: socket.socket, wanted: int) -> int:
    """Asks for a receive buffer of `wanted` bytes and returns what the kernel gave (Linux reports it doubled)."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
    given = listening.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    return given // 2 if os.uname().sysname == "Linux" else given
