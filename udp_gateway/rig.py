"""What is known of one rig: its session, the followed car and its newest packets. Pure state, no clock."""

from dataclasses import dataclass, field

from f1_packets import PACKETS, Header, Packet
from udp_gateway.live_state import LiveState
from udp_gateway.message import CAR_TELEMETRY
from udp_gateway.session_row import SessionRow, SessionSample

REORDER_FRAMES = 120
"""A packet so few frames behind the newest came late and shows nothing new; one further behind is a new start."""

LARGEST_GAP = 600
"""A jump in overall frames beyond this (10 s at 60 Hz) is a pause, not loss."""


@dataclass(slots=True)
class Rig:
    name: str
    shard: int
    datagrams: int = 0
    last_seen_ns: int = 0
    packet_format: int = 0
    session_uid: int = 0
    frame: int = 0
    """Newest overall frame of a car telemetry packet."""
    frames: int = 0
    """Frames that came, by the overall frames of car telemetry; of what is expected with `frame_gaps`."""
    frame_gaps: int = 0
    """Frames that should have come and did not, by the overall frames of car telemetry."""
    noted_ns: int = 0
    """When the log was last told of a new session."""
    session: SessionRow | None = None
    sample: SessionSample | None = None
    _step: int = LARGEST_GAP
    """Overall frames from one packet to the next when nothing is lost: the smallest step seen in the session."""
    _newest: dict[int, bytes] = field(default_factory=dict)
    _frames: dict[int, int] = field(default_factory=dict)

    @property
    def session_name(self) -> str:
        """The session UID as status, log and database show it: 16 hex digits, zeros in menus and lobbies."""
        return f"{self.session_uid:016x}"

    def see(self, header: Header, now_ns: int) -> bool:
        """Notes that a datagram came; True when it is the first of another session or format."""
        self.datagrams += 1
        self.last_seen_ns = now_ns
        if header.session_uid == self.session_uid and header.packet_format == self.packet_format:
            return False
        self.session_uid, self.packet_format = header.session_uid, header.packet_format
        self.session, self.sample, self.frame, self._step = None, None, 0, LARGEST_GAP
        self._newest, self._frames = {}, {}
        return True

    def follow(self, packet: Packet, header: Header, datagram: bytes, now_ns: int) -> LiveState | None:
        """Takes a packet of the live message; the new live state when this one completes a frame (CarTelemetry).

        None for a packet that came too late to be news.
        """
        frame = header.overall_frame_identifier
        if 0 < self._frames.get(packet.id, 0) - frame <= REORDER_FRAMES:
            return None
        self._frames[packet.id] = frame
        self._newest[packet.id] = datagram
        if packet.id != CAR_TELEMETRY:
            return None
        self._count_gap(frame)
        followed = self.followed_car(header)
        return LiveState(self.name, now_ns, header, followed, self._newest, self.session, self.sample)

    def followed_car(self, header: Header) -> int | None:
        """The spectated car while spectating, else the player's; None when the packets have no such car."""
        index: int | None = header.player_car_index
        if self.session is not None and self.session.is_spectating:
            index = self.session.spectator_car_index
        in_range = index is not None and index < PACKETS[self.packet_format, CAR_TELEMETRY].num_cars
        return index if in_range else None

    def _count_gap(self, frame: int) -> None:
        step = frame - self.frame
        if self.frame and 0 < step <= LARGEST_GAP:
            self._step = min(self._step, step)
            self.frame_gaps += step // self._step - 1
        self.frames += step != 0
        self.frame = frame
