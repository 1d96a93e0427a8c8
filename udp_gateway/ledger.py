"""Counts of what became of every datagram, since the spool began. At any moment, each counted where it is:

    received = stored + skipped + forwarded + waiting + rejected + dropped

    stored     session packets whose row is in Postgres (or a newer one that stands for it)
    skipped    session packets without a session, by reason: SKIPPED
    forwarded  packets that NiFi took (answered 200)
    waiting    packets still gathered or in the spool, for NiFi or for Postgres
    rejected   datagrams that are no packets, by reason; they go to NiFi's dead letter, so
               rejected = dead_letter.forwarded + dead_letter.waiting + dead_letter.dropped
    dropped    packets given up, by reason: DROPPED

What NiFi has is forwarded + dead_letter.forwarded. What never reached the socket is in no term: the kernel's
drops and each rig's frame gaps tell of it.

The counts outlive the process: they are noted in the spool with every append, and `recover` makes them whole again
after a crash. `packets` is for people: what a crash took is in no line of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from udp_gateway.blocks import Block, BlockKey
from udp_gateway.record import Sums

SKIPPED = {
    "no_session": "UID 0, as in menus and lobbies",
    "empty_session": "no track, as F1 24 sends after loading a saved game",
}
"""Why a session packet is left out."""

DROPPED = {
    "source_unknown": "from a source that is not in the list of allowed ones",
    "source_limit": "from a source above its rate limit",
    "spool_full": "the oldest in a spool at its limit",
    "spool_failed": "the disk did not take them",
    "spool_damaged": "damaged on disk",
    "crash": "received, and not yet on disk when the gateway died",
    "refused": "what Postgres or NiFi will not take however often it is tried",
}
"""Why a packet is given up."""


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

    def gathered(self, key: BlockKey, datagrams: int = 1) -> None:
        """Datagrams that go into a block."""
        if key.rejected:
            self.rejected[key.reject_reason] += datagrams
        else:
            self.packets[key.packet_format, key.packet_id, key.packet_name] += datagrams

    def taken(self, sums: Sums) -> None:
        """What NiFi took."""
        self.forwarded += sums.packets
        self.dead_letter_forwarded += sums.dead_letters

    def drop(self, sums: Sums, reason: str) -> None:
        self.dead_letter_dropped += sums.dead_letters
        if sums.packets:
            self.dropped[reason] += sums.packets

    def note(self) -> dict[str, Any]:
        """Every count as plain values, for `recover`."""
        return {
            "received": self.received,
            "stored": self.stored,
            "forwarded": self.forwarded,
            "dead_letter_forwarded": self.dead_letter_forwarded,
            "dead_letter_dropped": self.dead_letter_dropped,
            "packets": [[*kind, count] for kind, count in self.packets.items()],
            "skipped": dict(self.skipped),
            "rejected": dict(self.rejected),
            "dropped": dict(self.dropped),
        }

    @classmethod
    def recover(
        cls, note: Mapping[str, Any] | None, unaccounted: Iterable[Block], waiting: Sums, received: int
    ) -> "Ledger":
        """The ledger after a restart.

        `note` is the last one, `unaccounted` the blocks that were spooled after it, `waiting` what the spools hold,
        and `received` the count that the process kept to its end. What is then missing died with the process.
        """
        ledger = cls()
        if note is not None:
            counters = {name: Counter(note[name]) for name in ("skipped", "rejected", "dropped")}
            packets = Counter({(*kind,): count for *kind, count in note["packets"]})
            ledger = cls(**{**note, **counters, "packets": packets})
        for block in unaccounted:
            ledger.gathered(block.key, block.datagrams)
        rejected = ledger.dead_letter_forwarded + ledger.dead_letter_dropped + waiting.dead_letters
        if rejected > ledger.rejected.total():  # of a block behind the note that is damaged, the key is not known
            ledger.rejected["unknown"] += rejected - ledger.rejected.total()
        accounted = ledger.accounted(waiting)
        ledger.received = max(received, accounted)
        if ledger.received > accounted:
            ledger.dropped["crash"] += ledger.received - accounted
        return ledger

    def accounted(self, waiting: Sums) -> int:
        """The right side of the equation."""
        kept = self.stored + self.skipped.total() + self.forwarded + waiting.packets
        return kept + self.rejected.total() + self.dropped.total()

    def as_dict(self, waiting: Sums) -> dict[str, object]:
        """The terms of the equation, given what waits."""
        packets: dict[str, dict[str, int]] = {}
        for (packet_format, _, name), count in sorted(self.packets.items()):
            packets.setdefault(str(packet_format), {})[name] = count
        return {
            "received": self.received,
            "stored": self.stored,
            "skipped": dict(self.skipped),
            "forwarded": self.forwarded,
            "waiting": waiting.packets,
            "rejected": dict(self.rejected),
            "dropped": dict(self.dropped),
            "dead_letter": {
                "forwarded": self.dead_letter_forwarded,
                "waiting": waiting.dead_letters,
                "dropped": self.dead_letter_dropped,
            },
            "packets": packets,
        }
