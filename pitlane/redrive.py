"""Sends dead letters again, the way they came: to the port where NiFi takes blocks, with the `block.id` they had.

For when what held them up is mended. A block that Kafka refused or no route wanted goes as it was posted. One that the
gateway rejected goes as the gateway would send it today: a newer Pitlane may know a packet that an older one did not.
What is refused again comes back as a new dead letter, and nothing here sends that one by itself.

A dead letter is marked after NiFi answered 200. Who is interrupted in between sends it once more: then it stands in Kafka
twice, and facts written by natural key stay the same.

DeadLetterError (pitlane.dead_letters)
└── StillRejected  the gateway would reject it today as well; it stays as it is
"""

import ssl
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from f1_packets import PACKET_IDS, Packet, Rejected, identify
from nifi.blocks_port import post
from pitlane import topics
from pitlane.dead_letters import DeadLetter, DeadLetterError, DeadLetters, datagrams_of
from udp_gateway.blocks import Block, BlockKey

FlowFile = tuple[dict[str, str], bytes]


class StillRejected(DeadLetterError):
    reason = "still_rejected"


class Redriven(NamedTuple):
    letter: DeadLetter
    problem: str
    """Why it stays as it is; empty when it was sent."""


def redrive(
    letters: DeadLetters, chosen: Iterable[DeadLetter], url: str, context: ssl.SSLContext
) -> Iterator[Redriven]:
    """Posts each to NiFi at `url` and marks it; what was sent before is left alone.

    `context` is for an https URL. Raises DeadLetterError, and NotTaken when NiFi does not take one: it stays open, and so
    do those behind it.
    """
    for letter in chosen:
        if letter.redriven is not None:
            yield Redriven(letter, f"was sent again at {letter.redriven:%Y-%m-%d %H:%M:%S}")
            continue
        try:
            found = flowfiles(letter, letters.content(letter.where))
        except StillRejected as error:
            yield Redriven(letter, str(error))
            continue
        post(url, found, context)
        letters.mark(letter.where)
        yield Redriven(letter, "")


def flowfiles(letter: DeadLetter, content: bytes) -> list[FlowFile]:
    """What to post of a dead letter. Raises StillRejected."""
    times = letter.headers.get(topics.AGAIN, "0")
    again = {topics.AGAIN: str(int(times) + 1 if times.isdecimal() else 1)}
    if letter.headers.get("packet.id") == "none":
        return [(attributes | again, block) for attributes, block in _identified(letter, content)]
    kept = {name: value for name, value in letter.headers.items() if not name.startswith("reject.")}
    return [(kept | again, content)]


def _identified(letter: DeadLetter, content: bytes) -> Iterator[FlowFile]:
    """Blocks of the packets that these datagrams are; they need not be of one kind."""
    length = int(letter.headers.get("block.bytes", "0"))
    gathered: dict[Packet, list[int]] = {}
    problems: Counter[str] = Counter()
    entries = datagrams_of(letter.headers, content)
    for number, entry in enumerate(entries):
        try:
            packet = identify(entry.datagram)
        except Rejected as rejected:
            problems[rejected.reason] += 1
            continue
        if packet.id == PACKET_IDS["session"]:
            problems["session packets, which the gateway stores itself"] += 1
        else:
            gathered.setdefault(packet, []).append(number)
    if problems or not entries:
        why = ", ".join(f"{reason} {count:,}" for reason, count in problems.items()) or "no block"
        raise StillRejected(f"the gateway would not forward it today either: {why}")
    shard = {"shard": letter.headers.get("shard", "0")}
    for packet, numbers in gathered.items():
        key = BlockKey(packet.format, packet.id, packet.name, 0, packet.size)
        part = b"".join(content[number * length : (number + 1) * length] for number in numbers)
        block = Block(key, len(numbers), entries[numbers[0]].arrival_ns, part)
        yield block.attributes(letter.headers.get("block.id", "")) | shard, part
