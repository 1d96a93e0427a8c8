"""From blocks to samples: all datagrams of one kind as one array, each with its session and its order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from f1_packets import PACKET_IDS, PACKETS, SESSION_END_ORDER, Packet
from f1_packets.block import entry_dtype

OF_A_LOBBY = "lobby_info"
"""The packet that is sent when there is no session."""


class Block(NamedTuple):
    """The value of a Kafka record with what its headers say, and where it was read."""

    packet_format: int
    packet_id: int
    shard: int
    content: bytes
    topic: str | None = None
    offset: int | None = None
    """None, as `topic`, for what does not come from Kafka."""
    waited: Sequence[int] | None = None
    """Of datagrams that waited since the batch before: the place of each in the block that it came in."""


ORIGIN = np.dtype([("block", "i4"), ("place", "i4")])
"""Where a datagram came from: index into Decoded.blocks, and its place in the block as Kafka holds it."""


@dataclass(frozen=True, eq=False)
class Samples:
    """n datagrams of one kind; `session` and `order` (n,) belong to them."""

    packet: Packet
    entries: np.ndarray
    """(n,) of block.entry_dtype(packet)"""
    session: np.ndarray
    """index into Sessions"""
    order: np.ndarray
    """f1_packets.sample_order of each, i8"""
    origin: np.ndarray
    """(n,) of ORIGIN"""
    out: np.ndarray | None = None
    """(n, cars): cars of which these packets say what a rule of quality keeps out of the facts; None: of no car"""

    @property
    def datagrams(self) -> np.ndarray:
        return self.entries["datagram"]

    @property
    def header(self) -> np.ndarray:
        return self.entries["datagram"]["header"]

    @property
    def rewound(self) -> np.ndarray:
        """How many frames flashbacks had taken back until each, i8: a flashback rewinds the one of two frame numbers."""
        header = self.header
        return np.asarray(header["overall_frame_identifier"].astype("i8") - header["frame_identifier"])

    @property
    def num_cars(self) -> int:
        """Cars of a packet of this format that lists all of them."""
        return PACKETS[self.packet.format, PACKET_IDS["lap_data"]].num_cars

    @property
    def sound(self) -> np.ndarray:
        """(n, cars): whether the facts may have what the packet says of the car."""
        return np.ones((len(self.order), self.packet.num_cars), bool) if self.out is None else ~self.out

    def take(self, index: np.ndarray) -> "Samples":
        out = None if self.out is None else self.out[index]
        return Samples(
            self.packet, self.entries[index], self.session[index], self.order[index], self.origin[index], out
        )


@dataclass(frozen=True, eq=False)
class Sessions:
    """The (session, rig) pairs of a micro-batch; facts refer to them by index until they leave."""

    uid: np.ndarray
    """i8, two's complement"""
    rig: np.ndarray
    """object: str"""
    shard: np.ndarray

    def key(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The key columns of rows whose session is `index`."""
        return {"session_uid": self.uid[index], "rig": self.rig[index]}


class Decoded(NamedTuple):
    sessions: Sessions
    samples: list[Samples]
    datagrams: int
    rejected_blocks: int
    blocks: list[Block]
    """What was decoded, in the order in which `Samples.origin` counts them"""

    def of(self, name: str) -> list[Samples]:
        """The samples of packet `name`, one for each format that is there."""
        return [s for s in self.samples if s.packet.name == name]

    def had_waited(self, samples: Samples) -> np.ndarray:
        """(n,): which of them the batch before has read already."""
        return np.array([block.waited is not None for block in self.blocks], bool)[samples.origin["block"]]

    def pointer(self, origin: np.ndarray) -> dict[str, np.ndarray]:
        """Columns that tell where in Kafka datagrams lie, from their ORIGIN; NULL for what did not come from there."""
        came = [self.blocks[number] for number in origin["block"].tolist()]
        known = np.array([block.offset is not None for block in came], bool)
        return {
            "topic": np.array([block.topic for block in came], object),
            "record_offset": np.ma.MaskedArray(np.array([block.offset or 0 for block in came], "i8"), ~known),
            "datagram_index": np.ma.MaskedArray(origin["place"], ~known),
        }


def decode(blocks: Iterable[Block]) -> Decoded:
    """Reads blocks with the packets' tables; a block that does not fit its packet is counted and left out.

    Datagrams without a session (UID 0: menus and lobby) are counted and left out too, but for those that tell of a
    lobby, whose rows belong to no session.
    """
    blocks = list(blocks)
    contents: dict[Packet, list[bytes]] = defaultdict(list)
    numbers: dict[Packet, list[int]] = defaultdict(list)
    rejected = 0
    for number, block in enumerate(blocks):
        packet = PACKETS.get((block.packet_format, block.packet_id))
        length = entry_dtype(packet).itemsize if packet else 0
        if packet is None or len(block.content) % length:
            rejected += 1
            continue
        contents[packet].append(block.content)
        numbers[packet].append(number)

    # One buffer for each kind: concatenating arrays would cost a copy more and lose the packed layout.
    arrays = {packet: np.frombuffer(b"".join(parts), entry_dtype(packet)) for packet, parts in contents.items()}
    wanted = {packet: _in_session(packet, entries) for packet, entries in arrays.items()}
    kept = {packet: entries[wanted[packet]] for packet, entries in arrays.items()}
    came = {packet: _origins(packet, blocks, found)[wanted[packet]] for packet, found in numbers.items()}
    shard = np.array([block.shard for block in blocks], "i2")
    sessions, indices = _sessions([(kept[p], shard[came[p]["block"]]) for p in kept])
    samples = [
        Samples(packet, entries, index, orders(entries["datagram"]["header"]), came[packet])
        for (packet, entries), index in zip(kept.items(), indices, strict=True)
        if len(entries)
    ]
    return Decoded(sessions, samples, sum(map(len, arrays.values())), rejected, blocks)


def _origins(packet: Packet, blocks: Sequence[Block], numbers: Sequence[int]) -> np.ndarray:
    """ORIGIN of each datagram of those blocks, one after the other."""
    lengths = np.array([len(blocks[number].content) for number in numbers]) // entry_dtype(packet).itemsize
    ends = np.cumsum(lengths)
    origin = np.empty(ends[-1], ORIGIN)
    origin["block"] = np.repeat(numbers, lengths)
    origin["place"] = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    for number, end, length in zip(numbers, ends.tolist(), lengths.tolist(), strict=True):
        if (waited := blocks[number].waited) is not None:
            origin["place"][end - length : end] = waited
    return origin


def orders(header: np.ndarray) -> np.ndarray:
    """`f1_packets.sample_order` over an array of headers, i8."""
    frame = header["overall_frame_identifier"].astype("i8")
    return np.where((frame == 0) & (header["session_time_s"] > 0), SESSION_END_ORDER, frame)


def _in_session(packet: Packet, entries: np.ndarray) -> np.ndarray:
    header = entries["datagram"]["header"]
    same_kind = (header["packet_format"] == packet.format) & (header["packet_id"] == packet.id)
    return same_kind & ((header["session_uid"] != 0) | (packet.name == OF_A_LOBBY))


def _sessions(arrays: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Sessions, list[np.ndarray]]:
    """The distinct (UID, rig) of all arrays, and for each array the index of each entry's."""
    pair = np.dtype([("uid", "<i8"), ("rig", "S16")])
    lengths = [len(entries) for entries, _ in arrays]
    pairs = np.empty(sum(lengths), pair)
    shards = np.empty(sum(lengths), "i2")
    at = 0
    for entries, shard in arrays:
        pairs["uid"][at : at + len(entries)] = entries["datagram"]["header"]["session_uid"].astype("<i8")
        pairs["rig"][at : at + len(entries)] = entries["rig"]
        shards[at : at + len(entries)] = shard
        at += len(entries)
    _, first, index = np.unique(pairs.view(f"V{pair.itemsize}"), return_index=True, return_inverse=True)
    found = pairs[first]
    # Postgres takes no text with a zero byte, and whoever posts to NiFi may put one anywhere.
    names = (rig.replace(b"\0", b"?").decode("utf-8", errors="replace") for rig in found["rig"].tolist())
    rigs = np.array(list(names), dtype=object)
    split = np.split(index.reshape(-1), np.cumsum(lengths)[:-1]) if arrays else []
    return Sessions(found["uid"].copy(), rigs, shards[first]), split
