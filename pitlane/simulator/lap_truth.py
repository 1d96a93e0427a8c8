"""The truth about the laps of a simulated race: times, tyres, damage, gaps and stops. See pitlane.simulator.manifest."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pitlane.simulator import energy
from pitlane.simulator.machine import HIT_WING_PERCENT, Machine, ice_wear_percent
from pitlane.simulator.model import CarRace
from pitlane.simulator.state import Ints, State
from pitlane.simulator.timing import GAP_LIMIT_MS, NO_TRAP_LAP, Timing
from pitlane.simulator.wire import Wire

if TYPE_CHECKING:
    from pitlane.simulator.race import Race

BIN_M = 10


@dataclass(frozen=True)
class Lap:
    car_index: int
    lap_number: int
    lap_time_ms: int | None
    sector1_ms: int | None
    sector2_ms: int | None
    sector3_ms: int | None
    is_valid: bool
    sector1_valid: bool
    sector2_valid: bool
    sector3_valid: bool
    position: int
    start_position: int | None
    gap_to_leader_ms: int | None
    gap_to_ahead_ms: int | None
    corner_cutting_warnings: int
    total_warnings: int
    penalties_s: int
    unserved_drive_throughs: int
    unserved_stop_gos: int
    speed_trap_best_kmh: float | None
    speed_trap_best_lap: int | None
    actual_compound_id: int
    visual_compound_id: int
    tyre_age_laps: int
    is_pit_lap: bool
    fuel_start_kg: float | None
    fuel_end_kg: float | None
    fuel_used_kg: float | None
    ers_deployed_j: float | None
    ers_harvested_j: float | None
    top_speed_kmh: int
    active_aero_m: int | None
    overtake_m: int | None


@dataclass(frozen=True)
class LapDamage:
    """At the last CarDamage sent in the lap while racing."""

    car_index: int
    lap_number: int
    rear_left_tyre_wear_percent: float | None
    rear_right_tyre_wear_percent: float | None
    front_left_tyre_wear_percent: float | None
    front_right_tyre_wear_percent: float | None
    front_left_wing_damage_percent: int | None
    engine_ice_wear_percent: int | None


@dataclass(frozen=True)
class PitStop:
    """`lane_time_s` and `stationary_s` are what the last frame in the lane, and in the box, shows."""

    car_index: int
    stop_number: int
    entry_lap: int
    exit_lap: int
    lane_time_s: float
    stationary_s: float
    visual_compound_before: int
    tyre_age_before: int
    visual_compound_after: int
    tyre_age_after: int


class Span(NamedTuple):
    """A lap as it is sent while racing: `frames` are indices into the clock's frames."""

    car: CarRace
    lap: int
    frames: Ints

    @property
    def car_index(self) -> int:
        return self.car.driver.car_index

    @property
    def last(self) -> int:
        return int(self.frames[-1])


