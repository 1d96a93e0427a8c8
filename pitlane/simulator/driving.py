"""One lap of one car: the track's speed profile, bent by what happens in that lap.

A lap is a list of knots (time, distance, speed). Between two knots the acceleration is constant, so time, distance
and speed agree with each other exactly; everything else (throttle, gear, g-forces) follows from them.
"""

from dataclasses import dataclass

import numpy as np

from pitlane.simulator.track import Array, Track

GRID_GAP_M = 8.0
FIRST_BOX_M = 14.0
"""The front of the first car behind the line, and the distance from box to box."""
LAUNCH_MPS2 = 9.0
LAUNCH_TOP_MPS = 92.0
PIT_BRAKING_MPS2 = 9.0
PIT_DRIVING_MPS2 = 7.0
PULL_OVER_MPS2 = 5.0
COASTING_MPS2 = 4.0
COOL_DOWN_PACE = 1.35
SETTLING_M = 500.0


@dataclass(frozen=True)
class LapPlan:
    """What is special in a lap. `box_s` is the time stood in the box after the line, 0 when it was not in the pits."""

    pace: float
    launch_from_m: float | None = None
    react_s: float = 0.0
    enters_pits: bool = False
    box_s: float = 0.0
    stops_at_m: float | None = None
    """Where the car parks for good."""
    enters_at_mps: float = 0.0
    """Speed at the line, from which the car comes to the lap's pace; 0 from standing or in the pit lane."""
    coasts: bool = False
    """After the flag: the driver only lifts until the lap's pace is reached."""


@dataclass(frozen=True)
class Knots:
    """Rising times in seconds from the lap's start, lap distances in m (negative before the line), speeds in m/s."""

    time_s: Array
    distance_m: Array
    speed_mps: Array

    def when(self, distance_m: float) -> float:
        """Seconds into the lap at which the car first gets to a distance that is a knot, or between two."""
        return float(np.interp(distance_m, self.distance_m, self.time_s))


def grid_slot_m(grid_position: int) -> float:
    """Lap distance of a slot on the grid: behind the line, so negative."""
    return -(FIRST_BOX_M + GRID_GAP_M * (grid_position - 1))


def box_m(track: Track, team: int) -> float:
    """Lap distance of a team's box, on a knot."""
    return float(track.distance_m[track.snap(60.0 + 18.0 * team)])


def drive(track: Track, plan: LapPlan, team: int) -> Knots:
    """The knots of a lap driven to plan."""
    distance = track.distance_m
    speed = track.speed_mps / plan.pace
    limit = (track.circuit.pit_limit_kmh - 1) / 3.6
    if plan.launch_from_m is not None:
        run_up = np.concatenate([[0.0, 0.5, 2.0], np.arange(5.0, -plan.launch_from_m, 5.0)]) + plan.launch_from_m
        run_up = run_up[run_up < -0.5]
        distance = np.concatenate([run_up, distance])
        speed = np.concatenate([np.full(len(run_up), speed[0]), speed])
        gone = distance - plan.launch_from_m
        speed = np.minimum(speed, LAUNCH_TOP_MPS * np.sqrt(-np.expm1(-2 * LAUNCH_MPS2 * gone / LAUNCH_TOP_MPS**2)))
    if plan.coasts:
        coasting = np.sqrt(np.maximum(plan.enters_at_mps**2 - 2 * COASTING_MPS2 * distance, 0.0))
        speed = np.clip(coasting, speed, np.maximum(track.speed_mps, speed))
    elif plan.enters_at_mps > 0:
        speed = speed * (1 + (plan.enters_at_mps / speed[0] - 1) * (1 - _settled(distance)))
    if plan.enters_pits:
        to_lane = np.maximum(track.length_m - track.circuit.pit_entry_m - distance, 0.0)
        speed = np.minimum(speed, np.sqrt(limit**2 + 2 * 20.0 * to_lane))
    if plan.box_s > 0:
        past_lane = np.maximum(distance - track.circuit.pit_exit_m, 0.0)
        speed = np.minimum(speed, np.sqrt(limit**2 + 2 * PIT_DRIVING_MPS2 * past_lane))
        to_box = box_m(track, team) - distance
        rate = np.where(to_box > 0, PIT_BRAKING_MPS2, PIT_DRIVING_MPS2)
        speed = np.minimum(speed, np.sqrt(2 * rate * np.abs(to_box)))
    if plan.stops_at_m is not None:
        keep = distance <= plan.stops_at_m
        distance, speed = distance[keep], speed[keep]
        speed = np.minimum(speed, np.sqrt(2 * PULL_OVER_MPS2 * (distance[-1] - distance)))
    steps = 2 * np.diff(distance) / (speed[1:] + speed[:-1])
    time = np.concatenate([[0.0], steps.cumsum()])
    if plan.react_s > 0:
        time, distance, speed = _stand(time, distance, speed, 0, plan.react_s)
    if plan.box_s > 0:
        at = int(np.argmin(np.abs(distance - box_m(track, team))))
        time, distance, speed = _stand(time, distance, speed, at, plan.box_s)
    return Knots(time, distance, speed)


def _stand(time: Array, distance: Array, speed: Array, at: int, seconds: float) -> tuple[Array, Array, Array]:
    """Stand still at a knot for a while: it becomes two."""
    late = np.concatenate([time[: at + 1], time[at:] + seconds])
    return late, np.insert(distance, at, distance[at]), np.insert(speed, at, speed[at])


def slowed(knots: Knots, seconds: float) -> Knots:
    """The same lap, slower by so much in the end; the driver lifts gently, so the first metres stay as they are."""
    share = _settled(knots.distance_m)
    steps = np.diff(knots.time_s)
    middle = (share[1:] + share[:-1]) / 2
    lift = seconds / float((steps * middle).sum())
    times = np.concatenate([[0.0], (steps * (1 + lift * middle)).cumsum()])
    return Knots(times, knots.distance_m, knots.speed_mps / (1 + lift * share))


def _settled(distance_m: Array) -> Array:
    """From 0 at the line to 1 where a change of pace is complete."""
    return np.clip(distance_m / SETTLING_M, 0.0, 1.0)


def on_milliseconds(knots: Knots, distances_m: list[float]) -> tuple[Knots, list[int]]:
    """The lap with every given distance reached on a whole millisecond, and those milliseconds.

    The game times in milliseconds: what is sent as a sector time is then exactly what was driven.
    """
    raw = [knots.when(distance) for distance in distances_m]
    whole = [round(1000 * seconds) for seconds in raw]
    times, speeds = knots.time_s.copy(), knots.speed_mps.copy()
    begin, whole_begin = 0.0, 0
    for end, whole_end in zip(raw, whole, strict=True):
        part = (knots.time_s > begin) & (knots.time_s <= end)
        stretch = (whole_end - whole_begin) / 1000 / (end - begin)
        times[part] = whole_begin / 1000 + (knots.time_s[part] - begin) * stretch
        speeds[part] = knots.speed_mps[part] / stretch
        begin, whole_begin = end, whole_end
    after = knots.time_s > begin
    times[after] += whole_begin / 1000 - begin
    return Knots(times, knots.distance_m, speeds), whole
