"""Live messages and their viewers."""

import asyncio
import json
import struct

import jsonschema
import pytest
from websockets.exceptions import ConnectionClosedOK

from f1_packets import PACKETS, Header
from pitlane import capture
from tests.datagrams import datagram, session
from tests.peers import peer_decoder
from tests.shared import RACE_2026, TIME_TRIAL, needs_recordings
from udp_gateway import message, reference
from udp_gateway.decide import Core, ShowLive
from udp_gateway.live import STALE_S, Hub, Viewer
from udp_gateway.live_state import LiveState

NOW = 1_795_352_725_126_000_000


def shown(*datagrams: bytes) -> dict[str, object]:
    """The last live message that these datagrams make."""
    core, states = Core({}, shards=1), []
    for raw in datagrams:
        states += [e.state for e in core.decide(raw, "rig", NOW) if isinstance(e, ShowLive)]
    return json.loads(states[-1].text())


def state(rig: str = "a", frame: int = 0) -> LiveState:
    header = Header(2025, 25, 1, 18, 1, 6, 5, 1.0, frame, frame, 0, 255)
    return LiveState(rig, NOW, header, 0, {}, None, None)


# --- the message ----------------------------------------------------------------------------------------------------


def test_every_field_from_literal_bytes():
    fields = shown(
        session({29: ("B", 1), 30: ("b", 37), 31: ("b", 25), 32: ("B", 57), 35: ("B", 15), 36: ("b", 4),
                 38: ("H", 3600), 153: ("B", 1)}),
        datagram(2, {0: ("I", 83_456), 4: ("I", 61_234), 8: ("H", 31_000), 10: ("B", 1), 11: ("H", 59_999),
                     13: ("B", 0), 14: ("H", 1_234), 16: ("B", 0), 17: ("H", 2_000), 19: ("B", 2), 20: ("f", -12.5),
                     32: ("B", 5), 33: ("B", 14), 34: ("B", 1), 35: ("B", 2), 36: ("B", 2), 37: ("B", 1),
                     38: ("B", 10), 39: ("B", 3), 43: ("B", 7)}, car=19),
        datagram(7, {2: ("B", 2), 3: ("B", 56), 4: ("B", 1), 5: ("f", 12.5), 9: ("f", 110.0), 13: ("f", -0.25),
                     17: ("H", 13_000), 19: ("H", 4_000), 22: ("B", 1), 25: ("B", 16), 26: ("B", 17), 27: ("B", 9),
                     28: ("b", -1), 37: ("f", 3e6), 41: ("B", 2), 42: ("f", 250_000.0), 46: ("f", 125_000.0),
                     50: ("f", 500_000.0)}, car=19),
        datagram(10, {0: ("f", 10.5), 4: ("f", 11.5), 8: ("f", 12.5), 12: ("f", 13.5)},
                 car=19),
        datagram(6, {0: ("H", 287), 2: ("f", 0.75), 6: ("f", -0.5), 10: ("f", 0.25), 14: ("B", 3), 15: ("b", 7),
                     16: ("H", 11_234), 18: ("B", 1), 19: ("B", 66), 22: ("H", 501), 24: ("H", 502), 26: ("H", 503),
                     28: ("H", 504), 30: ("B", 91), 31: ("B", 92), 32: ("B", 93), 33: ("B", 94), 34: ("B", 101),
                     35: ("B", 102), 36: ("B", 103), 37: ("B", 104), 38: ("H", 110), 40: ("f", 20.5), 44: ("f", 21.5),
                     48: ("f", 22.5), 52: ("f", 23.5)}, car=19),
    )  # fmt: skip
    assert fields == {
        "ts": NOW // 10**6, "rig": "rig", "session": "85db0a0f77ec492a", "packet_format": 2025, "frame": 750,
        "car_index": 19, "speed_kmh": 287, "engine_rpm": 11_234, "gear": 7, "throttle": 0.75, "brake": 0.25,
        "steer": -0.5, "clutch_pct": 3, "drs": 1, "rev_lights_pct": 66, "engine_temperature_c": 110,
        "brake_temperature_rl_c": 501, "brake_temperature_rr_c": 502, "brake_temperature_fl_c": 503,
        "brake_temperature_fr_c": 504, "tyre_surface_rl_c": 91, "tyre_surface_rr_c": 92, "tyre_surface_fl_c": 93,
        "tyre_surface_fr_c": 94, "tyre_inner_rl_c": 101, "tyre_inner_rr_c": 102, "tyre_inner_fl_c": 103,
        "tyre_inner_fr_c": 104, "tyre_pressure_rl_psi": 20.5, "tyre_pressure_rr_psi": 21.5,
        "tyre_pressure_fl_psi": 22.5, "tyre_pressure_fr_psi": 23.5, "max_rpm": 13_000, "idle_rpm": 4_000,
        "fuel_in_tank_kg": 12.5, "fuel_capacity_kg": 110.0, "fuel_remaining_laps": -0.25, "fuel_mix": 2,
        "ers_store_j": 3e6, "ers_store_pct": 75.0, "ers_deploy_mode": 2, "ers_deployed_j": 500_000.0,
        "ers_harvested_j": 375_000.0, "ers_harvest_limit_j": None, "drs_allowed": 1, "pit_limiter": 1,
        "front_brake_bias_pct": 56, "flag": -1, "actual_tyre_compound": 16, "visual_tyre_compound": 17,
        "tyre_age_laps": 9, "lap_number": 14, "position": 5, "current_lap_time_ms": 61_234,
        "last_lap_time_ms": 83_456, "sector": 2, "sector1_ms": 91_000, "sector2_ms": 59_999, "gap_ahead_ms": 1_234,
        "gap_leader_ms": 122_000, "lap_distance_m": -12.5, "lap_invalid": 1, "pit_status": 1, "pit_stops": 2,
        "penalties_s": 10, "warnings": 3, "grid_position": 7, "tyre_wear_rl_pct": 10.5, "tyre_wear_rr_pct": 11.5,
        "tyre_wear_fl_pct": 12.5, "tyre_wear_fr_pct": 13.5, "active_aero_mode": None, "active_aero_available": None,
        "overtake_available": None, "overtake_active": None, "total_laps": 57, "track_id": 4, "track_length_m": 5276,
        "session_type_id": 15, "session_time_left_s": 3600, "safety_car_status": 1, "weather_id": 1,
        "track_temperature_c": 37, "air_temperature_c": 25,
    }  # fmt: skip


