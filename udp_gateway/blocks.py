"""Datagrams of one kind gathered into blocks: what is posted to NiFi and stands in Kafka as one record.

A block holds entries of one length from one (format, packet, shard); rejected datagrams gather by reason and
length instead of by packet. Its attributes become the FlowFile's attributes and then the record's headers.
"""

from collections.abc import Iterator
from typing import NamedTuple

FULL_BLOCKS = 4
"""Blocks that are closed because they are large; so many are enough to be handed over before the time."""

OPEN_REJECTED = 64
"""Blocks of rejected datagrams gathered at once: junk of every length must not become a FlowFile for each."""


class BlockKey(NamedTuple):
    """`packet_format` and `packet_id` mean nothing for rejected datagrams."""

    packet_format: int
    packet_id: int
    packet_name: str
    shard: int
    datagram_bytes: int
    reject_reason: str = ""

    @property
    def rejected(self) -> bool:
        return self.reject_reason != ""


class Block(NamedTuple):
    key: BlockKey
    datagrams: int
    first_arrival_ns: int
    content: bytes

    def attributes(self, block_id: str) -> dict[str, str]:
        """What NiFi routes on and Kafka's headers say; `block_id` tells a block that comes twice."""
        key = self.key
        named = {
            "packet.format": "none" if key.rejected else str(key.packet_format),
            "packet.id": "none" if key.rejected else str(key.packet_id),
            "packet.name": key.packet_name,
            "block.id": block_id,
            "block.count": str(self.datagrams),
            "block.bytes": str(len(self.content) // self.datagrams),
            "block.first_arrival_ns": str(self.first_arrival_ns),
            "shard": str(key.shard),
        }
        return {**named, "reject.reason": key.reject_reason} if key.rejected else named


class Gatherer:
    """Collects entries until `take`; a block that reaches `limit_bytes` is closed and the next one opened."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._open: dict[BlockKey, _Open] = {}
        self._closed: list[Block] = []
        self._open_rejected = 0

    def add(self, key: BlockKey, arrival_ns: int, entry: bytes) -> bool:
        """False when the entry is refused: a rejected datagram while too many kinds of them are open."""
        gathered = self._open.get(key)
        if gathered is None:
            if key.rejected:
                if self._open_rejected >= OPEN_REJECTED:
                    return False
                self._open_rejected += 1
            gathered = self._open[key] = _Open(arrival_ns, [])
        gathered.entries.append(entry)
        if (len(gathered.entries) + 1) * len(entry) > self._limit:
            self._close(key)
        return True

    @property
    def is_full(self) -> bool:
        return len(self._closed) >= FULL_BLOCKS

    def take(self) -> list[Block]:
        """Everything gathered; blocks of one key in the order of their datagrams."""
        for key in list(self._open):
            self._close(key)
        taken, self._closed = self._closed, []
        return taken

    def counts(self) -> Iterator[tuple[BlockKey, int]]:
        """(key, datagrams) of what is gathered and not yet taken."""
        for key, gathered in self._open.items():
            yield key, len(gathered.entries)
        for closed in self._closed:
            yield closed.key, closed.datagrams

    def _close(self, key: BlockKey) -> None:
        gathered = self._open.pop(key)
        self._open_rejected -= key.rejected
        content = b"".join(gathered.entries)
        self._closed.append(Block(key, len(gathered.entries), gathered.first_arrival_ns, content))


class _Open(NamedTuple):
    first_arrival_ns: int
    entries: list[bytes]