class LapTruth:
    """The rows of one race."""

    def __init__(self, race: "Race") -> None:
        self._race = race
        wire = Wire(race.config, race.clock)
        self._machine, self._timing = Machine(wire, race.model), Timing(wire, race.model, race.field)

    @cached_property
    def _spans(self) -> list[Span]:
        """Completed laps, and the one in which a car stopped for good."""
        samples, spans = self._race.samples, []
        for car in self._race.model.cars:
            shown = np.where(samples["racing"], samples["lap"], 0)[:, car.driver.car_index]
            spans += [Span(car, lap, np.flatnonzero(shown == lap)) for lap in range(1, len(car.sectors_ms) + 1)]
        return spans

    def _states(self, at: list[int]) -> tuple[Ints, State]:
        """The moments `at`, sorted and once each, and the state in them."""
        moments = np.unique(at)
        clock = self._race.clock
        return moments, self._race.field.at(clock.time_s(clock.frames[moments]))

    def laps(self) -> list[Lap]:
        race, samples = self._race, self._race.samples
        moments, state = self._states([frame for span in self._spans for frame in (span.frames[0], span.last)])
        levels = self._machine.energy(state)
        gaps_ms = self._timing.gaps_ms(state)
        share = energy.rules(race.config.packet_format).harvest_mguk_share
        driven_m = self._driven_m()
        begun = race.positions_at_lap_starts()["position"] if race.config.packet_format >= 2025 else None
        rows = []
        for span in self._spans:
            car, lap, index = span.car, span.lap, span.car_index
            begin, end = np.searchsorted(moments, (span.frames[0], span.last))
            # All is sent as 32-bit floats, MGU-K and MGU-H each: what a receiver can know is their float sum and difference.
            fuel_start, fuel_end = (np.float32(levels["fuel_kg"][at, index]) for at in (begin, end))
            mguk_j, mguh_j = (np.float32(levels["harvested_j"][end, index] * part) for part in (share, 1 - share))
            public = not car.driver.is_restricted
            flags, sectors = car.valid_flags(lap), [*car.sectors_ms[lap - 1], None, None, None]
            stint = car.stints[car.stint_of(lap)]
            position = int(samples["position"][span.last, index])
            ahead_ms, leader_ms = (self._gap(int(gap[end, index])) for gap in gaps_ms)
            trap_kmh, trap_lap = self._trap(index, state.time_s[end : end + 1])
            aero_m, overtake_m = driven_m.get((index, lap), (None, None))
            rows.append(
                Lap(
                    car_index=index,
                    lap_number=lap,
                    lap_time_ms=car.lap_time_ms(lap) if lap <= car.laps_done else None,
                    sector1_ms=sectors[0],
                    sector2_ms=sectors[1],
                    sector3_ms=sectors[2],
                    is_valid=bool(flags & 1),
                    sector1_valid=bool(flags & 2),
                    sector2_valid=bool(flags & 4),
                    sector3_valid=bool(flags & 8),
                    position=position,
                    start_position=None if begun is None else int(begun[lap - 1, index]),
                    gap_to_leader_ms=leader_ms if position > 1 else 0,
                    gap_to_ahead_ms=ahead_ms if position > 1 else None,
                    corner_cutting_warnings=int(state.warnings[end, index]),
                    total_warnings=int(state.warnings[end, index]),
                    penalties_s=int(state.penalties_s[end, index]),
                    unserved_drive_throughs=0,
                    unserved_stop_gos=0,
                    speed_trap_best_kmh=trap_kmh,
                    speed_trap_best_lap=trap_lap,
                    actual_compound_id=stint.compound.actual_id,
                    visual_compound_id=stint.compound.visual_id,
                    tyre_age_laps=lap - stint.start_lap,
                    is_pit_lap=any(lap in (stop.lap, stop.lap + 1) for stop in car.stops),
                    fuel_start_kg=float(fuel_start) if public else None,
                    fuel_end_kg=float(fuel_end) if public else None,
                    fuel_used_kg=float(fuel_start - fuel_end) if public else None,
                    ers_deployed_j=float(np.float32(levels["deployed_j"][end, index])) if public else None,
                    ers_harvested_j=float(mguk_j + mguh_j) if public else None,
                    top_speed_kmh=int(samples["speed_kmh"][span.frames, index].max()),
                    active_aero_m=aero_m,
                    overtake_m=overtake_m,
                )
            )
        return rows

    def _gap(self, gap_ms: int) -> int | None:
        """What can be known of a gap: 0 means none, and 2023 says no more than GAP_LIMIT_MS."""
        unknown = gap_ms == 0 or (self._race.config.packet_format == 2023 and gap_ms >= GAP_LIMIT_MS)
        return None if unknown else gap_ms

    def _trap(self, index: int, time_s: np.ndarray) -> tuple[float | None, int | None]:
        speed_kmh, lap = (values[0] for values in self._timing.trap_best(index, time_s))
        if lap == NO_TRAP_LAP or self._race.config.packet_format == 2023:
            return None, None
        return float(np.float32(speed_kmh)), int(lap)

    def _driven_m(self) -> dict[tuple[int, int], tuple[int, int]]:
        """(car, lap) → metres with open wings and with overtake, as 10 m of track show them last; none before 2026."""
        if self._race.config.packet_format < 2026:
            return {}
        keys, used = [], []
        for _, state in self._race.states():
            in_use = [self._machine.opens_wings(state), self._machine.overtakes(state, self._timing.gaps_ms(state)[0])]
            place = np.floor(state.lap_distance_m.astype(np.float32) / np.float32(BIN_M)).astype(np.int64)
            row, car = np.nonzero(state.is_racing & (place >= 0))
            keys.append(np.stack([car, state.lap[row, car], place[row, car]], axis=1))
            used.append(np.stack([values[row, car] for values in in_use], axis=1))
        # Backwards, so that the first of each place is the last that was sent.
        places, at = np.unique(np.concatenate(keys)[::-1], axis=0, return_index=True)
        used_last = np.concatenate(used)[::-1][at]
        laps, lap_of = np.unique(places[:, :2], axis=0, return_inverse=True)
        metres = np.zeros((len(laps), 2), np.int64)
        np.add.at(metres, lap_of.reshape(-1), BIN_M * used_last)
        return {(int(car), int(lap)): (int(m[0]), int(m[1])) for (car, lap), m in zip(laps, metres, strict=True)}

    def damage(self) -> list[LapDamage]:
        clock = self._race.clock
        sent = [(span, span.frames[self._race.due(clock.frames[span.frames], "car_damage")]) for span in self._spans]
        last = [(span, int(frames[-1])) for span, frames in sent if len(frames)]
        moments, state = self._states([at for _, at in last])
        wear = self._machine.wear_percent(state).astype(np.float32)
        rows = []
        for span, at in last:
            row = int(np.searchsorted(moments, at))
            hits = [incident.time_s for incident in span.car.incidents if incident.kind == "collision"]
            is_hit = any(state.time_s[row] >= time_s for time_s in hits)
            values = [
                *map(float, wear[row, span.car_index]),
                HIT_WING_PERCENT if is_hit else 0,
                int(ice_wear_percent(state.lap[row, span.car_index])),
            ]
            hidden = span.car.driver.is_restricted
            rows.append(LapDamage(span.car_index, span.lap, *([None] * 6 if hidden else values)))
        return rows

    def pit_stops(self) -> list[PitStop]:
        clock, rows = self._race.clock, []
        for car in self._race.model.cars:
            for number, stop in enumerate(car.stops, 1):
                time_s = clock.time_s(clock.frames)
                in_lane = time_s[(time_s >= stop.entry_s) & (time_s < stop.exit_s)]
                in_box = time_s[(time_s >= stop.box_s) & (time_s < stop.release_s)]
                before, after = car.stints[stop.stint - 1], car.stints[stop.stint]
                rows.append(
                    PitStop(
                        car_index=car.driver.car_index,
                        stop_number=number,
                        entry_lap=stop.lap,
                        exit_lap=stop.lap + 1,
                        lane_time_s=int((in_lane[-1] - stop.entry_s) * 1000) / 1000,
                        stationary_s=int((in_box[-1] - stop.box_s) * 1000) / 1000,
                        visual_compound_before=before.compound.visual_id,
                        tyre_age_before=stop.lap - before.start_lap,
                        visual_compound_after=after.compound.visual_id,
                        tyre_age_after=stop.lap + 1 - after.start_lap,
                    )
                )
        return rows
