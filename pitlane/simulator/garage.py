"""The truth about a simulated race's garages: setups and sets of tyres, as `core.setup` and `core.tyre_set` show them.

Cars that hide their telemetry have neither: the game sends zeros for them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pitlane.simulator.machine import INTERMEDIATE_ID, TYRE_SETS, WET_ID, Machine
from pitlane.simulator.tyres import COMPOUNDS
from pitlane.simulator.wire import Wire

if TYPE_CHECKING:
    from pitlane.simulator.race import Race

Members = dict[str, float | None]


@dataclass(frozen=True)
class Setup:
    car_index: int
    first_frame: int
    last_frame: int
    members: Members
    """By column; None for what the format does not have."""


@dataclass(frozen=True)
class TyreSet:
    """As in the last frame that showed the car's sets."""

    car_index: int
    set_index: int
    actual_compound_id: int
    visual_compound_id: int
    wear_percent: int
    is_fitted: bool
    overall_frame: int


def setups(race: "Race") -> list[Setup]:
    machine = _machine(race)
    frames = race.clock.frames[race.due(race.clock.frames, "car_setups")]
    times = race.clock.time_s(frames)
    rows = []
    for index in _open(race):
        shown: dict[str, list[int]] = {}
        for frame, time_s in zip(frames.tolist(), times.tolist(), strict=True):
            shown.setdefault(repr(machine.setup(index, time_s)), []).append(frame)
        for seen in shown.values():
            members: Members = {
                name: float(np.float32(value))
                for name, value in machine.setup(index, float(race.clock.time_s(seen[0]))).items()
            }
            if race.config.packet_format < 2024:
                members["engine_braking_percent"] = None
            rows.append(Setup(index, seen[0], seen[-1], members))
    return rows


def tyre_sets(race: "Race") -> list[TyreSet]:
    machine = _machine(race)
    frames = race.clock.frames[race.due(race.clock.frames, "in_turn")]
    turns = race.tyre_sets_turn(frames)
    compounds = [(c.actual_id, c.visual_id) for c in COMPOUNDS]
    held = [ids for number, ids in zip(TYRE_SETS, compounds, strict=True) for _ in range(number)]
    held += [(INTERMEDIATE_ID, INTERMEDIATE_ID)] * 4 + [(WET_ID, WET_ID)] * 3
    rows = []
    for index in _open(race):
        frame = frames[turns == index][-1:]
        state = race.field.at(race.clock.time_s(frame))
        fitted = held.index(compounds[machine.compound(state)[0, index]])
        wear = int(machine.wear_percent(state)[0, index, 0])
        rows += [
            TyreSet(index, at, actual, visual, wear if at == fitted else 0, at == fitted, int(frame[0]))
            for at, (actual, visual) in enumerate(held)
        ]
    return rows


def _machine(race: "Race") -> Machine:
    return Machine(Wire(race.config, race.clock), race.model)


def _open(race: "Race") -> list[int]:
    return [car.driver.car_index for car in race.model.cars if not car.driver.is_restricted]
