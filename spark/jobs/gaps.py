"""How far behind a car is, where the game's own answer can be believed.

The game sends milliseconds, and minutes beside them since 2024, and all formats are wrong at times: above a minute people
see a few seconds, and in a real race of the 2026 pack a car that stands 840 m behind the leader has a gap of 571 ms. The
gap to the car ahead is the difference of the two gaps to the leader, and where that is negative it wraps: that same car
is 59473 ms (571 - 6634 + 65536) behind one that is 10 m ahead of it. Nothing in a number itself tells. So it is held
against what else the packet says:

- further behind the car ahead than behind the leader is who comes right after two that have just changed places, but not
  by the better part of a minute: that is a difference that has wrapped;
- LapData has every car's total distance, which at the leader's mean speed so far makes a time. The game's gap must not be
  far below it. (It may be far above: in a field that is bunched up, or behind a car that stands.)
"""

import numpy as np

from spark.jobs.frames import CarFrames

MINUTE_MS = 60_000
SATURATED = 65_535
"""The most that 2023 can say."""
UPDATE_MS = 1_000
"""The gaps of one packet are not all from the same moment: real ones differ by up to half a second."""
WRAPPED_MS = 45_536
"""What 16 bits make of a difference of -20 s, more than two cars that change places are apart."""
LEAST_SHARE, SLACK_MS = 0.5, 5_000
"""A gap is believed from this share of what the distance makes of it, less so many ms: the mean speed is a rough one."""


def gaps_ms(rows: CarFrames) -> tuple[np.ma.MaskedArray, np.ma.MaskedArray]:
    """(to the leader, to the car one place ahead) of each row; masked where not sent or not to be believed."""
    position = rows.lap("car_position")
    to_leader = _believed(rows, "gap_to_leader", np.ones_like(position))
    to_ahead = _believed(rows, "gap_to_car_in_front", position - 1)
    leads = position == 1
    wrapped = (to_ahead.data > to_leader.data + UPDATE_MS) & (to_ahead.data > WRAPPED_MS)
    return np.ma.where(leads, 0, to_leader), np.ma.masked_where(leads | wrapped, to_ahead)


def _believed(rows: CarFrames, name: str, place: np.ndarray) -> np.ma.MaskedArray:
    """The gap `name`, which is to the car in `place`."""
    minutes = rows.lap_or_null(f"{name}_minutes_part")
    gap = rows.lap(f"{name}_ms_part").astype("i8") + MINUTE_MS * np.ma.filled(minutes, 0).astype("i8")
    # The game sends 0 for a gap that it does not know.
    known = (gap > 0) & ~(np.ma.getmaskarray(minutes) & (gap >= SATURATED))

    positions, row = rows.lap_of_all("car_position"), np.arange(len(place))
    distance_m = rows.lap_of_all("total_distance_m").astype("f8")
    other = positions == place[:, None]
    leader_m = distance_m[row, (positions == 1).argmax(axis=1)]
    behind_m = distance_m[row, other.argmax(axis=1)] - distance_m[row, rows.car]
    with np.errstate(all="ignore"):  # garbage in a packet makes infinities; they compare as false
        by_distance_ms = behind_m / leader_m * rows.session_time_s * 1000
        plausible = gap >= LEAST_SHARE * by_distance_ms - SLACK_MS
    return np.ma.MaskedArray(gap, ~(known & other.any(axis=1) & (leader_m > 0) & plausible))
