"""Fuel and ERS of a lap: how much, and where on the lap.

Shares along the lap come from the track's speed profile (burn and deploy under power, harvest under braking), so a
lap needs only its totals. The store never leaves 0 to 4 MJ: a lap that would is driven with less of both.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pitlane.simulator.track import DRAG_PER_M, Array, Track, acceleration_limit

STORE_J = 4.0e6
START_STORE_J = 3.6e6
BURN_KG_PER_KM = 0.345
"""110 kg for the 305 km of a race, with a little to spare."""


@dataclass(frozen=True)
class Rules:
    """`harvest_mguk_share` is what the MGU-K brings of all that is harvested; the MGU-H, if any, brings the rest."""

    deploy_j: float
    harvest_limit_j: float
    harvest_mguk_share: float


RULES_UNTIL_2025 = Rules(deploy_j=3.9e6, harvest_limit_j=4.0e6, harvest_mguk_share=0.55)
RULES_2026 = Rules(deploy_j=6.6e6, harvest_limit_j=7.0e6, harvest_mguk_share=1.0)


def rules(packet_format: int) -> Rules:
    return RULES_2026 if packet_format >= 2026 else RULES_UNTIL_2025


@dataclass(frozen=True)
class Lap:
    """Totals of one lap of one car."""

    fuel_start_kg: float
    fuel_used_kg: float
    store_start_j: float
    deployed_j: float
    harvested_j: float


@dataclass(frozen=True)
class Shares:
    """Share of a lap's totals that is through at each knot of the track, from 0 to 1."""

    track: Track

    @cached_property
    def acceleration_mps2(self) -> Array:
        speed = self.track.speed_mps
        step = self.track.distance_m[1]
        return np.asarray(np.diff(np.square(speed)) / (2 * step) + DRAG_PER_M * np.square(speed[:-1]))

    @cached_property
    def burn(self) -> Array:
        throttle = np.clip(self.acceleration_mps2 / acceleration_limit(self.track.speed_mps[:-1]), 0, 1)
        return _cumulative(throttle + 0.08)

    @cached_property
    def deploy(self) -> Array:
        return _cumulative(((self.acceleration_mps2 > 4.0) & (self.track.speed_mps[:-1] > 40)).astype(float))

    @cached_property
    def harvest(self) -> Array:
        return _cumulative(np.maximum(-self.acceleration_mps2, 0.0) + 0.4)

    def at(self, share: Array, lap_distance_m: Array) -> Array:
        """The share that is through at lap distances; none before the line."""
        return np.interp(lap_distance_m, self.track.distance_m, share)


def _cumulative(weights: Array) -> Array:
    total = np.concatenate([[0.0], weights.cumsum()])
    return np.asarray(total / total[-1])


def plan(laps: int, race_laps: int, shares: Shares, rule: Rules, rng: np.random.Generator) -> tuple[Lap, ...]:
    """The laps of one car; `laps` are driven, of them those after `race_laps` at cool-down pace, without ERS."""
    burn_kg = BURN_KG_PER_KM * shares.track.length_m / 1000 * rng.uniform(0.98, 1.02)
    fuel = burn_kg * (race_laps + rng.uniform(0.35, 1.1))
    store, result = START_STORE_J, []
    for lap in range(laps):
        used = burn_kg * (rng.uniform(0.98, 1.02) if lap < race_laps else 0.3)
        deployed, harvested = _balance(store, shares, rule, rng) if lap < race_laps else (0.0, 0.0)
        result.append(Lap(fuel, used, store, deployed, harvested))
        fuel -= used
        store += harvested - deployed
    return tuple(result)


def _balance(store: float, shares: Shares, rule: Rules, rng: np.random.Generator) -> tuple[float, float]:
    """Energy deployed and harvested in a lap that keeps the store within its bounds all the way."""
    deployed = rule.deploy_j * rng.uniform(0.82, 1.0)
    harvested = min(deployed * rng.uniform(0.9, 1.08), rule.harvest_limit_j)
    while True:
        level = store + harvested * shares.harvest - deployed * shares.deploy
        if level.min() < 0.05 * STORE_J:
            deployed *= 0.96
        elif level.max() > STORE_J:
            harvested *= 0.96
        else:
            return float(deployed), float(harvested)
