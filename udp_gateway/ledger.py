"""Counts of what became of every datagram. At any moment, each term counted where the datagrams are:

    received = stored + skipped + forwarded + waiting + rejected + dropped

    stored     session packets whose row is in Postgres (or a newer one that stands for it)
    skipped    session packets without a session, by reason (`no_session`, `empty_session`)
    forwarded  packets that NiFi took (answered 200)
    waiting    packets still gathered, in the outbox or in the session queue
    rejected   datagrams that are no packets, by reason; they go to NiFi's dead letter, so
               rejected = dead_letter.forwarded + dead_letter.waiting + dead_letter.dropped
    dropped    packets given up, by reason (`outbox_full`, `sessions_full`, `refused` by
               Postgres)

What NiFi has is forwarded + dead_letter.forwarded. What never reached the socket is in no term: the kernel's
drops and each rig's frame gaps tell of it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from udp_gateway.blocks import Block, BlockKey


@dataclass
class Ledger:
    received: int = 0
    stored: int = 0
    forwarded: int = 0
    dead_letter_forwarded: int = 0
    dead_letter_dropped: int = 0
    packets: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    """By (format, ID, name); everything received that was not rejected."""
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def block_arrived(self, block: Block) -> None:
        if block.key.rejected:
            self.dead_letter_forwarded += block.datagrams
        else:
            self.forwarded += block.datagrams

    def block_dropped(self, block: Block, reason: str) -> None:
        if block.key.rejected:
            self.dead_letter_dropped += block.datagrams
        else:
            self.dropped[reason] += block.datagrams

    def as_dict(self, waiting_blocks: Iterable[tuple[BlockKey, int]], waiting_sessions: int) -> dict[str, object]:
        """The terms of the equation, given what waits: (key, datagrams) of every block, and session packets."""
        waiting, dead_letter_waiting = waiting_sessions, 0
        for key, count in waiting_blocks:
            if key.rejected:
                dead_letter_waiting += count
            else:
                waiting += count
        packets: dict[str, dict[str, int]] = {}
        for (packet_format, _, name), count in sorted(self.packets.items()):
            packets.setdefault(str(packet_format), {})[name] = count
        return {
            "received": self.received,
            "stored": self.stored,
            "skipped": dict(self.skipped),
            "forwarded": self.forwarded,
            "waiting": waiting,
            "rejected": dict(self.rejected),
            "dropped": dict(self.dropped),
            "dead_letter": {
                "forwarded": self.dead_letter_forwarded,
                "waiting": dead_letter_waiting,
                "dropped": self.dead_letter_dropped,
            },
            "packets": packets,
        }
