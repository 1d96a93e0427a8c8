"""What must hold in every simulated race, whatever its seed."""

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitlane.simulator import Manifest, Race, RaceConfig, SimulationError
from pitlane.simulator.energy import STORE_J
from pitlane.simulator.machine import Machine
from pitlane.simulator.state import RETIRED
from pitlane.simulator.track import TRACKS, load
from pitlane.simulator.wire import Wire

configs = st.builds(
    RaceConfig,
    packet_format=st.sampled_from([2023, 2024, 2025, 2026]),
    laps=st.integers(1, 7),
    seed=st.integers(0, 10**9),
    cars=st.integers(2, 22),
    track=st.sampled_from(sorted(TRACKS)),
    rate_hz=st.sampled_from([10, 20, 30]),
)
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(configs)
def test_times_add_up(config: RaceConfig) -> None:
    manifest = Race(config).manifest()
    total_ms = dict.fromkeys(range(config.cars), 0)
    for lap in manifest.laps:
        if lap.lap_time_ms is not None:
            assert lap.lap_time_ms == (lap.sector1_ms or 0) + (lap.sector2_ms or 0) + (lap.sector3_ms or 0)
            assert 60_000 < lap.lap_time_ms < 180_000
            total_ms[lap.car_index] += lap.lap_time_ms
        else:
            assert lap.sector3_ms is None
    for result in manifest.results:
        assert result.total_time_s == total_ms[result.car_index] / 1000
        own = [lap for lap in manifest.laps if lap.car_index == result.car_index]
        assert result.laps == sum(lap.lap_time_ms is not None for lap in own)
        valid = [lap.lap_time_ms for lap in own if lap.lap_time_ms and lap.is_valid]
        assert result.best_lap_time_ms == min(valid, default=None)
        assert [lap.lap_number for lap in own] == list(range(1, len(own) + 1))


@few
@given(configs)
def test_results_are_in_order(config: RaceConfig) -> None:
    results = sorted(Race(config).manifest().results, key=lambda result: result.position)
    assert [result.position for result in results] == list(range(1, config.cars + 1))
    assert sorted(result.grid_position for result in results) == list(range(1, config.cars + 1))
    assert results[0].laps == config.laps
    merit = [(result.result_status_id == RETIRED, -result.laps) for result in results]
    assert merit == sorted(merit)
    home = [result for result in results if result.result_status_id != RETIRED]
    for ahead, behind in pairwise(home):
        if ahead.laps == behind.laps:
            assert ahead.total_time_s + ahead.penalties_s <= behind.total_time_s + behind.penalties_s


@few
@given(configs)
def test_every_frame_makes_sense(config: RaceConfig) -> None:
    race = Race(config)
    machine = Machine(Wire(config, race.clock), race.model)
    state = race.field.at(race.clock.time_s(race.clock.frames))
    assert (np.sort(state.position, axis=1) == np.arange(1, config.cars + 1)).all()

    steps = np.diff(state.total_distance_m, axis=0)
    assert steps.min() > -0.02  # the centimetre at the line
    driven = (state.speed_mps[1:] + state.speed_mps[:-1]) / 2 / config.rate_hz
    assert np.abs(driven.sum(axis=0) / steps.sum(axis=0) - 1).max() < 0.01
    assert (state.lap_distance_m < race.model.track.length_m).all()
    assert (state.speed_mps >= 0).all()
    assert state.speed_mps.max() < 100
    assert np.abs(state.acceleration_mps2).max() < 70

    levels = machine.energy(state)
    assert (np.diff(levels["fuel_kg"], axis=0) <= 1e-9).all()
    assert levels["fuel_kg"].min() >= 0
    assert levels["store_j"].min() >= 0
    assert levels["store_j"].max() <= STORE_J
    wear = machine.wear_percent(state)
    fresh = np.diff(state.stint, axis=0) != 0
    assert (np.diff(wear[..., 0], axis=0)[~fresh] >= -1e-6).all()
    assert ((state.pit_status == 2) <= (state.speed_mps == 0)).all()


@few
@given(configs)
def test_stints_and_stops_belong_together(config: RaceConfig) -> None:
    manifest = Race(config).manifest()
    for result in manifest.results:
        stints = [stint for stint in manifest.stints if stint.car_index == result.car_index]
        assert len(stints) == result.pit_stops + 1
        assert [stint.start_lap for stint in stints[1:]] == [(stint.end_lap or 0) + 1 for stint in stints[:-1]]
        assert stints[-1].end_lap is None
        for lap in (lap for lap in manifest.laps if lap.car_index == result.car_index):
            stint = [stint for stint in stints if stint.start_lap <= lap.lap_number][-1]
            assert lap.actual_compound_id == stint.actual_compound_id
            assert lap.tyre_age_laps == lap.lap_number - stint.start_lap


def digest(config: RaceConfig) -> str:
    return hashlib.sha256(b"".join(datagram for _, datagram in Race(config).datagrams())).hexdigest()


def test_the_same_seed_is_the_same_race() -> None:
    config = RaceConfig(laps=1, cars=4, seed=5)
    assert digest(config) == digest(RaceConfig(laps=1, cars=4, seed=5))
    assert digest(config) != digest(RaceConfig(laps=1, cars=4, seed=6))


def test_format_and_rate_change_no_lap() -> None:
    def times(packet_format: int, rate_hz: int) -> list[tuple[int, int, int | None]]:
        race = Race(RaceConfig(packet_format=packet_format, rate_hz=rate_hz, laps=3, cars=10, seed=3))
        return [(lap.car_index, lap.lap_number, lap.lap_time_ms) for lap in race.manifest().laps]

    assert times(2023, 20) == times(2026, 60) == times(2025, 10)


def test_datagrams_come_in_time_and_as_many_as_said() -> None:
    race = Race(RaceConfig(laps=1, cars=6, rate_hz=60))
    offsets = [offset_s for offset_s, _ in race.datagrams()]
    assert offsets == sorted(offsets)
    assert offsets[-1] == race.duration_s
    assert len(offsets) == sum(race.manifest().datagrams.values())


def test_a_manifest_survives_its_file(tmp_path: Path) -> None:
    manifest = Race(RaceConfig(laps=2, cars=5, restricted=(1,))).manifest()
    manifest.save(tmp_path / "m.json")
    assert Manifest.load(tmp_path / "m.json") == manifest
    first = manifest.positions_by_lap()[1]
    assert sorted(first) == list(range(5))


@pytest.mark.parametrize("name", sorted(TRACKS))
def test_tracks_are_closed_and_of_their_length(name: str) -> None:
    track = load(name)
    steps = np.hypot(np.diff(track.x_m), np.diff(track.z_m))
    assert steps.sum() == pytest.approx(track.length_m)
    assert (track.x_m[0], track.z_m[0]) == pytest.approx((track.x_m[-1], track.z_m[-1]))
    assert abs(track.heading_rad[-1] - track.heading_rad[0]) == pytest.approx(2 * np.pi, abs=1e-6)
    seconds = (2 * np.diff(track.distance_m) / (track.speed_mps[1:] + track.speed_mps[:-1])).sum()
    assert 65 < seconds < 100


@pytest.mark.parametrize(
    "wrong",
    [{"packet_format": 2022}, {"cars": 23}, {"cars": 1}, {"laps": 0}, {"laps": 81}, {"rate_hz": 25}, {"track": "mars"},
     {"player": 22}, {"restricted": (30,)}, {"session_uid": 2**64}, {"seed": -1}],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SimulationError):
        RaceConfig(**wrong)  # type: ignore[arg-type]
