"""Empty packets with their headers filled in: the one place where the simulator meets the wire format."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from f1_packets import EVENTS, PACKET_IDS, PACKETS
from pitlane.simulator.clock import Clock
from pitlane.simulator.config import RaceConfig
from pitlane.simulator.events import Event
from pitlane.simulator.track import Array

Packets = NDArray[Any]
"""Structured arrays of a packet's dtype, or of a part of one."""

SECONDARY_PLAYER = 255
"""No split screen."""


def names_of(packets: Packets) -> set[str]:
    """The fields there are: formats differ."""
    return set(packets.dtype.names or ())


class Wire:
    """Makes packets of one race's format, session and player."""

    def __init__(self, config: RaceConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.format = config.packet_format

    def has(self, name: str) -> bool:
        return (self.format, PACKET_IDS[name]) in PACKETS

    def blank(self, name: str, frames: NDArray[np.int64]) -> Packets:
        """Packets of these overall frames, everything behind the header zero."""
        return self._packets(name, frames, self.clock.session_time_s(frames), self.config.session_uid)

    def closing(self, name: str) -> Packets:
        """One packet of the end of the session: frame 0 with the clock at its last."""
        return self._packets(name, np.zeros(1, np.int64), self.clock.end_session_time_s, self.config.session_uid)

    def lobby(self, name: str, session_time_s: float) -> Packets:
        """One packet before there is a session: UID 0 and frame 0."""
        return self._packets(name, np.zeros(1, np.int64), session_time_s, 0)

    def event(self, event: Event) -> bytes:
        packet = self._packets("event", np.array([event.frame]), event.session_time_s, self.config.session_uid)
        packet["code"] = np.frombuffer(event.code.encode(), np.uint8)
        table = EVENTS[self.format][event.code]
        members = np.zeros((), table.dtype)
        for name, value in event.members.items():
            members[name] = value
        packet["details"][0, : table.size] = np.frombuffer(members.tobytes(), np.uint8)
        return packet.tobytes()

    def _packets(self, name: str, frames: NDArray[np.int64], session_time_s: Array | float, uid: int) -> Packets:
        packet = PACKETS[self.format, PACKET_IDS[name]]
        packets = np.zeros(len(frames), packet.dtype)
        header = packets["header"]
        header["packet_format"] = self.format
        header["game_year"] = min(self.format, 2025) % 100  # the 2026 pack is a season of the 2025 game
        header["game_major_version"], header["game_minor_version"] = 1, 20
        header["packet_version"] = 1
        header["packet_id"] = packet.id
        header["session_uid"] = uid
        header["session_time_s"] = session_time_s
        header["frame_identifier"] = frames
        header["overall_frame_identifier"] = frames
        header["player_car_index"] = self.config.player
        header["secondary_player_car_index"] = SECONDARY_PLAYER
        return packets
