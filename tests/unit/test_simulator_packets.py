"""Simulated packets through independent decoders, one for each format, against the manifest."""

import dataclasses
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from pitlane.simulator import Manifest, Race, RaceConfig
from tests.peers import peer_decoder

RACING = 2
MEMBERS = {
    "FTLP": "fastest_lap", "RTMT": "retirement", "TMPT": "team_mate_in_pits", "RCWN": "race_winner", "PENA": "penalty",
    "SPTP": "speed_trap", "OVTK": "overtake", "COLL": "collision",
}  # fmt: skip
WITHOUT_MEMBERS = {"SSTA", "SEND", "DRSE", "CHQF", "LGOT"}


@dataclass
class Seen:
    """What the peer read, gathered while the cars were racing."""

    counts: Counter[str] = field(default_factory=Counter)
    events: list[tuple[int, str, list[Any]]] = field(default_factory=list)
    lap_of: dict[int, dict[int, int]] = field(default_factory=dict)
    """Overall frame → car → lap."""
    last: dict[tuple[int, int], dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    """(car, lap) → what its last packets said."""
    first_fuel: dict[tuple[int, int], float] = field(default_factory=dict)
    top_speed: dict[tuple[int, int], int] = field(default_factory=dict)
    pit_laps: set[tuple[int, int]] = field(default_factory=set)
    history: dict[int, Any] = field(default_factory=dict)
    classification: Any = None
    participants: Any = None
    setups: dict[tuple[int, tuple[float, ...]], list[int]] = field(default_factory=lambda: defaultdict(list))
    """(car, members in the game's order) → frames."""
    tyre_sets: dict[int, tuple[int, Any]] = field(default_factory=dict)
    ends: list[tuple[str, int, int]] = field(default_factory=list)
    """(packet, session UID, frame) of all packets with frame 0 or UID 0."""


def read(race: Race) -> Seen:
    decode, seen, frame_events = peer_decoder(race.config.packet_format).resolve, Seen(), []
    for _, datagram in race.datagrams():
        packet = decode(datagram)
        header = packet.header
        kind = type(packet).__name__.removeprefix("Packet").removesuffix("Data")
        seen.counts[kind] += 1
        frame = header.overall_frame_identifier
        if frame == 0 or header.session_uid == 0:
            seen.ends.append((kind, header.session_uid, frame))
        if kind == "Event":
            frame_events.append((frame, packet))
        elif kind == "Lap":
            laps = seen.lap_of[frame] = {}
            for car, lap in enumerate(packet.lap_data):
                if lap.result_status == RACING:
                    laps[car] = lap.current_lap_num
                    seen.last[car, lap.current_lap_num]["position"] = lap.car_position
                    if lap.pit_status:
                        seen.pit_laps.add((car, lap.current_lap_num))
        elif kind == "CarStatus":
            for car, lap in seen.lap_of[frame].items():
                status = packet.car_status_data[car]
                seen.first_fuel.setdefault((car, lap), status.fuel_in_tank)
                seen.last[car, lap]["status"] = status
        elif kind == "CarTelemetry":
            for car, lap in seen.lap_of[frame].items():
                speed = packet.car_telemetry_data[car].speed
                seen.top_speed[car, lap] = max(speed, seen.top_speed.get((car, lap), 0))
        elif kind == "SessionHistory":
            if frame == 0:
                seen.history[packet.car_idx] = packet
        elif kind == "FinalClassification":
            seen.classification = packet
        elif kind == "CarSetup":
            for car, setup in enumerate(getattr(packet, "car_setup_data", None) or packet.car_setups):
                members = tuple(getattr(setup, name) for name, _ in setup._fields_)
                if any(members):
                    seen.setups[car, members].append(frame)
        elif kind == "TyreSets":
            seen.tyre_sets[packet.car_idx] = (frame, packet.tyre_set_data)
        elif kind == "Participants":
            seen.participants = packet
    for frame, packet in frame_events:
        code = bytes(packet.event_string_code).decode()
        if code in MEMBERS:
            details = getattr(packet.event_details, MEMBERS[code])
            seen.events.append((frame, code, [getattr(details, name) for name, _ in details._fields_]))
        elif code in WITHOUT_MEMBERS:
            seen.events.append((frame, code, []))
    return seen


@pytest.fixture(scope="module", params=[2023, 2024, 2025, 2026])
def played(request: pytest.FixtureRequest) -> tuple[Race, Manifest, Seen]:
    race = Race(RaceConfig(packet_format=request.param, laps=3, seed=11, restricted=(2,)))
    return race, race.manifest(), read(race)


Played = tuple[Race, Manifest, Seen]
NAMES = {
    "motion": "Motion", "session": "Session", "lap_data": "Lap", "event": "Event", "participants": "Participants",
    "car_setups": "CarSetup", "car_telemetry": "CarTelemetry", "car_status": "CarStatus", "tyre_sets": "TyreSets",
    "final_classification": "FinalClassification", "lobby_info": "LobbyInfo", "car_damage": "CarDamage",
    "session_history": "SessionHistory", "motion_ex": "MotionEx", "lap_positions": "LapPositions",
    "car_telemetry_2": "CarTelemetry2",
}  # fmt: skip


def test_all_that_a_race_sends_is_there(played: Played) -> None:
    race, manifest, seen = played
    expected = set(NAMES.values())
    if race.config.packet_format < 2026:
        expected -= {"CarTelemetry2"}
    if race.config.packet_format < 2025:
        expected -= {"LapPositions"}
    assert set(seen.counts) == expected
    assert {NAMES[name]: count for name, count in manifest.datagrams.items()} == seen.counts


def test_laps(played: Played) -> None:
    _, manifest, seen = played
    cars_and_laps = {(lap.car_index, lap.lap_number) for lap in manifest.laps}
    assert cars_and_laps == set(seen.last)
    assert seen.pit_laps == {(lap.car_index, lap.lap_number) for lap in manifest.laps if lap.is_pit_lap}
    for lap in manifest.laps:
        key = lap.car_index, lap.lap_number
        history = seen.history[lap.car_index]
        assert history.num_laps == max(number for car, number in cars_and_laps if car == lap.car_index)
        history = history.lap_history_data[lap.lap_number - 1]
        sectors = [
            getattr(history, f"sector{n}_time_ms_part", None) or getattr(history, f"sector{n}_time_in_ms", 0)
            for n in (1, 2, 3)
        ]
        assert history.lap_time_in_ms == (lap.lap_time_ms or 0)
        assert sectors == [lap.sector1_ms or 0, lap.sector2_ms or 0, lap.sector3_ms or 0]
        valid = (lap.is_valid, lap.sector1_valid, lap.sector2_valid, lap.sector3_valid)
        assert history.lap_valid_bit_flags == sum(flag << bit for bit, flag in enumerate(valid))
        last, status = seen.last[key], seen.last[key]["status"]
        assert last["position"] == lap.position
        assert status.actual_tyre_compound == lap.actual_compound_id
        assert status.visual_tyre_compound == lap.visual_compound_id
        assert status.tyres_age_laps == lap.tyre_age_laps
        assert seen.top_speed[key] == lap.top_speed_kmh
        harvested = np.float32(status.ers_harvested_this_lap_mguk) + np.float32(status.ers_harvested_this_lap_mguh)
        if lap.fuel_start_kg is None:
            assert lap.car_index == 2
            assert (status.fuel_in_tank, status.ers_store_energy, status.ers_deployed_this_lap, harvested) == (
                0,
                0,
                0,
                0,
            )
        else:
            assert (seen.first_fuel[key], status.fuel_in_tank) == (lap.fuel_start_kg, lap.fuel_end_kg)
            assert (status.ers_deployed_this_lap, harvested) == (lap.ers_deployed_j, lap.ers_harvested_j)


def test_stints(played: Played) -> None:
    _, manifest, seen = played
    for car, history in seen.history.items():
        theirs, start = [], 1
        for stint in history.tyre_stints_history_data[: history.num_tyre_stints]:
            end = None if stint.end_lap == 255 else stint.end_lap
            theirs.append((start, end, stint.tyre_actual_compound, stint.tyre_visual_compound))
            start = stint.end_lap + 1
        ours = [
            (stint.start_lap, stint.end_lap, stint.actual_compound_id, stint.visual_compound_id)
            for stint in manifest.stints
            if stint.car_index == car
        ]
        assert theirs == ours


def test_results(played: Played) -> None:
    race, manifest, seen = played
    assert seen.classification.num_cars == len(manifest.results) == race.config.cars
    for result in manifest.results:
        row = seen.classification.classification_data[result.car_index]
        assert (row.position, row.grid_position) == (result.position, result.grid_position)
        assert (row.num_laps, row.points, row.num_pit_stops) == (result.laps, result.points, result.pit_stops)
        assert (row.result_status, getattr(row, "result_reason", None)) == (
            result.result_status_id,
            result.result_reason_id,
        )
        assert (row.best_lap_time_in_ms, row.total_race_time) == (result.best_lap_time_ms or 0, result.total_time_s)
        assert (row.penalties_time, row.num_penalties) == (result.penalties_s, result.penalties)


def test_events(played: Played) -> None:
    _, manifest, seen = played
    ours = [
        (event.overall_frame if event.code != "SEND" else 0, event.code, list(event.details.values()))
        for event in manifest.events
        if event.code in MEMBERS or event.code in WITHOUT_MEMBERS
    ]
    assert ours == seen.events
    assert {code for _, code, _ in seen.events} >= {
        "SSTA",
        "LGOT",
        "FTLP",
        "SPTP",
        "OVTK",
        "PENA",
        "CHQF",
        "RCWN",
        "SEND",
    }


def test_participants(played: Played) -> None:
    race, manifest, seen = played
    no_driver = 65535 if race.config.packet_format >= 2026 else 255
    assert seen.participants.num_active_cars == len(manifest.participants)
    for driver, row in zip(manifest.participants, seen.participants.participants, strict=False):
        assert row.name.decode() == driver.name
        assert (row.team_id, row.race_number, row.nationality) == (
            driver.team_id,
            driver.race_number,
            driver.nationality_id,
        )
        assert row.platform == (driver.platform_id or 255)
        assert row.driver_id == (driver.driver_id or no_driver)
        assert (row.ai_controlled, row.your_telemetry) == (driver.is_ai, driver.is_telemetry_public)
        assert row.show_online_names == driver.shows_online_name
        colours = getattr(row, "livery_colours", None)
        shown = colours and [f"#{c.red:02x}{c.green:02x}{c.blue:02x}" for c in colours[: row.num_colours]]
        assert shown == driver.livery_colours


def test_setups(played: Played) -> None:
    race, manifest, seen = played
    found = {key: (min(frames), max(frames)) for key, frames in seen.setups.items()}
    expected = {
        (setup.car_index, tuple(value for value in setup.members.values() if value is not None)): (
            setup.first_frame,
            setup.last_frame,
        )
        for setup in manifest.setups
    }
    assert found == expected
    assert len([setup for setup in manifest.setups if setup.car_index == race.config.player]) == 2, "one stop"
    assert not [setup for setup in manifest.setups if setup.car_index == 2], "hidden"


def test_tyre_sets(played: Played) -> None:
    race, manifest, seen = played
    found = [
        (car, at, s.actual_tyre_compound, s.visual_tyre_compound, s.wear, bool(s.fitted), frame)
        for car, (frame, sets) in sorted(seen.tyre_sets.items())
        for at, s in enumerate(sets)
        if s.actual_tyre_compound
    ]
    assert [dataclasses.astuple(tyres) for tyres in manifest.tyre_sets] == found
    assert len(found) == 20 * (race.config.cars - 1)


def test_begin_and_end_bear_frame_0(played: Played) -> None:
    race, _, seen = played
    lobby = [end for end in seen.ends if end[0] == "LobbyInfo"]
    assert lobby == [("LobbyInfo", 0, 0)] * 4
    assert all(uid == race.config.session_uid for kind, uid, _ in seen.ends if kind != "LobbyInfo")
    cars = race.config.cars
    closing = seen.ends[-cars - 2 :]
    assert [kind for kind, _, _ in closing] == ["Event", *["SessionHistory"] * cars, "FinalClassification"]
