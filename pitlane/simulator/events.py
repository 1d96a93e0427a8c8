"""What the game announces: each event with its frame and its members, in order.

Codes, members and who gets one are the game's: a speed trap for every pass, a fastest lap for every new one, an
overtake whenever two racing cars swap places. IDs of penalties, infringements and reasons are those of EA's appendix.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from f1_packets import EVENTS
from pitlane.simulator.clock import Clock
from pitlane.simulator.model import Incident, RaceModel
from pitlane.simulator.state import Bools, Field, Ints

TIME_PENALTY, LAP_INVALIDATED = 4, 10
SMALL_COLLISION, PIT_LANE_SPEEDING, RUNNING_WIDE = 4, 17, 26
MECHANICAL_FAILURE = 8
"""Reason of a retirement, and of a result."""
NOTHING = 255
BUTTONS = (0x00000001, 0x00000002, 0x00000100, 0x00100000)
"""Cross, triangle, options, a UDP action: what the player presses now and then."""

Members = dict[str, int | float]


@dataclass(frozen=True)
class Event:
    """`frame` is the overall frame, 0 for start and end of the session; `members` are those of the format's code."""

    frame: int
    session_time_s: float
    code: str
    members: Members


def mark(clock: Clock, code: str) -> Event:
    """SSTA or SEND. Both bear frame 0; only the session time tells them apart."""
    return Event(0, float(np.float32(clock.end_session_time_s)) if code == "SEND" else 0.0, code, {})


def announce(model: RaceModel, field: Field, clock: Clock, positions: Ints, contested: Bools) -> list[Event]:
    """All events between start and end of the session, by frame.

    `positions` are the places in every frame sent, (frames, cars), `contested` whether a car can win or lose one.
    """
    packet_format = model.config.packet_format
    moments = [*_start(), *_laps(model), *_traps(model, field), *_stewards(model), *_pits(model), *_end(model, clock)]
    events = []
    for time_s, code, members in moments:
        table = EVENTS[packet_format].get(code)
        if table is not None:
            sent = {f.name: members[f.name] for f in table.fields}
            events.append(_event(clock, clock.frame_after(time_s), code, sent))
    events += _overtakes(clock, positions, contested)
    events += _buttons(model, clock)
    return sorted(events, key=lambda event: (event.frame, event.code))


def _event(clock: Clock, frame: int, code: str, members: Members) -> Event:
    return Event(frame, float(np.float32(clock.session_time_s(frame))), code, members)


Moment = tuple[float, str, Members]


def _start() -> Iterator[Moment]:
    for light in range(1, 6):
        yield light - 6.0, "STLG", {"num_lights": light}
    yield 0.0, "LGOT", {}


def _laps(model: RaceModel) -> Iterator[Moment]:
    """FTLP for each valid lap that beats all before it; DRS from the leader's third lap on, in formats that have it."""
    ends = [(end, lap, index) for index, car in enumerate(model.cars) for lap, end in enumerate(car.lap_end_ms, 1)]
    best_ms = 2**31
    for end_ms, lap, index in sorted(ends):
        lap_time_ms = model.cars[index].lap_time_ms(lap)
        if lap_time_ms < best_ms and model.cars[index].valid_flags(lap) & 1:
            best_ms = lap_time_ms
            yield end_ms / 1000, "FTLP", {"car_index": index, "lap_time_s": _f32(lap_time_ms / 1000)}
    second = [end for end, lap, _ in ends if lap == 2]
    if model.config.laps > 2 and second and model.config.packet_format < 2026:
        yield min(second) / 1000, "DRSE", {}


def trap_passes(model: RaceModel, field: Field) -> list[tuple[float, int, int, float]]:
    """Every pass of the speed trap in a lap that counts: (time, car, lap, km/h as sent), by time."""
    trap_m = model.track.circuit.trap_fraction * model.track.length_m
    passes = []
    for index, car in enumerate(model.cars):
        times = field.time_at(index, trap_m + model.track.length_m * np.arange(len(car.sectors_ms), dtype=np.float64))
        speeds = field.at(times).speed_mps[:, index] * 3.6
        reached = times < car.retired_s
        passes += [
            (float(t), index, lap, _f32(v))
            for lap, (t, v, ok) in enumerate(zip(times, speeds, reached, strict=True), 1)
            if ok
        ]
    return sorted(passes)


