"""Tyres: three dry compounds, what they cost with age, and who stops when."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Compound:
    """`actual_id` and `visual_id` are the game's; `offset` and `fade` are fractions of a lap time, new and per lap."""

    actual_id: int
    visual_id: int
    offset: float
    fade: float
    wear_percent: float
    """Of the rear left tyre per lap, the one that suffers most."""
    life_laps: int


SOFT = Compound(18, 16, 0.000, 0.00150, 3.4, 18)
MEDIUM = Compound(19, 17, 0.005, 0.00085, 2.2, 28)
HARD = Compound(20, 18, 0.009, 0.00050, 1.5, 40)
COMPOUNDS = (SOFT, MEDIUM, HARD)

WHEEL_WEAR = np.array([1.0, 0.94, 0.82, 0.78])
"""Share of `wear_percent` that each wheel gets: rear left, rear right, front left, front right."""


@dataclass(frozen=True)
class Stint:
    """From `start_lap` on this set. A stop is made in the lap before: in at its end, the garage lies behind the line."""

    start_lap: int
    compound: Compound


def strategy(laps: int, rng: np.random.Generator) -> tuple[Stint, ...]:
    """A car's plan. In a race of three laps or more everybody must stop; in longer ones some stop twice."""
    stops = 0 if laps < 3 else 1 if laps < 6 else int(rng.choice((1, 2), p=(0.8, 0.2)))
    order = [COMPOUNDS[i] for i in rng.permutation(len(COMPOUNDS))]
    starts = [1]
    for stop in range(stops):
        middle = laps * (stop + 1) / (stops + 1)
        # The in-lap is not the last one: the box would come after the flag. Nor does a stint last a single lap.
        in_lap = int(np.clip(round(rng.normal(middle, laps / 12)), starts[-1] + 1, laps - 1))
        starts.append(in_lap + 1)
    return tuple(Stint(start, order[i]) for i, start in enumerate(dict.fromkeys(starts)))
