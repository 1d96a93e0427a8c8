"""Taps: every datagram as it was received, in order, for `pitlane record` and other programs, at the path `/raw`.

Messages to a tap are binary WebSocket frames, several datagrams in each (those of about 50 ms, at most 256 KiB); all
numbers little-endian:

    number   u64   how many datagrams this tap should have got before the first of this message
    entries, one after the other, up to the end of the message:
        arrival  u64   ns since the Unix epoch
        source   u8    length of the sender's address
        size     u16   length of the datagram
        the address as ASCII text (IPv4 or IPv6), then the datagram

So who adds up what came knows exactly how many were lost and where: a `number` above that sum says so. Within a
message nothing is missing. A message without entries tells of a loss that nothing has followed yet; the first one,
with number 0, comes at once and says that from now on all is recorded.

A tap that does not keep up has BUFFER_BYTES waiting for it; what comes while that is full is lost for this tap, and
slows nobody. A tap that says anything gets what waits for it and is closed: so a recording ends with what had
arrived when it was told to.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from f1_packets.block import rig_name
from pitlane.errors import PitlaneError

RAW = "/raw"

BUFFER_BYTES = 64 * 1024 * 1024
"""What may wait for one tap: 20 rigs at 60 Hz fill it in 7 s."""

MESSAGE_BYTES = 256 * 1024
INTERVAL_S = 0.05
TAPS = 4
"""At once; a fifth is turned away."""

END_S = 2.0
"""How long the end of the gateway waits for taps to take what waits for them."""

NUMBER = struct.Struct("<Q")
ENTRY = struct.Struct("<QBH")

Send = Callable[[bytes], Awaitable[None]]


class Entry(NamedTuple):
    """A datagram as a tap gets it."""

    arrival_ns: int
    source: str
    datagram: bytes


class Broken(PitlaneError):
    """A message that is cut short or is none of ours."""

    reason = "broken_message"


def decode(message: bytes) -> tuple[int, list[Entry]]:
    """(number of the first entry, entries) of a message. Raises Broken."""
    if len(message) < NUMBER.size:
        raise Broken("too short for its number")
    return NUMBER.unpack_from(message)[0], list(_entries(message))


def _entries(message: bytes) -> Iterator[Entry]:
    at = NUMBER.size
    while at < len(message):
        if len(message) < at + ENTRY.size:
            raise Broken("cut within the head of an entry")
        arrival_ns, source_bytes, datagram_bytes = ENTRY.unpack_from(message, at)
        begin = at + ENTRY.size + source_bytes
        at = begin + datagram_bytes
        if len(message) < at:
            raise Broken("cut within an entry")
        try:
            source = message[begin - source_bytes : begin].decode("ascii")
        except UnicodeDecodeError as error:
            raise Broken("an address that is no text") from error
        yield Entry(arrival_ns, source, message[begin:at])


def of_rig(rig: str, names: Mapping[str, str]) -> Callable[[str], bool]:
    """Whether a source address is that of `rig`: its name (`names` maps addresses to names) or address; "" is any."""
    return lambda source: not rig or rig in (source, names.get(source), rig_name(names.get(source, source)))


class Tap:
    """What waits for one reader, gathered into messages, bounded."""

    def __init__(self, wants: Callable[[str], bool] = lambda source: True, limit_bytes: int = BUFFER_BYTES) -> None:
        self.wants = wants
        self._limit = limit_bytes
        self._waiting: deque[bytearray] = deque()
        self._bytes = 0
        """Of the entries that wait."""
        self._offered = 0
        self._next = 0
        """The number that the reader will expect after all that waits; below `_offered` when something was lost."""
        self._ended = asyncio.Event()

    def offer(self, entry: bytes) -> None:
        """Takes an entry, or loses it when too much waits; after `end` there is nothing more to take."""
        if self._ended.is_set():
            return
        number = self._offered
        self._offered += 1
        if self._bytes + len(entry) > self._limit:
            return
        if not self._waiting or self._next != number or len(self._waiting[-1]) + len(entry) > MESSAGE_BYTES:
            self._waiting.append(bytearray(NUMBER.pack(number)))
        self._waiting[-1] += entry
        self._bytes += len(entry)
        self._next = number + 1

    def take(self) -> bytes | None:
        """The oldest message that waits, or one that tells of a loss; None when there is nothing to tell."""
        if self._waiting:
            message = bytes(self._waiting.popleft())
            self._bytes -= len(message) - NUMBER.size
            return message
        if self._next != self._offered:
            self._next = self._offered
            return NUMBER.pack(self._offered)
        return None

    def end(self) -> None:
        """`run` returns once what waits has been sent."""
        self._ended.set()

    async def run(self, send: Send) -> None:
        """Sends what waits, every INTERVAL_S, until `end` or until `send` raises."""
        await send(NUMBER.pack(0))
        ended = False
        while not ended:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), INTERVAL_S)
            ended = self._ended.is_set()
            while (message := self.take()) is not None:
                await send(message)


class Taps:
    """All that listen."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._running: dict[Tap, asyncio.Task[None]] = {}

    @property
    def full(self) -> bool:
        return len(self._running) >= TAPS

    def offer(self, datagram: bytes, source: str, now_ns: int) -> None:
        """Costs nothing while nobody listens."""
        if self._running:
            entry = ENTRY.pack(now_ns, len(source), len(datagram)) + source.encode() + datagram
            for tap in self._running:
                if tap.wants(source):
                    tap.offer(entry)

    async def serve(self, connection: ServerConnection, rig: str) -> None:
        """A connection to `/raw`, until it closes or has said something and got what waited for it."""
        tap = Tap(of_rig(rig, self._names))
        running = self._running[tap] = asyncio.create_task(_until_closed(tap, connection))
        try:
            with suppress(ConnectionClosed):
                await connection.recv()
                tap.end()
                await running
        finally:
            del self._running[tap]
            running.cancel()

    async def end(self) -> None:
        """Gives all that waits, for at most END_S."""
        for tap in self._running:
            tap.end()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=END_S)


async def _until_closed(tap: Tap, connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        await tap.run(connection.send)
