"""Blocks: many datagrams of one kind as one message, readable as one numpy array.

A block's content is entries of one length back to back:

    arrival_ns  u64   nanoseconds since the epoch, stamped when the datagram left the socket
    rig         16 B  name of the rig, UTF-8, NUL-padded
    datagram          as received

What the block holds is said beside it (FlowFile attributes, Kafka headers): packet.format, packet.id,
packet.name, block.count, block.bytes (length of an entry), shard.
"""

import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from f1_packets.fields import text
from f1_packets.packets import Packet
from f1_packets.readers import HEADER_BYTES, Rejected, packet_of

RIG_BYTES = 16
PREFIX = struct.Struct(f"<Q{RIG_BYTES}s")


def rig_name(name: str) -> str:
    """`name` if it fits into a block, else its first bytes and a checksum: distinct names stay distinct."""
    raw = name.encode()
    if len(raw) <= RIG_BYTES:
        return name
    return raw[: RIG_BYTES - 8].decode(errors="ignore") + f"{zlib.crc32(raw):08x}"


def shard_of(rig: str, shards: int) -> int:
    """The shard (Kafka partition) of a rig; always the same one."""
    return zlib.crc32(rig.encode()) % shards


def entry(arrival_ns: int, rig: str, datagram: bytes) -> bytes:
    """One entry; `rig` as `rig_name` gives it."""
    return PREFIX.pack(arrival_ns, rig.encode()) + datagram


def entry_bytes(datagram_bytes: int) -> int:
    return PREFIX.size + datagram_bytes


class Entry(NamedTuple):
    arrival_ns: int
    rig: str
    datagram: bytes


def entries(content: bytes, length: int) -> Iterator[Entry]:
    """The entries of a block of any datagrams, each `length` bytes; ValueError if the content does not divide.

    For what no packet's table reads; `decode` takes a whole block of one packet at once.
    """
    if length < PREFIX.size or len(content) % length:
        raise ValueError(f"{len(content)} bytes do not divide into entries of {length}")
    for start in range(0, len(content), length):
        arrival_ns, rig = PREFIX.unpack_from(content, start)
        yield Entry(arrival_ns, text(rig), content[start + PREFIX.size : start + length])


@cache
def entry_dtype(packet: Packet) -> np.dtype:
    """Fields `arrival_ns`, `rig` (S16) and `datagram` (the packet's own dtype)."""
    return np.dtype([("arrival_ns", "<u8"), ("rig", f"S{RIG_BYTES}"), ("datagram", packet.dtype)])


class NotABlock(Rejected):
    """Bytes that are no block of one packet."""

    REASONS = (*Rejected.REASONS, "mixed_packets")


def identify(content: bytes) -> Packet:
    """The packet that a block holds, by the block alone: what every datagram of it says in its header.

    Raises NotABlock; of no bytes, too.
    """
    try:
        packet = packet_of(content[PREFIX.size : PREFIX.size + HEADER_BYTES])
    except Rejected as rejected:
        raise NotABlock(rejected.reason) from rejected
    if len(content) % entry_bytes(packet.size):
        raise NotABlock("wrong_size")
    headers = decode(packet, content)["datagram"]["header"]
    if not ((headers["packet_format"] == packet.format) & (headers["packet_id"] == packet.id)).all():
        raise NotABlock("mixed_packets")
    return packet


def decode(packet: Packet, content: bytes) -> np.ndarray:
    """A block's content as an array of `entry_dtype(packet)`, without a copy; ValueError if it does not divide."""
    return np.frombuffer(content, dtype=entry_dtype(packet))


def columns(packet: Packet, content: bytes) -> dict[str, np.ndarray]:
    """A block's content as a contiguous array for each field, by its dotted path.

    n datagrams give (n,) for `arrival_ns`, `rig` and `header.session_uid`, (n, cars) for `cars.speed_kmh`, and one axis
    more for a field that is an array itself. ValueError as of `decode`. For a few fields, `decode` and take those.
    """
    entries = decode(packet, content)
    found = {name: np.ascontiguousarray(entries[name]) for name in ("arrival_ns", "rig")}
    pending = [("", entries["datagram"])]
    while pending:
        prefix, structs = pending.pop()
        for name, (kind, offset, *_) in (structs.dtype.fields or {}).items():
            if kind.base.names:
                pending.append((f"{prefix}{name}.", structs[name]))
            elif kind.subdtype is None:
                found[prefix + name] = np.ascontiguousarray(structs[name])
            else:
                # An array within a struct is copied whole: four single bytes would take four times as long.
                whole = np.ascontiguousarray(structs.getfield(np.dtype((np.void, kind.itemsize)), offset))
                found[prefix + name] = whole.view(kind.base).reshape(structs.shape + kind.shape)
    return found
