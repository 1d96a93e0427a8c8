"""Records: how the spool writes blocks into a file, so that what is read back is what was written or known to be lost.

A file is records back to back, every integer little-endian:

    magic          4 B   b"PLR1"
    kind           u8    1 block, 2 state
    dead letter    u8    1 when the block's datagrams are rejected ones
    datagrams      u32   how many the block holds; 0 for a state
    payload bytes  u32
    sequence       u64   of the block; of a state, that of the next block
    packets        u64   datagrams of all blocks before this record that were packets …
    dead letters   u64   … and that were rejected, since the spool began
    payload CRC    u32   CRC-32 of the payload
    header CRC     u32   CRC-32 of the 42 bytes before it
    payload

A block's payload is u16 length, JSON (its key and the arrival of its first datagram), content. A state's is JSON.

A header that fails its CRC hides where the next record begins: `scan` then looks for the next magic whose header
holds. The sums in every header tell exactly how many datagrams lay in between.
"""

import struct
import zlib
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

import orjson

from udp_gateway.blocks import Block, BlockKey

MAGIC = b"PLR1"
BLOCK, STATE = 1, 2
_FIELDS = struct.Struct("<4sBBIIQQQI")
_CRC = struct.Struct("<I")
_LENGTH = struct.Struct("<H")
HEADER_BYTES = _FIELDS.size + _CRC.size


class Sums(NamedTuple):
    """Datagrams of blocks, apart by what they are."""

    packets: int = 0
    dead_letters: int = 0

    @classmethod
    def of(cls, key: BlockKey, datagrams: int) -> "Sums":
        return cls(0, datagrams) if key.rejected else cls(datagrams, 0)

    def __add__(self, other: "Sums") -> "Sums":  # type: ignore[override]
        return Sums(self.packets + other.packets, self.dead_letters + other.dead_letters)

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(self.packets - other.packets, self.dead_letters - other.dead_letters)

    @property
    def total(self) -> int:
        return self.packets + self.dead_letters


class Record(NamedTuple):
    """A header that holds, and where its payload lies: `data[start:end]`, which `payload` checks."""

    kind: int
    holds: Sums
    sequence: int
    before: Sums
    crc: int
    start: int
    end: int

    @property
    def after(self) -> Sums:
        return self.before + self.holds

    def payload(self, data: bytes | mmap) -> bytes | None:
        """None when the payload is damaged."""
        payload = data[self.start : self.end]
        return payload if zlib.crc32(payload) == self.crc else None


def block(block: Block, sequence: int, before: Sums) -> tuple[bytes, ...]:
    """The record of a block, in parts to be joined: a block is large, and each copy of it takes time."""
    key = orjson.dumps([*block.key, block.first_arrival_ns])
    head = _LENGTH.pack(len(key)) + key
    return _record(BLOCK, block.key.rejected, block.datagrams, sequence, before, head, block.content)


def state(said: object, sequence: int, before: Sums) -> tuple[bytes, ...]:
    """The record of a state, `said` being plain JSON values; in parts as well."""
    return _record(STATE, False, 0, sequence, before, orjson.dumps(said))


def read_block(payload: bytes, datagrams: int) -> Block:
    """The block of a payload that is whole."""
    begin = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    *key, first_arrival_ns = orjson.loads(payload[_LENGTH.size : begin])
    return Block(BlockKey(*key), datagrams, first_arrival_ns, payload[begin:])


def scan(data: bytes | mmap) -> Iterator[Record]:
    """Every record of a file whose header holds and whose payload lies within the file, in order."""
    at = 0
    while at + HEADER_BYTES <= len(data):
        found = _header(data, at)
        if found is None or found.end > len(data):
            at = data.find(MAGIC, at + 1)
            if at < 0:
                return
        else:
            yield found
            at = found.end


def _record(
    kind: int, rejected: bool, datagrams: int, sequence: int, before: Sums, head: bytes, content: bytes = b""
) -> tuple[bytes, ...]:
    crc = zlib.crc32(content, zlib.crc32(head))
    size = len(head) + len(content)
    fields = _FIELDS.pack(MAGIC, kind, rejected, datagrams, size, sequence, *before, crc)
    return fields, _CRC.pack(zlib.crc32(fields)), head, content


def _header(data: bytes | mmap, at: int) -> Record | None:
    start = at + HEADER_BYTES
    fields = data[at : start - _CRC.size]
    if not fields.startswith(MAGIC) or _CRC.unpack_from(data, start - _CRC.size)[0] != zlib.crc32(fields):
        return None
    _, kind, rejected, datagrams, size, sequence, packets, dead_letters, crc = _FIELDS.unpack(fields)
    holds = Sums(0, datagrams) if rejected else Sums(datagrams, 0)
    return Record(kind, holds, sequence, Sums(packets, dead_letters), crc, start, start + size)
