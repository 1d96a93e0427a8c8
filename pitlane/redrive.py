"""Sends dead letters again, the way they came: to the port where NiFi takes blocks, with the `block.id` they had.

For when what held them up is mended. A block that Kafka refused or no route wanted goes as it was posted. One that the
gateway rejected goes as the gateway would send it today: a newer Pitlane may know a packet that an older one did not.
What is refused again comes back as a new dead letter, and nothing here sends that one by itself.

A dead letter is marked after NiFi answered 200. Who is interrupted in between sends it once more: then it stands in Kafka
twice, and facts written by natural key stay the same.

DeadLetterError (pitlane.dead_letters)
├── StillRejected  the gateway would reject it today as well; it stays as it is
└── NotTaken       NiFi did not take it; it stays open, and so do those behind it
"""

import ssl
from collections import Counter
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from f1_packets import PACKET_IDS, Packet, Rejected, identify
from pitlane import tls, topics
from pitlane.dead_letters import DeadLetter, DeadLetterError, DeadLetters, datagrams_of
from udp_gateway import flowfile
from udp_gateway.blocks import Block, BlockKey
from udp_gateway.post import MEANING

TIMEOUT_S = 30

FlowFile = tuple[dict[str, str], bytes]


class StillRejected(DeadLetterError):
    reason = "still_rejected"


class NotTaken(DeadLetterError):
    reason = "nifi_refuses"


class Redriven(NamedTuple):
    letter: DeadLetter
    problem: str
    """Why it stays as it is; empty when it was sent."""


def redrive(
    letters: DeadLetters, chosen: Iterable[DeadLetter], url: str, context: ssl.SSLContext | None = None
) -> Iterator[Redriven]:
    """Posts each to NiFi at `url` and marks it; what was sent before is left alone.

    `context` is for an https URL. Raises DeadLetterError.
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
        _post(url, flowfile.pack(found), context)
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


def _post(url: str, body: bytes, context: ssl.SSLContext | None) -> None:
    """Returns when NiFi has answered 200. Raises NotTaken."""
    where = urlsplit(url)
    host, port = where.hostname or "", where.port
    secure = where.scheme == "https"
    connection = (
        HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        if secure
        else HTTPConnection(host, port, timeout=TIMEOUT_S)
    )
    try:
        connection.request("POST", where.path, body, {"Content-Type": flowfile.CONTENT_TYPE})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        why = tls.told(error) or error
        raise NotTaken(f"NiFi does not answer at {url}: {why}", "pitlane flow status") from error
    finally:
        connection.close()
    if status != 200:
        raise NotTaken(
            f"NiFi takes no block: HTTP {status}: {MEANING.get(status, 'not told why')}", "pitlane flow status"
        )