def _traps(model: RaceModel, field: Field) -> Iterator[Moment]:
    own: dict[int, float] = {}
    fastest, fastest_car = 0.0, NOTHING
    for time_s, index, _, speed_kmh in trap_passes(model, field):
        is_overall, is_own = speed_kmh > fastest, speed_kmh > own.get(index, 0.0)
        if is_overall:
            fastest, fastest_car = speed_kmh, index
        own[index] = max(speed_kmh, own.get(index, 0.0))
        yield (
            time_s,
            "SPTP",
            {
                "car_index": index,
                "speed_kmh": speed_kmh,
                "is_overall_fastest": int(is_overall),
                "is_driver_fastest": int(is_own),
                "fastest_car_index": fastest_car,
                "fastest_speed_kmh": fastest,
            },
        )


def _stewards(model: RaceModel) -> Iterator[Moment]:
    for index, car in enumerate(model.cars):
        for incident in car.incidents:
            if incident.kind == "collision":
                yield incident.time_s, "COLL", {"car_index": index, "other_car_index": incident.other, "severity": 1}
            yield incident.time_s, "PENA", _penalty(index, incident)
        if car.is_retired:
            yield car.retired_s, "RTMT", {"car_index": index, "reason": MECHANICAL_FAILURE}


def _penalty(car_index: int, incident: Incident) -> Members:
    infringement = {
        "collision": SMALL_COLLISION,
        "pit_lane_speeding": PIT_LANE_SPEEDING,
        "lap_invalidated": RUNNING_WIDE,
    }[incident.kind]
    return {
        "penalty_type": TIME_PENALTY if incident.seconds else LAP_INVALIDATED,
        "infringement_type": infringement,
        "car_index": car_index,
        "other_car_index": incident.other,
        "time_s": incident.seconds or NOTHING,
        "lap_num": incident.lap,
        "places_gained": NOTHING,
    }


def _pits(model: RaceModel) -> Iterator[Moment]:
    """TMPT is for the player alone."""
    player = model.cars[model.config.player]
    for index, car in enumerate(model.cars):
        if car.team == player.team and car is not player:
            for stop in car.stops:
                yield stop.entry_s, "TMPT", {"car_index": index}


def _end(model: RaceModel, clock: Clock) -> Iterator[Moment]:
    yield model.leader_finish_ms / 1000, "CHQF", {}
    winner = model.classification()[0].driver.car_index
    yield clock.duration_s - 1.0, "RCWN", {"car_index": winner}


def _overtakes(clock: Clock, positions: Ints, contested: Bools) -> Iterator[Event]:
    """Every pair that has swapped places since the frame before, both in the running in both frames."""
    for i in np.flatnonzero((np.diff(positions, axis=0) != 0).any(axis=1)) + 1:
        before, after = positions[i - 1], positions[i]
        cars = np.flatnonzero(contested[i - 1] & contested[i] & (before != after))
        for car in cars:
            for other in cars:
                if before[car] > before[other] and after[car] < after[other]:
                    members: Members = {"car_index": int(car), "other_car_index": int(other)}
                    yield _event(clock, int(clock.frames[i]), "OVTK", members)


def _buttons(model: RaceModel, clock: Clock) -> Iterator[Event]:
    """The player presses something every few seconds; nearly all events of a real session are these."""
    rng = np.random.default_rng([model.config.seed, 3])
    frame = int(clock.lights_out_frame)
    while frame < clock.frames[-1]:
        for buttons in (int(rng.choice(BUTTONS)), 0):
            yield _event(clock, frame, "BUTN", {"buttons": buttons})
            frame += int(rng.integers(6, 20))
        frame += int(rng.integers(60, 300))


def _f32(value: float) -> float:
    return float(np.float32(value))
