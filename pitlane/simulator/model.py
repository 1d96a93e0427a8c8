"""The race itself, before any packet: who is where when, to the millisecond, and why.

Laps are driven one after the other by the whole field. Each car's lap follows from its pace, its tyres, its fuel and
its plan; then cars that come up behind a slower one are held up unless they are fast enough to pass. All times are
milliseconds from lights out; the game clock runs from there too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from pitlane.simulator import energy
from pitlane.simulator.config import RaceConfig
from pitlane.simulator.drivers import Driver
from pitlane.simulator.drivers import field as draw_field
from pitlane.simulator.driving import COOL_DOWN_PACE, Knots, LapPlan, box_m, drive, grid_slot_m, on_milliseconds, slowed
from pitlane.simulator.track import Track, load
from pitlane.simulator.tyres import Stint, strategy

FUEL_COST_PER_LAP = 0.0004
"""Fraction of a lap time that a lap's worth of fuel on board costs."""
PASS_ADVANTAGE_S = 0.45
"""Faster by so much over a lap, a car gets past; less, and it stays behind."""
CELEBRATION_S = 4.0
"""From the last car's flag to the end of the session."""


@dataclass(frozen=True)
class PitStop:
    """Times in seconds: into the lane, into the box, out of the box, out of the lane. `lap` is the in-lap."""

    lap: int
    entry_s: float
    box_s: float
    release_s: float
    exit_s: float
    stint: int
    """Index of the stint that begins with the stop."""


@dataclass(frozen=True)
class Incident:
    """Something the stewards note: a lost lap (`sector` 0 to 2), a time penalty, a collision with `other`."""

    time_s: float
    lap: int
    kind: str
    sector: int = 0
    seconds: int = 0
    other: int = 255


@dataclass
class CarRace:
    """One car's race. Lists by lap hold completed laps; `sectors_ms` may have one more, not complete."""

    driver: Driver
    stints: tuple[Stint, ...]
    team: int
    lap_end_ms: list[int] = field(default_factory=list)
    sectors_ms: list[list[int]] = field(default_factory=list)
    knots: list[Knots] = field(default_factory=list)
    """By lap, times from the lap's start."""
    stops: list[PitStop] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    energy_laps: tuple[energy.Lap, ...] = ()
    retires_in_lap: int = 0
    """0: it does not."""
    retires_at_m: float = 0.0
    retired_s: float = float("inf")
    held_up: float = 0.0

    @property
    def laps_done(self) -> int:
        return len(self.lap_end_ms)

    @property
    def is_retired(self) -> bool:
        return self.retired_s < float("inf")

    @property
    def finish_ms(self) -> int:
        """When the last lap that counts was complete."""
        return self.lap_end_ms[-1] if self.lap_end_ms else 0

    @property
    def penalties_s(self) -> int:
        return sum(incident.seconds for incident in self.incidents)

    @property
    def penalties(self) -> int:
        return sum(incident.seconds > 0 for incident in self.incidents)

    @property
    def best_lap_ms(self) -> int:
        """The fastest valid lap, 0 without one."""
        laps = range(1, self.laps_done + 1)
        return min((self.lap_time_ms(lap) for lap in laps if self.valid_flags(lap) & 1), default=0)

    def lap_start_ms(self, lap: int) -> int:
        return self.lap_end_ms[lap - 2] if lap > 1 else 0

    def lap_time_ms(self, lap: int) -> int:
        return self.lap_end_ms[lap - 1] - self.lap_start_ms(lap)

    def valid_flags(self, lap: int, time_s: float = float("inf")) -> int:
        """The game's bits at a time: 1 the lap, 2, 4 and 8 its sectors; set as long as nothing was lost."""
        flags = 0b1111
        for incident in self.incidents:
            if incident.kind == "lap_invalidated" and incident.lap == lap and incident.time_s <= time_s:
                flags &= ~(0b0001 | 0b0010 << incident.sector)
        return flags

    def stint_of(self, lap: int) -> int:
        """Index of the stint whose tyres are on at the end of a lap."""
        return max(i for i, stint in enumerate(self.stints) if stint.start_lap <= lap)


@dataclass(frozen=True)
class RaceModel:
    """A whole race, computed. `duration_s` is from lights out to the end of the session."""

    config: RaceConfig
    track: Track
    shares: energy.Shares
    cars: tuple[CarRace, ...]
    duration_s: float

    def classification(self) -> list[CarRace]:
        """The cars as they are classified: by laps, then time with penalties; retired cars by how far they came."""
        return sorted(
            self.cars,
            key=lambda car: (
                car.is_retired,
                -car.laps_done,
                -car.retired_s if car.is_retired else car.finish_ms + 1000 * car.penalties_s,
                car.driver.car_index,
            ),
        )

    @property
    def leader_finish_ms(self) -> int:
        return min(car.finish_ms for car in self.cars if not car.is_retired)


