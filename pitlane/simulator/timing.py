"""LapData (2), SessionHistory (11) and LapPositions (15): times, gaps and places."""

import numpy as np
from numpy.typing import NDArray

from pitlane.simulator.events import trap_passes
from pitlane.simulator.model import CarRace, RaceModel
from pitlane.simulator.state import ACTIVE, FINISHED, RETIRED, Field, Ints, State
from pitlane.simulator.track import Array
from pitlane.simulator.wire import Packets, Wire, names_of

ON_TRACK = 4
"""Driver status in a race."""
RUNNING_STINT = 255
"""End lap of a stint that has not ended; the game leaves it so in its last packets too."""
NO_TRAP_LAP = 255
MINUTE_MS = 60_000
GAP_LIMIT_MS = 65_535
"""The most that formats without minutes for a time can hold."""
SHOWN_LAPS = 50
"""LapPositions holds so many laps; the rest of a longer race comes with another start lap."""


class Timing:
    """The packets about time of one race."""

    def __init__(self, wire: Wire, model: RaceModel, field: Field) -> None:
        self.wire, self.model, self.field = wire, model, field
        self._traps: list[tuple[list[float], list[float], list[int]]] = [([], [], []) for _ in model.cars]
        for time_s, index, lap, speed_kmh in trap_passes(model, field):
            times, speeds, laps = self._traps[index]
            if not speeds or speed_kmh > speeds[-1]:
                times.append(time_s)
                speeds.append(speed_kmh)
                laps.append(lap)

    def lap_data(self, frames: Ints, state: State) -> Packets:
        """A LapData packet for each frame. After the flag the lap number stays, the clock of the lap goes on."""
        packets = self.wire.blank("lap_data", frames)
        cars = packets["cars"][:, : len(self.model.cars)]
        now_ms = np.floor(state.time_s[:, None] * 1000 + 1e-6)
        cars["last_lap_time_ms"] = state.last_lap_ms
        cars["current_lap_time_ms"] = np.maximum(now_ms - state.lap_start_ms, 0)
        for number in (1, 2):
            _put_parts(cars, f"sector{number}", state.sectors_ms[..., number - 1])
        in_front, to_leader = self.gaps_ms(state)
        _put_parts(cars, "gap_to_car_in_front", in_front)
        _put_parts(cars, "gap_to_leader", to_leader)
        cars["lap_distance_m"] = state.lap_distance_m
        cars["total_distance_m"] = state.total_distance_m
        cars["car_position"] = state.position
        cars["current_lap_num"] = shown_lap(state)
        cars["pit_status"] = state.pit_status
        cars["num_pit_stops"] = state.stops
        cars["sector"] = (state.sectors_ms > 0).sum(axis=2)
        cars["current_lap_invalid"] = state.is_invalid
        cars["penalties_s"] = state.penalties_s
        cars["total_warnings"] = cars["corner_cutting_warnings"] = state.warnings
        cars["grid_position"] = [car.driver.grid_position for car in self.model.cars]
        cars["driver_status"] = np.where(state.result_status == RETIRED, 0, ON_TRACK)
        cars["result_status"] = state.result_status
        cars["pit_lane_timer_active"] = state.pit_status > 0
        cars["pit_lane_time_in_lane_ms"] = state.in_lane_s * 1000
        cars["pit_stop_timer_ms"] = state.in_box_s * 1000
        if "speed_trap_fastest_lap" in names_of(cars):
            for index in range(len(self._traps)):
                speed_kmh, lap = self.trap_best(index, state.time_s)
                cars["speed_trap_fastest_speed_kmh"][:, index] = speed_kmh
                cars["speed_trap_fastest_lap"][:, index] = lap
        packets["time_trial_pb_car_index"] = packets["time_trial_rival_car_index"] = 255
        return packets

    def trap_best(self, index: int, time_s: Array) -> tuple[Array, Ints]:
        """A car's fastest speed in km/h at the speed trap until then and its lap; 0 and NO_TRAP_LAP before the first."""
        times, speeds, laps = self._traps[index]
        best = np.searchsorted(times, time_s, side="right")
        return np.array([0.0, *speeds])[best], np.array([NO_TRAP_LAP, *laps])[best]

    def gaps_ms(self, state: State) -> tuple[Ints, Ints]:
        """Time since the car in front, and the leader, were where a car is now; who is home keeps the gap at the line."""
        length = self.model.track.length_m
        home_s = np.array([car.finish_ms / 1000 for car in self.model.cars])
        home_m = np.array([car.laps_done * length for car in self.model.cars])
        is_home = state.result_status == FINISHED
        time_s = np.where(is_home, home_s, np.maximum(state.time_s[:, None], 0.0))
        distance = np.where(is_home, home_m, state.total_distance_m)
        order = np.argsort(state.position, axis=1)
        ahead = np.take_along_axis(order, np.maximum(state.position - 2, 0), axis=1)
        leader = np.broadcast_to(order[:, :1], ahead.shape)
        return self._since(ahead, time_s, distance, state), self._since(leader, time_s, distance, state)

    def _since(self, other: Ints, time_s: Array, distance: Array, state: State) -> Ints:
        gaps = np.zeros(other.shape)
        for index in range(len(self.model.cars)):
            behind = (other == index) & (state.position > 1)
            gaps[behind] = time_s[behind] - self.field.time_at(index, distance[behind])
        gaps[(state.result_status == RETIRED) | (state.time_s <= 0)[:, None]] = 0.0
        return np.asarray(np.maximum(gaps, 0.0) * 1000, dtype=np.int64)

    def session_history(self, frame: int, time_s: float, index: int) -> Packets:
        """One car's history as of a frame."""
        packets = self.wire.blank("session_history", np.array([frame]))
        self._fill_history(packets[0], self.model.cars[index], time_s)
        return packets

    def last_history(self, index: int) -> Packets:
        """One car's history at the end of the session, with frame 0."""
        packets = self.wire.closing("session_history")
        self._fill_history(packets[0], self.model.cars[index], float("inf"))
        return packets

    def _fill_history(self, packet: Packets, car: CarRace, time_s: float) -> None:
        """Laps complete, then the one being driven; after the flag there is none."""
        now_ms = time_s * 1000
        done = sum(end <= now_ms for end in car.lap_end_ms)
        ended = done == car.laps_done and not car.is_retired
        count = done if ended else done + 1
        packet["car_index"] = car.driver.car_index
        packet["num_laps"] = count
        laps = packet["laps"]
        best = [(2**31, 0)] * 4
        for lap in range(1, min(count, len(laps)) + 1):
            row, start_ms = laps[lap - 1], car.lap_start_ms(lap)
            sectors = car.sectors_ms[lap - 1] if lap <= len(car.sectors_ms) else []
            flags = row["valid_flags"] = car.valid_flags(lap, time_s)
            times = [car.lap_time_ms(lap) if lap <= done else 0, 0, 0, 0]
            for number, end_ms in enumerate(np.cumsum(sectors) + start_ms, 1):
                if end_ms <= now_ms:
                    times[number] = sectors[number - 1]
                    _put_parts(row, f"sector{number}", times[number])
            row["lap_time_ms"] = times[0]
            best = [
                min(old, (t, lap)) if t and flags >> i & 1 else old
                for i, (old, t) in enumerate(zip(best, times, strict=True))
            ]
        packet["best_lap_time_lap_num"] = best[0][1]
        for number in (1, 2, 3):
            packet[f"best_sector{number}_lap_num"] = best[number][1]
        fitted = 1 + sum(stop.release_s <= time_s for stop in car.stops)
        packet["num_tyre_stints"] = fitted
        for i, stint in enumerate(car.stints[:fitted]):
            row = packet["tyre_stints"][i]
            row["end_lap"] = car.stops[i].lap if i + 1 < fitted else RUNNING_STINT
            row["actual_tyre_compound"], row["visual_tyre_compound"] = (
                stint.compound.actual_id,
                stint.compound.visual_id,
            )

    def lap_positions(self, frame: int, rows: Ints) -> Packets:
        """Places at the start of each lap; `rows` (laps, cars) with 0 where a car has not begun it."""
        begun = max(int((rows > 0).any(axis=1).sum()), 1)
        first = SHOWN_LAPS * ((begun - 1) // SHOWN_LAPS)
        packets = self.wire.blank("lap_positions", np.array([frame]))
        packets["num_laps"], packets["lap_start"] = begun - first, first
        shown = rows[first:begun]
        packets["positions"][0, : len(shown), : rows.shape[1]] = shown
        return packets


def shown_lap(state: State) -> Ints:
    """The lap number that is sent: it does not go up at the flag."""
    return np.asarray(state.lap - (state.result_status == FINISHED))


def contested(state: State) -> NDArray[np.bool_]:
    """Cars that can overtake or be overtaken: racing, on the track, started."""
    return np.asarray((state.result_status == ACTIVE) & (state.pit_status == 0) & (state.time_s > 0)[:, None])


def _put_parts(target: Packets, name: str, value_ms: Ints | int) -> None:
    """A time in its parts; formats without minutes for it hold no more than GAP_LIMIT_MS."""
    names = target.dtype.names or ()
    if f"{name}_minutes_part" in names:
        target[f"{name}_ms_part"] = value_ms % MINUTE_MS
        target[f"{name}_minutes_part"] = value_ms // MINUTE_MS
    else:
        target[f"{name}_ms_part"] = np.minimum(value_ms, GAP_LIMIT_MS)