def test_gaps_of_2023_have_no_minutes():
    lap = datagram(2, {14: ("H", 65_000), 16: ("H", 1_500)}, car=19, packet_format=2023)
    fields = shown(lap, datagram(6, packet_format=2023))
    assert (fields["gap_ahead_ms"], fields["gap_leader_ms"]) == (65_000, 1_500)


def test_what_is_no_number_is_null():
    fields = shown(datagram(7, {5: ("f", float("nan")), 13: ("f", float("inf"))}, car=19), datagram(6))
    assert (fields["fuel_in_tank_kg"], fields["fuel_remaining_laps"]) == (None, None)


def test_the_schema_file_is_the_field_table():
    written = json.loads(reference.SCHEMA_FILE.read_text())
    assert written == reference.schema(), "run python -m udp_gateway.reference"
    jsonschema.Draft202012Validator.check_schema(written)
    assert set(written["properties"]) == set(shown(datagram(6)))


def test_the_documentation_is_the_field_table():
    assert reference.DOCUMENT.read_text(encoding="utf-8") == reference.document()
    assert "| `speed_kmh` | integer | km/h | speed | car_telemetry |" in reference.document()


@needs_recordings
@pytest.mark.parametrize("path", [TIME_TRIAL, RACE_2026], ids=lambda path: path.stem)
def test_real_recordings_show_what_an_independent_decoder_reads(path):
    """Each message against f1-packets: speed, gear, fuel, ERS, lap, position and tyres of the player's car."""
    validator = jsonschema.Draft202012Validator(json.loads(reference.SCHEMA_FILE.read_text()))
    core, newest, compared = Core({}, shards=1), {}, 0
    for arrival_ns, _, raw in capture.read(path):
        packet_format, packet_id = struct.unpack_from("<H4xB", raw)
        if packet_id not in (2, 6, 7):
            effects = core.decide(raw, "rig", arrival_ns)
            continue
        theirs = peer_decoder(packet_format).resolve(raw)
        newest[packet_id] = theirs
        effects = core.decide(raw, "rig", arrival_ns)
        states = [e.state for e in effects if isinstance(e, ShowLive)]
        if not states or len(newest) < 3:
            continue
        fields = json.loads(states[0].text())
        validator.validate(fields)
        player = theirs.header.player_car_index
        car = newest[6].car_telemetry_data[player]
        status, lap = newest[7].car_status_data[player], newest[2].lap_data[player]
        assert (fields["speed_kmh"], fields["gear"], fields["engine_rpm"]) == (car.speed, car.gear, car.engine_rpm)
        assert (fields["throttle"], fields["brake"], fields["steer"]) == (car.throttle, car.brake, car.steer)
        assert fields["tyre_inner_fl_c"] == car.tyres_inner_temperature[2]
        assert (fields["fuel_in_tank_kg"], fields["ers_store_j"]) == (status.fuel_in_tank, status.ers_store_energy)
        assert fields["ers_deployed_j"] == status.ers_deployed_this_lap
        assert (fields["lap_number"], fields["position"]) == (lap.current_lap_num, lap.car_position)
        assert fields["last_lap_time_ms"] == lap.last_lap_time_in_ms
        compared += 1
    assert compared > 900


