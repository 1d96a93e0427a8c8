"""The whole field at many moments: arrays of (moments, cars), computed from the model for any times asked for.

A `Field` holds the model in the form that is quick to look up; `Field.at` gives the `State` of a stretch of time.
Times are seconds from lights out; before it, all stand on the grid.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pitlane.simulator.model import CarRace, RaceModel
from pitlane.simulator.track import Array

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ACTIVE, FINISHED, RETIRED = 2, 3, 7
"""The game's result status."""


@dataclass(frozen=True)
class State:
    """(moments, cars) unless said otherwise; `time_s` is (moments,)."""

    time_s: Array
    lap: Ints
    """Lap being driven, from 1; after the flag the one after the last."""
    lap_start_ms: Ints
    lap_distance_m: Array
    total_distance_m: Array
    speed_mps: Array
    acceleration_mps2: Array
    sectors_ms: Ints
    """(moments, cars, 2): sectors 1 and 2 of this lap, 0 until they are complete."""
    last_lap_ms: Ints
    result_status: Ints
    pit_status: Ints
    """0 on track, 1 in the lane, 2 in the box."""
    stops: Ints
    in_lane_s: Array
    in_box_s: Array
    stint: Ints
    tyre_age_laps: Ints
    is_invalid: Bools
    warnings: Ints
    penalties_s: Ints
    position: Ints

    @property
    def is_racing(self) -> Bools:
        return np.asarray(self.result_status == ACTIVE)


@dataclass(frozen=True)
class _Column:
    """One car, ready for looking up: the knots of all its laps in a row, times and distances of the whole race."""

    car: CarRace
    time_s: Array
    distance_m: Array
    speed_mps: Array
    ends_ms: Ints
    sector_ends_ms: Ints
    """(laps, 2) in race time; far in the future where not reached."""


NEVER_MS = 2**40