def race(config: RaceConfig) -> RaceModel:
    """Run the race of a config."""
    rng = np.random.default_rng(config.seed)
    track = load(config.track)
    drivers = draw_field(config, rng)
    cars = tuple(CarRace(driver, strategy(config.laps, rng), driver.car_index // 2) for driver in drivers)
    _draw_retirements(cars, config, track, rng)
    for lap in range(1, config.laps + 1):
        _drive_lap(cars, lap, track, config, rng)
    _wave_flag(cars, config.laps)
    for car in cars:
        _draw_incidents(car, rng)
    _draw_penalties(cars, rng)
    shares = energy.Shares(track)
    end_s = max(car.finish_ms for car in cars if not car.is_retired) / 1000 + CELEBRATION_S
    for car in cars:
        car.energy_laps = energy.plan(car.laps_done + 1, config.laps, shares, energy.rules(config.packet_format), rng)
        if not car.is_retired:
            _cool_down(car, track)
    return RaceModel(config, track, shares, cars, end_s)


def _draw_retirements(cars: tuple[CarRace, ...], config: RaceConfig, track: Track, rng: np.random.Generator) -> None:
    """Up to two cars, never the player's, in laps without a stop; in races of three laps and more."""
    count = 0 if config.laps < 3 or len(cars) < 6 else 1 if len(cars) < 16 else 2
    others = [car for car in cars if not car.driver.is_player]
    for car in rng.permutation(np.array(others, dtype=object))[:count]:
        around_stops = {lap for stint in car.stints[1:] for lap in (stint.start_lap - 1, stint.start_lap)}
        laps = sorted(set(range(2, config.laps + 1)) - around_stops)
        if laps:
            car.retires_in_lap = int(rng.choice(laps))
            car.retires_at_m = float(track.distance_m[track.snap(track.length_m * rng.uniform(0.2, 0.9))])


def _drive_lap(cars: tuple[CarRace, ...], lap: int, track: Track, config: RaceConfig, rng: np.random.Generator) -> None:
    """One lap of every car that is still running: alone, then held up by those in front, then on milliseconds."""
    running = [car for car in cars if not car.is_retired]
    driven: list[tuple[CarRace, LapPlan, Knots]] = []
    for car in running:
        plan = _plan(car, lap, config, rng)
        driven.append((car, plan, drive(track, plan, car.team)))
    _hold_up(driven, lap, rng)
    for car, plan, knots in driven:
        knots = slowed(knots, car.held_up)
        ends = [float(track.distance_m[knot]) for knot in track.sector_ends]
        reached = [end for end in ends if end <= knots.distance_m[-1]]
        knots, passed_ms = on_milliseconds(knots, reached)
        start_s = car.lap_start_ms(lap) / 1000
        _note_stop(car, plan, lap, knots, start_s, track)
        car.knots.append(knots)
        car.sectors_ms.append([b - a for a, b in zip([0, *passed_ms], passed_ms, strict=False)])
        if plan.stops_at_m is None:
            car.lap_end_ms.append(car.lap_start_ms(lap) + passed_ms[-1])
        else:
            car.retired_s = start_s + float(knots.time_s[-1])


def _plan(car: CarRace, lap: int, config: RaceConfig, rng: np.random.Generator) -> LapPlan:
    stint = car.stints[car.stint_of(lap)]
    age = lap - stint.start_lap
    pace = car.driver.pace * (1 + stint.compound.offset + stint.compound.fade * age)
    pace *= 1 + FUEL_COST_PER_LAP * (config.laps - lap) + rng.normal(0, 0.0012)
    starts_stint = lap > 1 and stint.start_lap == lap
    return LapPlan(
        pace=float(pace),
        launch_from_m=grid_slot_m(car.driver.grid_position) if lap == 1 else None,
        react_s=car.driver.react_s if lap == 1 else 0.0,
        enters_pits=any(later.start_lap == lap + 1 for later in car.stints),
        box_s=float(rng.uniform(2.1, 3.4)) if starts_stint else 0.0,
        enters_at_mps=0.0 if lap == 1 or starts_stint else float(car.knots[-1].speed_mps[-1]),
        stops_at_m=car.retires_at_m if car.retires_in_lap == lap else None,
    )


def _hold_up(driven: list[tuple[CarRace, LapPlan, Knots]], lap: int, rng: np.random.Generator) -> None:
    """Set `held_up`: seconds that a car loses behind others which began the lap ahead of it."""
    order = sorted(driven, key=lambda item: item[0].lap_start_ms(lap) or item[0].driver.grid_position)
    ends: list[tuple[float, float, bool]] = []  # (end, lap time, blocks) of those ahead
    for car, plan, knots in order:
        start, alone = car.lap_start_ms(lap) / 1000, float(knots.time_s[-1])
        end, gap = start + alone, float(rng.uniform(0.4, 0.9))
        in_race = not (plan.enters_pits or plan.box_s or plan.stops_at_m)
        if in_race and lap > 1:
            blocked = [e for e, t, blocks in ends if blocks and end < e + gap and t - alone < PASS_ADVANTAGE_S]
            end = max([end, *(e + gap for e in blocked)])
        car.held_up = end - start - alone
        ends.append((end, alone, in_race))


def _note_stop(car: CarRace, plan: LapPlan, lap: int, knots: Knots, start_s: float, track: Track) -> None:
    """Remember the pit lane times: the entry in the in-lap, the rest in the lap after."""
    if plan.enters_pits:
        entry_s = start_s + knots.when(track.length_m - track.circuit.pit_entry_m)
        car.stops.append(PitStop(lap, entry_s, np.inf, np.inf, np.inf, car.stint_of(lap) + 1))
    if plan.box_s > 0:
        stop, at = car.stops[-1], np.flatnonzero(knots.distance_m == box_m(track, car.team))
        box_s, release_s = (start_s + float(knots.time_s[at[i]]) for i in (0, -1))
        exit_s = start_s + knots.when(track.circuit.pit_exit_m)
        car.stops[-1] = PitStop(stop.lap, stop.entry_s, box_s, release_s, exit_s, stop.stint)


def _wave_flag(cars: Iterable[CarRace], laps: int) -> None:
    """When the leader is home, every other car ends its race at the line: laps beyond that were not driven."""
    cars = tuple(cars)
    flag_ms = min(car.finish_ms for car in cars if car.laps_done == laps)
    for car in cars:
        done = next((lap for lap, end in enumerate(car.lap_end_ms, 1) if end >= flag_ms), None)
        if done is None:
            car.stints = tuple(stint for stint in car.stints if stint.start_lap <= car.retires_in_lap)
            continue  # retired before the flag
        if car.is_retired or done < car.laps_done:
            car.retired_s = float("inf")
            del car.lap_end_ms[done:], car.sectors_ms[done:], car.knots[done:]
            car.stops = [stop for stop in car.stops if stop.lap < done]
            car.stints = car.stints[: len(car.stops) + 1]


def _draw_incidents(car: CarRace, rng: np.random.Generator) -> None:
    """One lap in thirty is lost to running wide somewhere."""
    for lap in range(1, car.laps_done + 1):
        if rng.random() < 1 / 30:
            sector = int(rng.integers(3))
            before = sum(car.sectors_ms[lap - 1][:sector])
            moment = car.lap_start_ms(lap) + before + 0.6 * car.sectors_ms[lap - 1][sector]
            car.incidents.append(Incident(moment / 1000, lap, "lap_invalidated", sector=sector))


def _draw_penalties(cars: tuple[CarRace, ...], rng: np.random.Generator) -> None:
    """Five seconds for a touch in the first lap, five for speeding in the pit lane."""
    if len(cars) > 3:
        hits, hit = sorted(cars, key=lambda car: car.driver.grid_position)[-2:]
        moment = 0.3 * min(hits.sectors_ms[0][0], hit.sectors_ms[0][0]) / 1000
        other = hit.driver.car_index
        hits.incidents.append(Incident(moment, 1, "collision", seconds=5, other=other))
    stopped = [car for car in cars if car.stops and not car.is_retired]
    if stopped:
        car = stopped[int(rng.integers(len(stopped)))]
        stop = car.stops[0]
        car.incidents.append(Incident(stop.entry_s + 2.0, stop.lap, "pit_lane_speeding", seconds=5))


def _cool_down(car: CarRace, track: Track) -> None:
    """The lap after the flag: off the throttle, then slowly round."""
    flag_mps = float(car.knots[-1].speed_mps[-1])
    plan = LapPlan(pace=car.driver.pace * COOL_DOWN_PACE, enters_at_mps=flag_mps, coasts=True)
    car.knots.append(drive(track, plan, car.team))
