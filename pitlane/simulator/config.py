"""What a simulated race is asked to be."""

from dataclasses import dataclass

import numpy as np

from f1_packets import FORMATS
from pitlane.errors import PitlaneError
from pitlane.simulator.track import TRACKS

GAME_HZ = 60
"""Frames the game computes in a second; frame identifiers count them, whatever the send rate."""

RATES_HZ = (10, 20, 30, 60)
MIN_CARS, MAX_LAPS = 2, 80


class SimulationError(PitlaneError):
    """A race that cannot be run as asked."""

    reason = "simulation"


@dataclass(frozen=True)
class RaceConfig:
    """A race to simulate; the same config gives the same bytes. Raises SimulationError.

    `cars` 0 is the full grid of the format (22, 24 from 2026), `player` -1 the last but two. `session_uid` 0 draws
    one from the seed. Cars in `restricted` keep their telemetry to themselves, as online players do by default.
    """

    packet_format: int = 2025
    laps: int = 5
    seed: int = 1
    rate_hz: int = 20
    cars: int = 0
    track: str = "catalunya"
    session_uid: int = 0
    player: int = -1
    restricted: tuple[int, ...] = ()
    lobby_s: float = 2.0
    grid_s: float = 6.0

    def __post_init__(self) -> None:
        self._need(self.packet_format in FORMATS, f"format must be one of {FORMATS}")
        full = 24 if self.packet_format >= 2026 else 22
        if self.cars == 0:
            object.__setattr__(self, "cars", full)
        self._need(MIN_CARS <= self.cars <= full, f"format {self.packet_format} has {MIN_CARS} to {full} cars")
        if self.player == -1:
            object.__setattr__(self, "player", max(0, self.cars - 3))
        self._need(0 <= self.player < self.cars, f"player must be a car from 0 to {self.cars - 1}")
        self._need(all(0 <= car < self.cars for car in self.restricted), "a restricted car is not in the race")
        self._need(1 <= self.laps <= MAX_LAPS, f"a race has 1 to {MAX_LAPS} laps")
        self._need(self.rate_hz in RATES_HZ, f"rate must be one of {RATES_HZ} Hz")
        self._need(self.track in TRACKS, f"tracks are {', '.join(TRACKS)}")
        self._need(self.seed >= 0, "seed must not be negative")
        self._need(0 <= self.session_uid < 2**64, "session UID has 64 bits")
        if self.session_uid == 0:
            # A generator of its own: what the race draws must not depend on whether a UID was given.
            uid = int(np.random.default_rng([self.seed, self.packet_format]).integers(2**63, 2**64, dtype=np.uint64))
            object.__setattr__(self, "session_uid", uid)

    @staticmethod
    def _need(condition: bool, message: str) -> None:
        if not condition:
            raise SimulationError(f"cannot simulate this race: {message}")
