"""The truth about a simulated race, taken from its model and never from its packets.

Rows have the names of the columns in the `core` schema, so a test can hold table against manifest row for row:

- a lap's position, tyres, fuel, ERS and top speed are those of the frames sent while the car was racing in it (after
  the flag a car goes on under the same lap number, and a car that stopped stays where it is: neither counts);
- what a lap did not complete, and what a restricted car keeps to itself, is None;
- a stint that was not ended by a stop has end_lap None, as the game says 255 to the last;
- where the game sends a number for "none" there is None;
- button presses are no events here; events without a car, another car or a lap have None there.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f1_packets import sample_order
from pitlane.simulator import garage
from pitlane.simulator.events import NOTHING, Event
from pitlane.simulator.lap_truth import Lap, LapDamage, LapTruth, PitStop
from pitlane.simulator.model import CarRace
from pitlane.simulator.session import RACE, SECOND_COLOUR, STEAM, points, result_ids

if TYPE_CHECKING:
    from pitlane.simulator.race import Race


@dataclass(frozen=True)
class Session:
    packet_format: int
    session_uid: int
    """Unsigned, as sent."""
    track_id: int
    track_length_m: int
    session_type_id: int
    total_laps: int
    player_car_index: int
    rate_hz: int
    seed: int
    duration_s: float


@dataclass(frozen=True)
class Participant:
    car_index: int
    name: str
    driver_id: int | None
    """None for people, who are no driver of the game's."""
    team_id: int
    race_number: int
    nationality_id: int
    is_ai: bool
    is_player: bool
    is_telemetry_public: bool
    platform_id: int | None
    shows_online_name: bool
    livery_colours: list[str] | None


@dataclass(frozen=True)
class Stint:
    car_index: int
    stint_number: int
    start_lap: int
    end_lap: int | None
    actual_compound_id: int
    visual_compound_id: int


@dataclass(frozen=True)
class EventRow:
    overall_frame: int
    """As a sort key (`f1_packets.sample_order`): the end of the session comes last."""
    code: str
    session_time_s: float
    car_index: int | None
    other_car_index: int | None
    lap_number: int | None
    details: dict[str, int | float]


@dataclass(frozen=True)
class Result:
    car_index: int
    position: int
    grid_position: int
    laps: int
    points: int
    pit_stops: int
    result_status_id: int
    result_reason_id: int | None
    best_lap_time_ms: int | None
    total_time_s: float
    penalties_s: int
    penalties: int
    tyre_stints: list[dict[str, int | None]]


@dataclass(frozen=True)
class Manifest:
    """A race. Lists are sorted by their rows' keys; `datagrams` counts what is sent by packet name."""

    session: Session
    participants: list[Participant]
    laps: list[Lap]
    damage: list[LapDamage]
    pit_stops: list[PitStop]
    stints: list[Stint]
    events: list[EventRow]
    results: list[Result]
    setups: list[garage.Setup]
    tyre_sets: list[garage.TyreSet]
    datagrams: dict[str, int]

    def positions_by_lap(self) -> dict[int, list[int]]:
        """Lap number → car indices in the order in which they ended that lap."""
        laps = sorted(self.laps, key=lambda lap: (lap.lap_number, lap.position))
        order: dict[int, list[int]] = {}
        for lap in laps:
            order.setdefault(lap.lap_number, []).append(lap.car_index)
        return order

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = {
            "participants": Participant, "laps": Lap, "damage": LapDamage, "pit_stops": PitStop, "stints": Stint,
            "events": EventRow, "results": Result, "setups": garage.Setup, "tyre_sets": garage.TyreSet,
        }  # fmt: skip
        lists: dict[str, Any] = {name: [row(**values) for values in raw[name]] for name, row in rows.items()}
        return cls(session=Session(**raw["session"]), datagrams=raw["datagrams"], **lists)


def manifest_of(race: "Race") -> Manifest:
    """The manifest of a race."""
    config, circuit, truth = race.config, race.model.track.circuit, LapTruth(race)
    return Manifest(
        session=Session(
            packet_format=config.packet_format,
            session_uid=config.session_uid,
            track_id=circuit.id,
            track_length_m=circuit.length_m,
            session_type_id=RACE,
            total_laps=config.laps,
            player_car_index=config.player,
            rate_hz=config.rate_hz,
            seed=config.seed,
            duration_s=race.duration_s,
        ),
        participants=[_participant(car, config.packet_format) for car in race.model.cars],
        laps=truth.laps(),
        damage=truth.damage(),
        pit_stops=truth.pit_stops(),
        stints=[stint for car in race.model.cars for stint in _stints(car)],
        events=[_event(event) for event in race.events if event.code != "BUTN"],
        results=sorted(
            (
                _result(position, car, config.packet_format)
                for position, car in enumerate(race.model.classification(), 1)
            ),
            key=lambda result: result.car_index,
        ),
        setups=garage.setups(race),
        tyre_sets=garage.tyre_sets(race),
        datagrams=race.counts(),
    )


def _participant(car: CarRace, packet_format: int) -> Participant:
    driver = car.driver
    return Participant(
        car_index=driver.car_index,
        name=driver.name,
        driver_id=driver.driver_id if driver.is_ai else None,
        team_id=driver.team_id,
        race_number=driver.race_number,
        nationality_id=driver.nationality_id,
        is_ai=driver.is_ai,
        is_player=driver.is_player,
        is_telemetry_public=not driver.is_restricted,
        platform_id=None if driver.is_ai else STEAM,
        shows_online_name=not driver.is_ai,
        livery_colours=[_hex(driver.colour), _hex(SECOND_COLOUR)] if packet_format >= 2025 else None,
    )


def _hex(colour: tuple[int, int, int]) -> str:
    return f"#{bytes(colour).hex()}"


def _stints(car: CarRace) -> list[Stint]:
    ends = [*(stop.lap for stop in car.stops), None]
    return [
        Stint(car.driver.car_index, number, stint.start_lap, end, stint.compound.actual_id, stint.compound.visual_id)
        for number, (stint, end) in enumerate(zip(car.stints, ends, strict=True), 1)
    ]


def _event(event: Event) -> EventRow:
    def member(name: str) -> int | None:
        value = event.members.get(name, NOTHING)
        return None if value == NOTHING else int(value)

    return EventRow(
        overall_frame=sample_order(event.frame, event.session_time_s),
        code=event.code,
        session_time_s=event.session_time_s,
        car_index=member("car_index"),
        other_car_index=member("other_car_index"),
        lap_number=member("lap_num"),
        details=dict(event.members),
    )


def _result(position: int, car: CarRace, packet_format: int) -> Result:
    status, reason = result_ids(car)
    return Result(
        car_index=car.driver.car_index,
        position=position,
        grid_position=car.driver.grid_position,
        laps=car.laps_done,
        points=points(position, car),
        pit_stops=len(car.stops),
        result_status_id=status,
        result_reason_id=reason if packet_format >= 2025 else None,
        best_lap_time_ms=car.best_lap_ms or None,
        total_time_s=car.finish_ms / 1000,
        penalties_s=car.penalties_s,
        penalties=car.penalties,
        tyre_stints=[
            {name: getattr(stint, name) for name in ("end_lap", "actual_compound_id", "visual_compound_id")}
            for stint in _stints(car)
        ],
    )
