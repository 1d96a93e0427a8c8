"""The three clocks of a packet: the frame, the session time, and when it is sent.

Frames count from the moment that the session is there; the session time stands at 0 until the lights go out. Times
in the model count from lights out, offsets from the first datagram of all, in the lobby.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pitlane.simulator.config import GAME_HZ, RaceConfig
from pitlane.simulator.track import Array


@dataclass(frozen=True)
class Clock:
    """`duration_s` is from lights out to the end of the session."""

    config: RaceConfig
    duration_s: float

    @property
    def lights_out_frame(self) -> int:
        return round(self.config.grid_s * GAME_HZ)

    @property
    def step(self) -> int:
        """Frames from one sent to the next."""
        return GAME_HZ // self.config.rate_hz

    @cached_property
    def frames(self) -> NDArray[np.int64]:
        """Frames that are sent, from 0 to the end of the session."""
        return np.arange(0, self.lights_out_frame + math.floor(self.duration_s * GAME_HZ) + 1, self.step)

    def time_s(self, frames: ArrayLike) -> Array:
        """Seconds from lights out; negative on the grid."""
        return np.asarray((np.asarray(frames) - self.lights_out_frame) / GAME_HZ)

    def session_time_s(self, frames: ArrayLike) -> Array:
        return np.asarray(np.maximum(self.time_s(frames), 0.0))

    def offset_s(self, frames: ArrayLike) -> Array:
        return np.asarray(self.config.lobby_s + np.asarray(frames) / GAME_HZ)

    def frame_after(self, time_s: float) -> int:
        """The first frame in which what happened at a time has happened."""
        return self.lights_out_frame + math.ceil(time_s * GAME_HZ - 1e-6)

    @property
    def end_offset_s(self) -> float:
        return float(self.offset_s(self.frames[-1]))

    @property
    def end_session_time_s(self) -> float:
        return float(self.session_time_s(self.frames[-1]))
