"""The UDP socket: drained without blocking, each datagram stamped with its arrival, kernel losses counted.

Stock asyncio allocates 256 KiB for every `recvfrom` and wakes the loop for each datagram; a drain bounded in
datagrams takes several times as many and still gives posts and viewers their turn.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from pitlane.errors import PitlaneError

log = structlog.get_logger()

DRAIN = 256
"""Datagrams taken in one turn of the loop: about 2 ms of work, so nothing else waits longer."""

LARGEST_DATAGRAM = 65_535

OnDatagram = Callable[[bytes, str, int], None]
"""Called with (datagram, source address, arrival in ns since the epoch)."""


class PortTaken(PitlaneError):
    reason = "port_taken"


class Receiver:
    """Hands every datagram of one socket to `on_datagram` on the running loop, until closed."""

    def __init__(
        self, host: str, port: int, buffer_bytes: int, on_datagram: OnDatagram, *, reuse_port: bool = False
    ) -> None:
        """Raises PortTaken. With `reuse_port` several processes may have the port, and the kernel spreads sources."""
        self._on_datagram = on_datagram
        self._buffer = bytearray(LARGEST_DATAGRAM)
        self._view = memoryview(self._buffer)
        self._socket = _bind(host, port, reuse_port)
        self._inode = os.fstat(self._socket.fileno()).st_ino
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self.buffer_wanted_bytes = buffer_bytes
        self.buffer_bytes = _widen(self._socket, buffer_bytes)
        self.errors = 0
        """`recvfrom` failures other than an empty socket: counted, never fatal."""

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self.drain)

    def drain(self, limit: int = DRAIN) -> int:
        """Takes at most `limit` waiting datagrams; returns how many there were."""
        receive, view, hand_over, now = self._socket.recvfrom_into, self._view, self._on_datagram, time.time_ns
        for taken in range(limit):
            try:
                size, source = receive(self._buffer)
            except BlockingIOError:
                return taken
            except OSError:
                self.errors += 1
                return taken
            hand_over(bytes(view[:size]), source[0], now())
        return limit

    def kernel_drops(self) -> int | None:
        """Datagrams the kernel threw away because the receive buffer was full; None where it does not say."""
        return kernel_drops(self._inode)

    def close(self) -> None:
        """Stops listening after what the kernel already holds has been taken (bounded by one full buffer)."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        for _ in range(1 + self.buffer_bytes // (DRAIN * 256)):
            if self.drain() < DRAIN:
                break
        self._socket.close()


def kernel_drops(inode: int, tables: tuple[str, ...] = ("/proc/net/udp", "/proc/net/udp6")) -> int | None:
    """The `drops` column (the last) of the socket with this inode (column 10) in Linux's UDP tables."""
    for table in tables:
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[9] == str(inode):
                return int(columns[-1])
    return None


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
    usable = given // 2 if os.uname().sysname == "Linux" else given
    if usable < wanted:
        log.warning(
            "receive buffer smaller than asked for",
            wanted_bytes=wanted,
            given_bytes=usable,
            hint=f"sysctl -w net.core.rmem_max={wanted}",
        )
    return usable
