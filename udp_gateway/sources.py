"""Who may send, and how much. Pure: the clock is an argument.

A source is the address that a datagram came from. UDP addresses can be forged, so what is remembered of them is
bounded, and beyond it the sources unseen for longest are forgotten.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from udp_gateway.rig import Rig

MAX_SOURCES = 1000

BURST_NS = 200_000_000
"""A source may be ahead of its rate by what it may send in so long."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Source:
    """One address: its rig once it has sent a packet, and how far it is ahead of its rate."""

    __slots__ = ("_due_ns", "limited", "noted_ns", "rig", "seen_ns")

    def __init__(self, seen_ns: int) -> None:
        self.rig: Rig | None = None
        self.seen_ns = seen_ns
        self.limited = 0
        """Datagrams refused since the log was last told."""
        self.noted_ns = 0
        self._due_ns = 0

    def admit(self, now_ns: int, interval_ns: int) -> bool:
        """Whether one more datagram is within the rate of one each `interval_ns`, bursts of BURST_NS allowed."""
        self.seen_ns = now_ns
        due_ns = max(self._due_ns, now_ns)
        if due_ns - now_ns > BURST_NS + interval_ns:  # further ahead than it can be: the clock was set back
            due_ns = now_ns
        elif due_ns - now_ns > BURST_NS:
            return False
        self._due_ns = due_ns + interval_ns
        return True


class Sources:
    def __init__(self, allowed: Iterable[Network] | None) -> None:
        """`allowed` None is everybody; an empty one is nobody."""
        self._networks = None if allowed is None else tuple(allowed)
        self._known: dict[str, Source] = {}
        # What is refused is not remembered by name, or forged addresses would push the real ones out.
        self._refused = lru_cache(maxsize=MAX_SOURCES)(self._is_refused)

    def find(self, address: str, now_ns: int) -> Source | None:
        """The source of this address, None for one that may not send."""
        source = self._known.get(address)
        if source is None:
            if self._networks is not None and self._refused(address):
                return None
            if len(self._known) >= MAX_SOURCES:
                self._forget_half()
            source = self._known[address] = Source(now_ns)
        return source

    def rigs(self) -> set[str]:
        """Names of the rigs that any of them is."""
        return {source.rig.name for source in self._known.values() if source.rig is not None}

    def _is_refused(self, address: str) -> bool:
        sender = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(sender, ipaddress.IPv6Address) and sender.ipv4_mapped:
            sender = sender.ipv4_mapped
        return not any(sender in network for network in self._networks or ())

    def _forget_half(self) -> None:
        by_age = sorted(self._known, key=lambda address: self._known[address].seen_ns, reverse=True)
        self._known = {address: self._known[address] for address in by_age[: MAX_SOURCES // 2]}
