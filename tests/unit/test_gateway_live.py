"""Live messages and their viewers."""

import json
import random
import struct
from collections import Counter
from collections.abc import Iterable

import jsonschema
import pytest

from f1_packets import PACKETS, Header
from pitlane import capture
from tests.datagrams import datagram, session
from tests.peers import peer_decoder
from tests.shared import RACE_2026, TIME_TRIAL, needs_recordings
from udp_gateway import feed, message, reference
from udp_gateway.decide import Core, ShowLive
from udp_gateway.live import STALE_S, SWEEP_S, Hub, Rigs, Viewer
from udp_gateway.live_state import Car, LiveState
from udp_gateway.sources import MAX_SOURCES

NOW = 1_795_352_725_126_000_000


def shown(*datagrams: bytes) -> dict[str, object]:
    """The last live message that these datagrams make."""
    core, states = Core({}, shards=1), []
    for raw in datagrams:
        states += [e.state for e in core.decide(raw, "rig", NOW) if isinstance(e, ShowLive)]
    return json.loads(states[-1].text(states[-1].car_index))


def state(rig: str = "a", frame: int = 0, second: int = 255) -> LiveState:
    header = Header(2025, 25, 1, 18, 1, 6, 5, 1.0, frame, frame, 0, second)
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
        datagram(4, {30 + 57 * 19 + 39: ("B", 1)}),
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
        "overtake_available": None, "overtake_active": None, "telemetry_public": 1, "total_laps": 57, "track_id": 4, "track_length_m": 5276,
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
        fields = json.loads(states[0].text(states[0].car_index))
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
    """What one viewer got to see, as (rig, frame, car); while `stalled`, its socket is full."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []
        self.stalled = False

    def behind(self) -> bool:
        return self.stalled

    def write(self, text: bytes) -> None:
        assert not self.stalled
        fields = json.loads(text)
        self.seen.append((fields["rig"], fields["frame"], fields["car_index"]))

    @property
    def frames(self) -> list[int]:
        return [frame for _, frame, _ in self.seen]


def watch(
    hub: Hub, rigs: str | Rigs = Rigs.CURRENT, car: Car | int = Car.FOLLOWED, hz: float = 60, at: float = 0
) -> Screen:
    screen = Screen()
    hub.join(Viewer(screen, rigs, car, hz), at)
    return screen


def show(hub: Hub, times: Iterable[float], rig: str = "a") -> None:
    """Frames 1, 2, 3 … at those times, with sweeps between them as the gateway does."""
    swept = 0.0
    for frame, at in enumerate(times, 1):
        while swept + SWEEP_S <= at:
            swept += SWEEP_S
            hub.sweep(swept)
        hub.publish(state(rig, frame), at)


def test_a_stalled_viewer_gets_the_newest_when_it_is_back_and_changes_nothing_for_others():
    hub = Hub()
    stalled, other = watch(hub), watch(hub)
    stalled.stalled = True
    show(hub, [n / 60 for n in range(1, 101)])
    assert other.frames == list(range(1, 101))
    assert stalled.frames == []
    stalled.stalled = False
    hub.sweep(2)
    assert stalled.frames == [100], "never old ones"
    hub.sweep(3)
    assert stalled.frames == [100], "and not twice"


def test_a_feed_at_the_rate_of_the_cap_is_neither_delayed_nor_thinned():
    """60 Hz with the jitter of a real game, as far as a whole frame too early or late, from a late first frame on."""
    rng = random.Random(4)
    hub = Hub()
    screen = watch(hub, hz=60)
    times = [n / 60 + rng.uniform(-0.5, 0.5) / 60 for n in range(1, 2000)]
    for frame, at in enumerate(sorted([1.4 / 60, *times[1:]]), 1):
        hub.publish(state(frame=frame), at)
        assert screen.frames[-1] == frame, "written at once, without a sweep"
    assert screen.frames == list(range(1, 2000))


@pytest.mark.parametrize("hz", [10, 25, 50])
def test_frames_are_capped_and_each_is_the_newest_of_its_moment(hz):
    hub = Hub()
    screen = watch(hub, hz=hz)
    times = [n / 60 for n in range(1, 601)]
    newest = []
    for frame, at in enumerate(times, 1):
        hub.publish(state(frame=frame), at)
        if screen.frames and screen.frames[-1] == frame:
            newest.append(frame)
    assert len(screen.frames) == pytest.approx(10 * hz, abs=2)
    assert screen.frames == newest
    hub.sweep(11)
    assert screen.frames[-1] == 600, "the last one is not forgotten"


def test_a_feed_a_little_faster_than_the_cap_loses_a_frame_now_and_then_and_is_not_delayed():
    hub, delayed = Hub(), 0
    screen = watch(hub, hz=60)
    for frame in range(1, 6001):
        hub.publish(state(frame=frame), frame / 60.5)
        delayed += screen.frames[-1] != frame
    assert len(screen.frames) == pytest.approx(6000 * 60 / 60.5, abs=2)
    assert delayed == 6000 - len(screen.frames)


def test_a_pause_earns_no_burst():
    hub = Hub()
    screen = watch(hub, hz=10)
    show(hub, [1.0, *(5 + n / 1000 for n in range(100))])
    assert screen.frames == [1, 2, 3]


def test_all_rigs_have_a_slot_and_a_rate_each():
    hub = Hub()
    screen = watch(hub, Rigs.ALL, hz=10)
    for n in range(60):
        hub.publish(state("fast", n), n / 60)
        if n % 6 == 0:
            hub.publish(state("slow", n), n / 60)
    by_rig = Counter(rig for rig, _, _ in screen.seen)
    assert by_rig["slow"] == 10
    assert by_rig["fast"] == pytest.approx(10, abs=2)
    screen.stalled = True
    hub.publish(state("fast", 100), 2)
    hub.publish(state("slow", 200), 2)
    hub.publish(state("fast", 101), 2.01)
    screen.stalled, screen.seen = False, []
    hub.sweep(3)
    assert sorted(screen.seen) == [("fast", 101, 0), ("slow", 200, 0)]


def test_each_viewer_sees_the_rig_and_the_car_it_asked_for():
    hub = Hub()
    screens = {
        "a": watch(hub, "a"), "b": watch(hub, "b"), "all": watch(hub, Rigs.ALL), "current": watch(hub),
        "a 5": watch(hub, "a", 5), "current 7": watch(hub, car=7), "b 23": watch(hub, "b", 23),
        "a second": watch(hub, "a", Car.SECOND), "b second": watch(hub, "b", Car.SECOND),
    }  # fmt: skip
    hub.publish(state("a", 1, second=11), 0)
    hub.publish(state("b", 2), 1)
    assert {name: screen.seen for name, screen in screens.items()} == {
        "a": [("a", 1, 0)], "b": [("b", 2, 0)], "all": [("a", 1, 0), ("b", 2, 0)],
        "current": [("a", 1, 0), ("b", 2, 0)], "a 5": [("a", 1, 5)], "current 7": [("a", 1, 7), ("b", 2, 7)],
        "b 23": [], "a second": [("a", 1, 11)], "b second": [],
    }  # fmt: skip
    assert (hub.viewers_of("a"), hub.viewers_of("b"), hub.viewers_of("c"), hub.viewers()) == (4, 6, 1, 9)


def test_a_message_is_built_once_for_all_viewers_of_a_car_and_not_for_others():
    hub, built = Hub(), []

    class Counted(LiveState):
        def fields(self, car_index: int) -> dict[str, object]:
            built.append(car_index)
            return super().fields(car_index)

    for _ in range(3):
        watch(hub, "a"), watch(hub, "a", 5), watch(hub, "b")
    plain = state("a")
    hub.publish(Counted("a", NOW, plain.header, 0, {}, None, None), 0)
    assert sorted(built) == [0, 5]


def test_the_current_rig_is_the_one_that_came_alive_last():
    hub = Hub()
    screen = watch(hub)
    seen = []
    for rig, at in [("a", 0), ("b", 1), ("a", 1.1), ("b", 1.2), ("a", 2), ("a", 3), ("a", 3.5), ("b", 9), ("a", 9.1)]:
        screen.seen.clear()
        hub.publish(state(rig), at)
        seen.append(screen.seen[0][0] if screen.seen else None)
    # b falls silent after 1.2, so a is back at 3.5; both silent for long: whoever comes first, then the later one.
    assert seen == ["a", "b", None, "b", None, None, "a", "b", "a"]


def test_a_newcomer_gets_the_state_there_is_unless_it_is_stale():
    hub = Hub()
    assert watch(hub).seen == []
    hub.publish(state("a"), 10)
    assert watch(hub, "a", at=10 + STALE_S).frames == [0]
    assert watch(hub, Rigs.ALL, at=10 + STALE_S).frames == [0]
    assert watch(hub, at=10.1 + STALE_S).frames == []
    assert watch(hub, Rigs.ALL, at=10.1 + STALE_S).frames == []
    assert watch(hub, "b", at=10).frames == []


def test_viewers_are_counted_and_leave():
    hub = Hub()
    screens = [Screen() for _ in range(4)]
    viewers = [
        Viewer(screen, rigs, 0, 60) for screen, rigs in zip(screens, [Rigs.CURRENT, "a", "a", Rigs.ALL], strict=True)
    ]
    for viewer in viewers:
        hub.join(viewer, 0)
    screens[1].stalled = True
    hub.publish(state("a"), 0)
    assert hub.viewers() == 4
    for gone in [*viewers, viewers[0]]:
        hub.leave(gone)
    assert hub.viewers() == 0
    screens[1].stalled = False
    hub.publish(state("a", 2), 1)
    hub.sweep(1)
    assert [screen.frames for screen in screens] == [[0], [], [0], [0]]


def test_forged_rigs_are_forgotten():
    hub = Hub()
    screen = watch(hub, Rigs.ALL)
    screen.stalled = True
    for number in range(3 * MAX_SOURCES):
        hub.publish(state(f"r{number}"), number * 1e-6)
    assert len(hub._seen) <= MAX_SOURCES + 1
    screen.stalled = False
    hub.sweep(0.1)
    assert len(screen.seen) <= MAX_SOURCES + 1
    hub.publish(state("late"), 60)
    assert list(hub._seen) == ["late"]


# --- paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("/live/car", (Rigs.CURRENT, Car.FOLLOWED, 60)), ("/live/car?hz=10", (Rigs.CURRENT, Car.FOLLOWED, 10)),
        ("/live/car?hz=1000&token=x", (Rigs.CURRENT, Car.FOLLOWED, 60)), ("/live/second", (Rigs.CURRENT, Car.SECOND, 60)),
        ("/live/car/0", (Rigs.CURRENT, 0, 60)), ("/live/car/23", (Rigs.CURRENT, 23, 60)),
        ("/live/all?hz=30", (Rigs.ALL, Car.FOLLOWED, 30)), ("/live/rig/car", ("car", Car.FOLLOWED, 60)),
        ("/live/rig/127.0.0.1", ("127.0.0.1", Car.FOLLOWED, 60)), ("/live/rig/a%2Fb%20c", ("a/b c", Car.FOLLOWED, 60)),
        ("/live/rig/a/second", ("a", Car.SECOND, 60)), ("/live/rig/a/car/7", ("a", 7, 60)),
        ("/live", None), ("/live/", None), ("/live/rig/", None), ("/live/rig", None), ("/live/rig//second", None),
        ("/live/rig/a/b", None), ("/live/all/second", None), ("/status", None), ("/", None), ("live/car", None),
    ],
)  # fmt: skip
def test_what_a_path_asks_for(target, wanted):
    assert feed.read(target, most_hz=60) == wanted


@pytest.mark.parametrize(
    "target",
    ["/live/car/24", "/live/car/-1", "/live/car/x", "/live/car/", "/live/rig/a/car/²", "/live/rig/a/car/1.0",
     "/live/car?hz=0", "/live/all?hz=nan", "/live/second?hz=fast", "/live/car?hz=10&hz=0"],
)  # fmt: skip
def test_a_car_or_a_rate_that_cannot_be_is_refused(target):
    with pytest.raises(ValueError, match="number from"):
        feed.read(target, most_hz=60)


def test_only_packets_with_cars_feed_the_message():
    for packet_format, packet_id in PACKETS:
        if packet_id in message.CAR_PACKETS:
            assert PACKETS[packet_format, packet_id].num_cars in (22, 24)