# --- viewers ------------------------------------------------------------------------------------------------------


class Screen:
    """What one viewer got to see; `send` takes as long as it is told."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.frames: list[int] = []
        self._delay_s = delay_s

    async def send(self, text: bytes) -> None:
        await asyncio.sleep(self._delay_s)
        self.frames.append(json.loads(text)["frame"])


async def show(hub: Hub, frames: range, pause_s: float = 0.002) -> None:
    for frame in frames:
        hub.publish(state(frame=frame), asyncio.get_running_loop().time())
        await asyncio.sleep(pause_s)


async def test_a_slow_viewer_gets_fewer_frames_never_old_ones_and_slows_nobody():
    hub, fast, slow, stalled = Hub(), Screen(), Screen(0.05), Screen(3600)
    viewers = [Viewer(screen.send, rate_hz=1000) for screen in (fast, slow, stalled)]
    for viewer in viewers:
        hub.join(viewer, "a", 0)
    tasks = [asyncio.create_task(viewer.run()) for viewer in viewers]
    await show(hub, range(1, 101))
    await asyncio.sleep(0.15)
    assert len(fast.frames) > 80
    assert fast.frames[-1] == 100
    assert 2 <= len(slow.frames) < 20
    assert slow.frames[-1] == 100, "the newest wins"
    assert slow.frames == sorted(slow.frames)
    assert stalled.frames == []
    for task in tasks:
        task.cancel()


async def test_a_viewer_that_is_gone_disturbs_nobody():
    async def gone(text: bytes) -> None:
        raise ConnectionClosedOK(None, None)

    hub, screen = Hub(), Screen()
    dead, viewer = Viewer(gone, rate_hz=1000), Viewer(screen.send, rate_hz=1000)
    for each in (dead, viewer):
        hub.join(each, None, 0)
    tasks = [asyncio.create_task(each.run()) for each in (dead, viewer)]
    await show(hub, range(1, 11))
    assert screen.frames[-1] >= 9
    with pytest.raises(ConnectionClosedOK):
        await tasks[0]
    tasks[1].cancel()


async def test_frames_are_capped_and_the_newest_is_kept():
    hub, screen = Hub(), Screen()
    viewer = Viewer(screen.send, rate_hz=20)
    hub.join(viewer, None, 0)
    task = asyncio.create_task(viewer.run())
    await show(hub, range(1, 251))
    await asyncio.sleep(0.1)
    task.cancel()
    elapsed_s = 0.6
    assert len(screen.frames) <= 2 + elapsed_s * 20 * 1.5
    assert screen.frames[-1] == 250


def offered(viewer: Viewer) -> str | None:
    return viewer._slot.rig if viewer._slot else None


@pytest.fixture
def viewer() -> Viewer:
    return Viewer(Screen().send, rate_hz=60)


def test_the_current_rig_is_the_one_that_came_alive_last(viewer):
    hub = Hub()
    hub.join(viewer, None, 0)
    seen = []
    for rig, at in [("a", 0), ("b", 1), ("a", 1.1), ("b", 1.2), ("a", 2), ("a", 3), ("a", 3.5), ("b", 9), ("a", 9.1)]:
        viewer._slot = None
        hub.publish(state(rig), at)
        seen.append(offered(viewer))
    # b falls silent after 1.2, so a is back at 3.5; both silent for long: whoever comes first, then the later one.
    assert seen == ["a", "b", None, "b", None, None, "a", "b", "a"]


def test_a_newcomer_gets_the_state_there_is_unless_it_is_stale(viewer):
    hub = Hub()
    hub.join(viewer, None, 0)
    assert offered(viewer) is None
    hub.publish(state("a"), 10)
    late, later, other = (Viewer(Screen().send, 60) for _ in range(3))
    hub.join(late, "a", 10 + STALE_S)
    hub.join(later, None, 10.1 + STALE_S)
    hub.join(other, "b", 10)
    assert (offered(late), offered(later), offered(other)) == ("a", None, None)


def test_viewers_are_counted_and_leave(viewer):
    hub = Hub()
    one, two = (Viewer(Screen().send, 60) for _ in range(2))
    hub.join(viewer, None, 0)
    hub.join(one, "a", 0)
    hub.join(two, "a", 0)
    assert hub.viewers() == 3
    for gone in (one, viewer, two, two):
        hub.leave(gone)
    assert hub.viewers() == 0
    hub.publish(state("a"), 1)
    assert (offered(one), offered(viewer)) == (None, None)


def test_only_packets_with_cars_feed_the_message():
    for packet_format, packet_id in PACKETS:
        if packet_id in message.CAR_PACKETS:
            assert PACKETS[packet_format, packet_id].num_cars in (22, 24)
