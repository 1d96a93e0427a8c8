"""Blocks as the gateway posts them, made from datagrams, for tests that begin behind it."""

from collections.abc import Iterable

from f1_packets import Packet, identify
from f1_packets.block import entry
from spark.jobs.blocks import Block

Timed = tuple[int, bytes]
"""(arrival in ns, datagram)"""


def blocks(datagrams: Iterable[Timed], *, rig: str = "rig", interval_ms: int = 100) -> list[Block]:
    """One block for each kind and interval, in order of time. Session packets are left out, as they never come here."""
    made: list[Block] = []
    gathered: dict[Packet, list[bytes]] = {}
    begun = 0

    def post() -> None:
        made.extend(Block(p.format, p.id, 0, b"".join(entries)) for p, entries in gathered.items())
        gathered.clear()

    for arrival_ns, datagram in datagrams:
        packet = identify(datagram)
        if packet.name == "session":
            continue
        if arrival_ns - begun > interval_ms * 1_000_000:
            post()
            begun = arrival_ns
        gathered.setdefault(packet, []).append(entry(arrival_ns, rig, datagram))
    post()
    return made
