"""What to do with a datagram. Pure: no socket, no clock, no I/O; the same datagrams give the same effects.

Each datagram has exactly one fate, so that the counts close:

    Forward        a packet for NiFi, by block
    StoreSession   a session packet for Postgres, by block as well
    Skip           a session packet that says nothing about a session (reason)
    Reject         bytes that are no packet (reason); they go to the dead letter, by block
    Drop           whatever a source sends that may not, or not so much (reason)

and beside it perhaps a ShowLive (the rig's cars have a new frame), which comes first since someone is waiting for it, and a Note (for the log).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from f1_packets import PACKET_IDS, PACKETS, Header, Packet, Rejected, block, identify, read_header
from udp_gateway.blocks import BlockKey
from udp_gateway.live_state import LiveState
from udp_gateway.message import CAR_PACKETS
from udp_gateway.rig import Rig
from udp_gateway.session_row import read_session
from udp_gateway.sources import MAX_SOURCES, Network, Source, Sources

SESSION = PACKET_IDS["session"]

NOTE_EVERY_NS = 1_000_000_000
"""Two games behind one address swap the session with every packet, and a flood is above its limit with each: the log
gets one line a second of that."""


class Forward(NamedTuple):
    key: BlockKey
    arrival_ns: int
    entry: bytes


class StoreSession(NamedTuple):
    key: BlockKey
    arrival_ns: int
    entry: bytes


class Skip(NamedTuple):
    packet_format: int
    reason: str
    """`no_session`: UID 0, menus and lobbies. `empty_session`: no track, as F1 24 sends after loading a game."""


class Reject(NamedTuple):
    key: BlockKey
    arrival_ns: int
    entry: bytes


class Drop(NamedTuple):
    reason: str
    """`source_unknown`: not in the list of allowed ones. `source_limit`: above its rate."""


class ShowLive(NamedTuple):
    state: LiveState


class Note(NamedTuple):
    event: str
    fields: dict[str, object]


Effect = Forward | StoreSession | Skip | Reject | Drop | ShowLive | Note

SOURCE_UNKNOWN = (Drop("source_unknown"),)
_SOURCE_LIMIT = (Drop("source_limit"),)


class Core:
    """The gateway's memory between datagrams: who sends, which rigs there are, what each was last seen doing."""

    def __init__(
        self,
        rig_names: Mapping[str, str],
        shards: int,
        allowed: Iterable[Network] | None = None,
        source_rate: int = 0,
    ) -> None:
        """`rig_names` maps addresses to names; `allowed` and `source_rate` (datagrams a second) None and 0: no limit."""
        self._rig_names = rig_names
        self._shards = shards
        self._sources = Sources(allowed)
        self._interval_ns = 1_000_000_000 // source_rate if source_rate else 0
        self._keys = {
            (packet_format, packet_id, shard): BlockKey(packet_format, packet_id, packet.name, shard, packet.size)
            for (packet_format, packet_id), packet in PACKETS.items()
            for shard in range(shards)
        }
        self.rigs: dict[str, Rig] = {}
        """By name; sources that settings give one name are one rig."""

    def decide(self, datagram: bytes, source: str, now_ns: int) -> tuple[Effect, ...]:
        """The effects of one datagram from `source` (an address), arrived at `now_ns` (since the epoch)."""
        sender = self._sources.find(source, now_ns)
        if sender is None:
            return SOURCE_UNKNOWN
        if not sender.admit(now_ns, self._interval_ns):
            return self._limit(sender, source, now_ns)
        try:
            packet = identify(datagram)
        except Rejected as rejected:
            return (self._reject(datagram, source, now_ns, rejected.reason),)
        header = read_header(datagram)
        notes: tuple[Effect, ...] = ()
        rig = sender.rig
        if rig is None:
            rig = sender.rig = self._meet(source)
            notes = (Note("rig appeared", {"rig": rig.name, "source": source}),)
        if rig.see(header, now_ns) and now_ns - rig.noted_ns >= NOTE_EVERY_NS:
            rig.noted_ns = now_ns
            begun = {"rig": rig.name, "session": rig.session_name, "packet_format": header.packet_format}
            notes += (Note("session began", begun),)
        key = self._keys[header.packet_format, packet.id, rig.shard]
        entry = block.entry(now_ns, rig.name, datagram)
        if packet.id == SESSION:
            reason = self._unwanted_session(rig, packet, header, datagram, now_ns)
            return (Skip(packet.format, reason) if reason else StoreSession(key, now_ns, entry), *notes)
        forward = Forward(key, now_ns, entry)
        if packet.id in CAR_PACKETS:
            state = rig.follow(packet, header, datagram, now_ns)
            if state is not None:
                return (ShowLive(state), forward, *notes)
        return (forward, *notes)

    @staticmethod
    def _limit(sender: Source, source: str, now_ns: int) -> tuple[Effect, ...]:
        sender.limited += 1
        if now_ns - sender.noted_ns < NOTE_EVERY_NS:
            return _SOURCE_LIMIT
        dropped, sender.limited, sender.noted_ns = sender.limited, 0, now_ns
        rig = {"rig": sender.rig.name} if sender.rig is not None else {}
        return (*_SOURCE_LIMIT, Note("source above its limit", {"source": source, **rig, "dropped": dropped}))

    @staticmethod
    def _unwanted_session(rig: Rig, packet: Packet, header: Header, datagram: bytes, now_ns: int) -> str:
        """Why a session packet says nothing; "" for one that does, which the rig then remembers."""
        if header.session_uid == 0:
            return "no_session"
        row, sample, _ = read_session(packet, header, datagram, rig.name, now_ns)
        if row.track_length_m == 0:
            return "empty_session"
        if rig.session is None or row.overall_frame >= rig.session.overall_frame:
            rig.session, rig.sample = row, sample
        return ""

    def _reject(self, datagram: bytes, source: str, now_ns: int, reason: str) -> Reject:
        name = self._name(source)
        shard = block.shard_of(name, self._shards)
        key = BlockKey(0, 0, "rejected", shard, len(datagram), reason)
        return Reject(key, now_ns, block.entry(now_ns, name, datagram))

    def _meet(self, source: str) -> Rig:
        if len(self.rigs) >= MAX_SOURCES:
            remembered = self._sources.rigs()
            self.rigs = {name: rig for name, rig in self.rigs.items() if name in remembered}
        name = self._name(source)
        rig = self.rigs.get(name)
        if rig is None:
            rig = self.rigs[name] = Rig(name, block.shard_of(name, self._shards))
        return rig

    def _name(self, source: str) -> str:
        return block.rig_name(self._rig_names.get(source, source))
