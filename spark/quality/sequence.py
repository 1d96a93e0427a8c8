"""What shows only in how packets follow each other or lie together."""

import numpy as np

from spark.jobs.frames import frame_key, places, races
from spark.quality.asked import Rows

RISE_KG = 0.05
"""More than rounding, less than what anybody puts into a tank."""
REACH_FRAMES = 120
"""Of two samples farther apart nobody knows what happened between."""


def fuel_rises(rows: Rows) -> np.ndarray:
    """Whether a car has more fuel than in the sample before, neither in the pits nor in the garage.

    Only samples of one micro-batch are compared, and what waited from the one before. A flashback gives fuel back, so
    samples before and after one are not compared; zero before is a driver who showed nothing.
    """
    samples = rows.samples
    found = np.zeros(rows.parts.shape, bool)
    at = np.lexsort((samples.order, samples.session))
    header = samples.header
    rewound = header["overall_frame_identifier"].astype("i8") - header["frame_identifier"]
    follows = np.logical_and.reduce(
        [np.diff(column[at]) == 0 for column in (samples.session, rewound)]
        + [np.diff(samples.order[at]) <= REACH_FRAMES]
    )
    fuel = rows["fuel_in_tank_kg"][at]
    with np.errstate(all="ignore"):  # what is no number compares as false
        rises = follows[:, None] & (fuel[1:] - fuel[:-1] > RISE_KG) & (fuel[:-1] > 0)
    later, car = np.nonzero(rises)
    if len(later):
        outside = _on_track(rows, at[later], car) & _on_track(rows, at[later + 1], car)
        found[at[later + 1][outside], car[outside]] = True
    return found


def _on_track(rows: Rows, sample: np.ndarray, car: np.ndarray) -> np.ndarray:
    """Whether LapData of the same frame has the car on a lap and not in the pits; without one nobody knows."""
    for laps in rows.decoded.of("lap_data"):
        if laps.packet.format == rows.samples.packet.format:
            keys, first = np.unique(frame_key(rows.samples)[sample], return_inverse=True)
            at = places(keys, laps)[first.reshape(-1)]
            cars = laps.datagrams["cars"]
            return (at >= 0) & races(cars)[at, car] & (cars["pit_status"][at, car] == 0)
    return np.zeros(len(sample), bool)