class Field:
    """The cars of a race as columns of arrays."""

    def __init__(self, model: RaceModel) -> None:
        self.model = model
        self.length_m = model.track.length_m
        self.columns = [self._column(car) for car in model.cars]

    def at(self, time_s: Array) -> State:
        """The state at rising times in seconds."""
        parts = [self._car(column, time_s) for column in self.columns]
        stacked = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
        return State(time_s=time_s, position=self._positions(stacked, time_s), **stacked)

    def time_at(self, car_index: int, total_distance_m: Array) -> Array:
        """When a car first was at total distances."""
        column = self.columns[car_index]
        return np.interp(total_distance_m, column.distance_m, column.time_s)

    def _column(self, car: CarRace) -> _Column:
        times, distances, speeds = [], [], []
        for lap, knots in enumerate(car.knots, 1):
            skip = 1 if lap > 1 else 0  # a lap begins with the knot that the one before ended with
            times.append(knots.time_s[skip:] + car.lap_start_ms(lap) / 1000)
            distances.append(knots.distance_m[skip:] + (lap - 1) * self.length_m)
            speeds.append(knots.speed_mps[skip:])
        sector_ends = np.full((len(car.sectors_ms) + 1, 2), NEVER_MS)
        for lap, sectors in enumerate(car.sectors_ms, 1):
            passed = car.lap_start_ms(lap) + np.cumsum(sectors[:2])
            sector_ends[lap - 1, : len(passed)] = passed
        return _Column(
            car,
            np.concatenate(times),
            np.concatenate(distances),
            np.concatenate(speeds),
            np.array(car.lap_end_ms, dtype=np.int64),
            sector_ends,
        )

    def _car(self, column: _Column, time_s: Array) -> dict[str, NDArray[Any]]:
        car, now_ms = column.car, time_s * 1000
        lap = np.searchsorted(column.ends_ms, now_ms, side="right") + 1
        starts = np.concatenate([[0], column.ends_ms])
        start_ms = starts[lap - 1]
        distance, speed, acceleration = self._moving(column, time_s)
        before_line = (lap - 1) * self.length_m
        # A lap ends on a whole millisecond, a centimetre of rounding must not end it earlier or later.
        lap_distance = np.minimum(distance - before_line, np.nextafter(np.float32(self.length_m), np.float32(0)))
        lap_distance = np.where(lap > 1, np.maximum(lap_distance, 0.0), lap_distance)
        status = np.where(now_ms >= car.finish_ms if not car.is_retired else False, FINISHED, ACTIVE)
        status = np.where(time_s >= car.retired_s, RETIRED, status)
        sector_end = column.sector_ends_ms[np.minimum(lap, len(column.sector_ends_ms)) - 1]
        sector_ms = np.diff(np.concatenate([start_ms[:, None], sector_end], axis=1), axis=1)
        lap_times = np.concatenate([[0], np.diff(starts)])
        pits = self._pits(car, time_s)
        stint_starts = np.array([stint.start_lap for stint in car.stints])
        return {
            "lap": lap,
            "lap_start_ms": start_ms,
            "lap_distance_m": lap_distance,
            "total_distance_m": before_line + lap_distance,
            "speed_mps": speed,
            "acceleration_mps2": acceleration,
            "sectors_ms": np.where(sector_end <= now_ms[:, None], sector_ms, 0),
            "last_lap_ms": lap_times[lap - 1],
            "result_status": status,
            **pits,
            # A new set is fitted in the lap after the in-lap and has the age of none then.
            "tyre_age_laps": np.maximum(lap - stint_starts[pits["stint"]], 0),
            **self._stewards(car, lap, time_s),
        }

    def _moving(self, column: _Column, time_s: Array) -> tuple[Array, Array, Array]:
        """Distance, speed and acceleration: constant acceleration between two knots, at rest outside of all."""
        last = len(column.time_s) - 1
        knot = np.clip(np.searchsorted(column.time_s, time_s, side="right") - 1, 0, last - 1)
        width = column.time_s[knot + 1] - column.time_s[knot]
        into = np.clip(time_s - column.time_s[knot], 0.0, width)
        begin = column.speed_mps[knot]
        acceleration = (column.speed_mps[knot + 1] - begin) / width
        distance = column.distance_m[knot] + begin * into + acceleration * into**2 / 2
        speed = begin + acceleration * into
        at_rest = (time_s < 0) | (time_s >= column.time_s[-1])
        return distance, np.where(at_rest, 0.0, speed), np.where(at_rest, 0.0, acceleration)

    @staticmethod
    def _pits(car: CarRace, time_s: Array) -> dict[str, NDArray[Any]]:
        status, stops, stint = (np.zeros(len(time_s), dtype=np.int64) for _ in range(3))
        in_lane, in_box = np.zeros(len(time_s)), np.zeros(len(time_s))
        for stop in car.stops:
            lane = (time_s >= stop.entry_s) & (time_s < stop.exit_s)
            box = (time_s >= stop.box_s) & (time_s < stop.release_s)
            status[lane], in_lane[lane] = 1, time_s[lane] - stop.entry_s
            status[box], in_box[box] = 2, time_s[box] - stop.box_s
            released = time_s >= stop.release_s
            stops[released] += 1
            stint[released] = stop.stint
        return {"pit_status": status, "stops": stops, "stint": stint, "in_lane_s": in_lane, "in_box_s": in_box}

    @staticmethod
    def _stewards(car: CarRace, lap: Ints, time_s: Array) -> dict[str, NDArray[Any]]:
        invalid = np.zeros(len(time_s), dtype=bool)
        warnings, penalties = np.zeros(len(time_s), dtype=np.int64), np.zeros(len(time_s), dtype=np.int64)
        for incident in car.incidents:
            since = time_s >= incident.time_s
            if incident.kind == "lap_invalidated":
                invalid |= since & (lap == incident.lap)
                warnings[since] += 1
            penalties[since] += incident.seconds
        return {"is_invalid": invalid, "warnings": warnings, "penalties_s": penalties}

    def _positions(self, stacked: dict[str, NDArray[Any]], time_s: Array) -> Ints:
        """Places by distance; who has finished stays in order of laps and time, who has retired is behind all others."""
        key = stacked["total_distance_m"].copy()
        for index, column in enumerate(self.columns):
            car = column.car
            # Two cars with as many laps stand at the line: a fraction of a metre tells who was there first.
            home = car.laps_done * self.length_m + 0.9 - car.finish_ms / 1e9
            key[:, index] = np.where(stacked["result_status"][:, index] == FINISHED, home, key[:, index])
            if car.is_retired:
                gone = -1e6 + car.retired_s
                key[:, index] = np.where(time_s >= car.retired_s, gone, key[:, index])
        order = np.argsort(-key, axis=1, kind="stable")
        position = np.empty_like(order)
        np.put_along_axis(position, order, np.arange(1, key.shape[1] + 1)[None, :], axis=1)
        return position
