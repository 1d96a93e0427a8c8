"""What to do with a datagram. Pure: no socket, no clock, no I/O; the same datagrams give the same effects.

Each datagram has exactly one fate, so that the counts close:

    Forward        a packet for NiFi, by block
    StoreSession   a session packet for Postgres
    Skip           a session packet that says nothing about a session (reason)
    Reject         bytes that are no packet (reason); they go to the dead letter, by block

and beside it perhaps a ShowLive (the rig's cars have a new frame), which comes first since someone is waiting for it, and a Note (for the log).
"""

from collections.abc import Mapping
from typing import NamedTuple

from f1_packets import PACKET_IDS, PACKETS, Header, Packet, Rejected, block, identify, read_header
from udp_gateway.blocks import BlockKey
from udp_gateway.live_state import LiveState
from udp_gateway.message import CAR_PACKETS
from udp_gateway.rig import Rig
from udp_gateway.session_row import SessionRow, SessionSample, read_session

SESSION = PACKET_IDS["session"]

MAX_RIGS = 1000
"""Rigs remembered at once; beyond it the one unseen for longest is forgotten (sources can be forged)."""

NOTE_EVERY_NS = 1_000_000_000
"""Two games behind one address swap the session with every packet; the log gets one line a second of that."""


class Forward(NamedTuple):
    key: BlockKey
    arrival_ns: int
    entry: bytes


class StoreSession(NamedTuple):
    row: SessionRow
    sample: SessionSample | None
    """None when nothing of it changed since the last one."""


class Skip(NamedTuple):
    packet_format: int
    reason: str
    """`no_session`: UID 0, menus and lobbies. `empty_session`: no track, as F1 24 sends after loading a game."""


class Reject(NamedTuple):
    key: BlockKey
    arrival_ns: int
    entry: bytes


class ShowLive(NamedTuple):
    state: LiveState


class Note(NamedTuple):
    event: str
    fields: dict[str, object]


Effect = Forward | StoreSession | Skip | Reject | ShowLive | Note


class Core:
    """The gateway's memory between datagrams: which rigs there are and what each was last seen doing."""

    def __init__(self, rig_names: Mapping[str, str], shards: int) -> None:
        self._rig_names = rig_names
        self._shards = shards
        self._by_source: dict[str, Rig] = {}
        self._keys = {
            (packet_format, packet_id, shard): BlockKey(packet_format, packet_id, packet.name, shard, packet.size)
            for (packet_format, packet_id), packet in PACKETS.items()
            for shard in range(shards)
        }
        self.rigs: dict[str, Rig] = {}
        """By name; sources that settings give one name are one rig."""

    def decide(self, datagram: bytes, source: str, now_ns: int) -> tuple[Effect, ...]:
        """The effects of one datagram from `source` (an address), arrived at `now_ns` (since the epoch)."""
        try:
            packet = identify(datagram)
        except Rejected as rejected:
            return (self._reject(datagram, source, now_ns, rejected.reason),)
        header = read_header(datagram)
        rig = self._by_source.get(source)
        notes: tuple[Effect, ...] = ()
        if rig is None:
            rig = self._meet(source)
            notes = (Note("rig appeared", {"rig": rig.name, "source": source}),)
        if rig.see(header, now_ns) and now_ns - rig.noted_ns >= NOTE_EVERY_NS:
            rig.noted_ns = now_ns
            begun = {"rig": rig.name, "session": f"{header.session_uid:016x}", "packet_format": header.packet_format}
            notes += (Note("session began", begun),)
        if packet.id == SESSION:
            return (self._session(rig, packet, header, datagram, now_ns), *notes)
        key = self._keys[header.packet_format, packet.id, rig.shard]
        forward = Forward(key, now_ns, block.entry(now_ns, rig.name, datagram))
        if packet.id in CAR_PACKETS:
            state = rig.follow(packet, header, datagram, now_ns)
            if state is not None:
                return (ShowLive(state), forward, *notes)
        return (forward, *notes)

    def _session(self, rig: Rig, packet: Packet, header: Header, datagram: bytes, now_ns: int) -> Effect:
        if header.session_uid == 0:
            return Skip(packet.format, "no_session")
        row, sample = read_session(packet, header, datagram, rig.name, now_ns)
        if row.track_length_m == 0:
            return Skip(packet.format, "empty_session")
        changed = sample.differs(rig.sample)
        if rig.session is None or row.overall_frame >= rig.session.overall_frame:
            rig.session, rig.sample = row, sample
        return StoreSession(row, sample if changed else None)

    def _reject(self, datagram: bytes, source: str, now_ns: int, reason: str) -> Reject:
        name = self._name(source)
        shard = block.shard_of(name, self._shards)
        key = BlockKey(0, 0, "rejected", shard, len(datagram), reason)
        return Reject(key, now_ns, block.entry(now_ns, name, datagram))

    def _meet(self, source: str) -> Rig:
        if len(self._by_source) >= MAX_RIGS:
            forgotten = min(self._by_source, key=lambda other: self._by_source[other].last_seen_ns)
            self.rigs.pop(self._by_source.pop(forgotten).name, None)
        name = self._name(source)
        rig = self.rigs.get(name)
        if rig is None:
            rig = self.rigs[name] = Rig(name, block.shard_of(name, self._shards))
        self._by_source[source] = rig
        return rig

    def _name(self, source: str) -> str:
        return block.rig_name(self._rig_names.get(source, source.removeprefix("::ffff:")))
