"""Blocks that try out the flow: one packet of every ID of every format, each with its topic."""

import os
import secrets
import struct
from dataclasses import dataclass

from f1_packets import FORMATS, PACKETS, block
from pitlane import topics
from udp_gateway.blocks import Block, BlockKey

RIG = "flow-check"
UNKNOWN_ID = 255


@dataclass(frozen=True, eq=False)
class Probe:
    what: str
    """Name and format, for people: lap_data 2025."""
    topic: str
    """Where it belongs …"""
    partition: int | None
    """… and into which partition; None for any."""
    attributes: dict[str, str]
    content: bytes

    @property
    def block_id(self) -> str:
        return self.attributes["block.id"]


def probes(shards: int, prefix: str) -> list[Probe]:
    """Every packet once, spread over the shards, as the gateway would post them."""
    found = []
    for number, packet in enumerate(PACKETS.values()):
        key = BlockKey(packet.format, packet.id, packet.name, number % shards, packet.size)
        found.append(_probe(key, topics.topic(packet.name, prefix), key.shard))
    return found


def unknown(prefix: str) -> Probe:
    """One that no route can want."""
    return _probe(BlockKey(FORMATS[-1], UNKNOWN_ID, "unknown", 0, 64), topics.dead_letter(prefix), None)


def _probe(key: BlockKey, topic: str, partition: int | None) -> Probe:
    content = block.entry(0, RIG, _datagram(key))
    attributes = Block(key, 1, 0, content).attributes(f"{RIG}.{secrets.token_hex(8)}")
    return Probe(f"{key.packet_name} {key.packet_format}", topic, partition, attributes, content)


def _datagram(key: BlockKey) -> bytes:
    """Any bytes behind a header of no session (UID 0), which no table of Postgres takes."""
    raw = bytearray(os.urandom(key.datagram_bytes))
    struct.pack_into("<H", raw, 0, key.packet_format)
    struct.pack_into("<BQ", raw, 6, key.packet_id, 0)
    return bytes(raw)
