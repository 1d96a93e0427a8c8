"""The facts that need the lap a sample belongs to: packets made by hand from the published offsets, rows worked out by
hand; and real recordings as an independent decoder reads them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pitlane import capture
from postgres.columns import WHEELS
from spark.jobs.micro_batch import reduce
from tests.blocks import blocks
from tests.handmade import (
    SIGNED_UID,
    damage,
    lap_data,
    motion,
    motion_ex,
    reduced,
    rows,
    status,
    telemetry,
    telemetry_2,
)
from tests.peers import peer_decoder
from tests.shared import RACE_2026, TIME_TRIAL, needs_recordings

KEY = {"session_uid": SIGNED_UID, "rig": "rig", "car_index": 3, "lap_number": 2}


def by_wheel(name: str, values: Iterable[Any]) -> dict[str, Any]:
    return {f"{wheel}_{name}": value for wheel, value in zip(WHEELS, values, strict=True)}


def test_a_lap_has_the_damage_of_its_last_sample() -> None:
    frames = [lap_data(700), lap_data(706), lap_data(712), lap_data(718, {3: {"current_lap_num": 3}})]
    result = reduced(*frames, damage(700, wear=(1, 1, 1, 1)), damage(706), damage(718, wear=(5, 4, 3, 2)))
    second, third = rows(result, "lap_damage")
    assert second == {
        **KEY,
        **by_wheel("tyre_wear_percent", (4.5, 3.5, 2.5, 1.5)),
        **by_wheel("tyre_damage_percent", (16, 17, 18, 19)),
        **by_wheel("brake_damage_percent", (20, 21, 22, 23)),
        **by_wheel("tyre_blisters_percent", (24, 25, 26, 27)),
        "front_left_wing_damage_percent": 28, "front_right_wing_damage_percent": 29, "rear_wing_damage_percent": 30,
        "floor_damage_percent": 31, "diffuser_damage_percent": 32, "sidepod_damage_percent": 33,
        "is_drs_faulty": True, "is_ers_faulty": True, "gearbox_damage_percent": 36, "engine_damage_percent": 37,
        "engine_mguh_wear_percent": 38, "engine_es_wear_percent": 39, "engine_ce_wear_percent": 40,
        "engine_ice_wear_percent": 41, "engine_mguk_wear_percent": 42, "engine_tc_wear_percent": 43,
        "is_engine_blown": True, "is_engine_seized": True, "overall_frame": 706,
    }  # fmt: skip
    assert (third["lap_number"], third["rear_left_tyre_wear_percent"], third["overall_frame"]) == (3, 5.0, 718)


def test_damage_without_its_lap_data_is_no_row() -> None:
    assert rows(reduced(lap_data(700), damage(703)), "lap_damage") == []


def test_the_players_car_has_a_trace_and_no_other() -> None:
    cars = {3: {"lap_distance_m": 1234.5}, 4: {"lap_distance_m": 1300.0}}
    (row,) = rows(reduced(lap_data(700, cars), motion_ex(700)), "player_trace")
    # 61 floats from 0.5 on: the wheels' arrays begin at 0, 12, 16, 20 and 47, then come single ones.
    assert row == {
        **KEY, "distance_bin": 123, "lap_distance_m": 1234.5, "overall_frame": 700, "rewound": 0,
        **by_wheel("suspension_position_mm", (0.5, 1.5, 2.5, 3.5)),
        **by_wheel("wheel_speed_mps", (12.5, 13.5, 14.5, 15.5)),
        **by_wheel("slip_ratio", (16.5, 17.5, 18.5, 19.5)),
        **by_wheel("slip_angle_rad", (20.5, 21.5, 22.5, 23.5)),
        **by_wheel("vertical_force", (43.5, 44.5, 45.5, 46.5)),
        "centre_of_gravity_height_m": 32.5,
        "local_velocity_x_mps": 33.5, "local_velocity_y_mps": 34.5, "local_velocity_z_mps": 35.5,
        "angular_velocity_x_radps": 36.5, "angular_velocity_y_radps": 37.5, "angular_velocity_z_radps": 38.5,
        "front_wheels_angle_rad": 42.5, "front_ride_height_m": 47.5, "rear_ride_height_m": 48.5,
        "front_roll_angle_rad": 49.5, "rear_roll_angle_rad": 50.5, "chassis_yaw_rad": 51.5, "chassis_pitch_rad": 52.5,
    }  # fmt: skip
    assert rows(reduced(lap_data(700, cars, player=255), motion_ex(700, player=255)), "player_trace") == []


def test_of_a_bin_the_newest_sample_of_the_player_stands() -> None:
    frames = [lap_data(frame) for frame in (700, 701, 702)]
    (row,) = rows(reduced(*frames, motion_ex(700), motion_ex(701, first=1.5)), "player_trace")
    assert (row["overall_frame"], row["rear_left_suspension_position_mm"]) == (701, 1.5)


def test_active_aero_and_overtake_are_in_the_trace() -> None:
    of_2026 = [make(700, year=2026) for make in (lap_data, telemetry, status, motion)]
    (row,) = rows(reduced(*of_2026, telemetry_2(700)), "lap_trace")
    names = (
        "active_aero_mode", "is_active_aero_available", "active_aero_activation_distance_m", "is_overtake_available",
        "is_overtake_active", "overtake_activation_distance_m", "is_2026_regulations", "is_wrong_way",
    )  # fmt: skip
    assert [row[name] for name in names] == [1, True, 250, False, True, 120, True, False]
    (row,) = rows(reduced(*of_2026), "lap_trace")
    assert (row["is_complete"], *(row[name] for name in names)) == (True, *[None] * 8)


def test_the_last_sample_of_a_lap_says_what_the_stewards_noted() -> None:
    noted = {
        "penalties_s": 5, "total_warnings": 3, "corner_cutting_warnings": 2, "num_unserved_drive_through_pens": 1,
        "num_unserved_stop_go_pens": 1, "speed_trap_fastest_speed_kmh": 331.5, "speed_trap_fastest_lap": 2,
        "last_lap_time_ms": 83_123,
    }  # fmt: skip
    (row,) = rows(reduced(lap_data(700), lap_data(701, {3: noted})), "lap_place")
    assert row == {
        **KEY, "position": 1, "gap_to_leader_ms": 0, "gap_to_ahead_ms": None,
        "previous_lap_time_ms": 83_123, "corner_cutting_warnings": 2,
        "total_warnings": 3, "penalties_s": 5, "unserved_drive_throughs": 1, "unserved_stop_gos": 1,
        "speed_trap_best_kmh": 331.5, "speed_trap_best_lap": 2, "overall_frame": 701,
    }  # fmt: skip
    (row,) = rows(reduced(lap_data(700, {3: {"speed_trap_fastest_lap": 255}})), "lap_place")
    assert (row["speed_trap_best_kmh"], row["speed_trap_best_lap"]) == (None, None)


# The leader has driven 10 km in 200 s, which makes 50 m/s.
LEADER = {"car_position": 1, "total_distance_m": 10_000.0}


def gaps(leader: int, ahead: int, *, minutes: int = 0) -> dict[str, int]:
    """As LapData has them: milliseconds, and minutes beside them."""
    return {
        "gap_to_leader_ms_part": leader, "gap_to_leader_minutes_part": minutes,
        "gap_to_car_in_front_ms_part": ahead, "gap_to_car_in_front_minutes_part": minutes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metres", "sent", "to_leader", "to_ahead"),
    [
        (9000.0, gaps(21_000, 21_000), 21_000, 21_000),
        (6000.0, gaps(19_500, 19_500, minutes=1), 79_500, 79_500),  # 4 km are 80 s
        (6000.0, gaps(19_500, 19_500), None, None),  # the minute is lost
        (9990.0, gaps(45_000, 45_000), 45_000, 45_000),  # it stood
        (9990.0, gaps(0, 0), None, None),  # the game does not know
        (9990.0, gaps(200, 65_386), 200, None),  # -150 ms
    ],
)
def test_gaps_are_kept_where_the_distance_agrees(
    metres: float, sent: dict[str, int], to_leader: int | None, to_ahead: int | None
) -> None:
    second = {"car_position": 2, "total_distance_m": metres, **sent}
    first, row = rows(reduced(lap_data(700, {3: LEADER, 4: second}, time_s=200.0)), "lap_place")
    assert (first["gap_to_leader_ms"], first["gap_to_ahead_ms"]) == (0, None)
    assert (row["gap_to_leader_ms"], row["gap_to_ahead_ms"]) == (to_leader, to_ahead)


def test_a_gap_to_a_car_that_is_not_there_is_none() -> None:
    third = {"car_position": 3, "total_distance_m": 9900.0, **gaps(2_000, 900)}
    _, row = rows(reduced(lap_data(700, {3: LEADER, 4: third}, time_s=200.0)), "lap_place")
    assert (row["gap_to_leader_ms"], row["gap_to_ahead_ms"]) == (2_000, None)


def test_each_second_in_the_pit_lane_is_a_row() -> None:
    def sample(frame: int, time_s: float, **more: Any) -> bytes:
        in_lane = {"pit_lane_timer_active": 1, "pit_status": 1, "pit_lane_time_in_lane_ms": round(1000 * (time_s - 90))}
        return lap_data(frame, {3: in_lane | more}, time_s=time_s)

    result = reduced(
        lap_data(690, {3: {"pit_status": 0}}, time_s=89.75),
        sample(700, 90.25), status(700), sample(715, 90.5), status(715),
        sample(730, 91.25, pit_stop_timer_ms=2_400, pit_status=2, pit_stop_should_serve_penalty=1),
        sample(731, 91.5, num_pit_stops=1),
        sample(732, 91.75, current_lap_num=3, num_pit_stops=1), status(732, compounds=(18, 17), age=0),
    )  # fmt: skip
    assert rows(result, "pit_sample") == [
        {
            **KEY, "session_second": 90, "session_time_s": 90.5, "lane_time_ms": 500, "stop_time_ms": 0,
            "pit_status": 1, "pit_stops": 0, "serves_penalty": False, "actual_compound_id": 17,
            "visual_compound_id": 16, "tyre_age_laps": 4, "rewound": 0, "overall_frame": 715,
        },
        {
            **KEY, "session_second": 91, "session_time_s": 91.5, "lane_time_ms": 1_500, "stop_time_ms": 2_400,
            "pit_status": 1, "pit_stops": 1, "serves_penalty": False, "actual_compound_id": None,
            "visual_compound_id": None, "tyre_age_laps": None, "rewound": 0, "overall_frame": 731,
        },
        {
            **KEY, "lap_number": 3, "session_second": 91, "session_time_s": 91.75, "lane_time_ms": 1_750,
            "stop_time_ms": 0, "pit_status": 1, "pit_stops": 1, "serves_penalty": False, "actual_compound_id": 18,
            "visual_compound_id": 17, "tyre_age_laps": 0, "rewound": 0, "overall_frame": 732,
        },
    ]  # fmt: skip


class Decoded:
    """A recording as an independent decoder reads it: (packet ID, overall frame) → its packet."""

    def __init__(self, path: Path, packet_format: int) -> None:
        self.datagrams = [(d.arrival_ns, d.payload) for d in capture.read(path)]
        decoder = peer_decoder(packet_format)
        wanted = [raw for _, raw in self.datagrams if raw[6] in (2, 10, 13, 16)]
        packets = [(raw[6], decoder.resolve(raw)) for raw in wanted]
        self.packets = {(packet_id, found.header.overall_frame_identifier): found for packet_id, found in packets}

    def racing(self, partner: int) -> Iterable[tuple[int, int, Any, Any]]:
        """(frame, car, its LapData, the partner packet) in order of frames, of cars that race."""
        for packet_id, frame in sorted(self.packets):
            if packet_id == 2 and (partner, frame) in self.packets:
                for car, lap in enumerate(self.packets[2, frame].lap_data):
                    if lap.result_status == 2 and lap.driver_status and lap.car_position and lap.current_lap_num:
                        yield frame, car, lap, self.packets[partner, frame]


@needs_recordings
@pytest.mark.parametrize(("path", "packet_format"), [(TIME_TRIAL, 2025), (RACE_2026, 2026)], ids=["2025", "2026"])
def test_recordings_are_in_the_facts_as_an_independent_decoder_reads_them(path: Path, packet_format: int) -> None:
    decoded = Decoded(path, packet_format)
    result = reduce(blocks(decoded.datagrams), "query")

    wear = {(car, lap.current_lap_num): (frame, p.car_damage_data[car]) for frame, car, lap, p in decoded.racing(10)}
    found = {(row["car_index"], row["lap_number"]): row for row in rows(result, "lap_damage")}
    assert found.keys() == wear.keys()
    assert found
    for at, (frame, truth) in wear.items():
        assert found[at]["overall_frame"] == frame
        assert [found[at][f"{wheel}_tyre_wear_percent"] for wheel in WHEELS] == list(truth.tyres_wear)
        assert [found[at][f"{wheel}_brake_damage_percent"] for wheel in WHEELS] == list(truth.brakes_damage)
        assert found[at]["engine_ice_wear_percent"] == truth.engine_ice_wear
        assert found[at]["floor_damage_percent"] == truth.floor_damage

    felt = {
        (lap.current_lap_num, int(lap.lap_distance // 10)): (frame, packet)
        for frame, car, lap, packet in decoded.racing(13)
        if car == packet.header.player_car_index and lap.lap_distance >= 0
    }
    traced = {(row["lap_number"], row["distance_bin"]): row for row in rows(result, "player_trace")}
    assert traced.keys() == felt.keys()
    for place, (frame, truth) in felt.items():
        assert traced[place]["overall_frame"] == frame
        assert [traced[place][f"{wheel}_slip_angle_rad"] for wheel in WHEELS] == list(truth.wheel_slip_angle)
        assert [traced[place][f"{wheel}_wheel_speed_mps"] for wheel in WHEELS] == list(truth.wheel_speed)
        assert traced[place]["front_ride_height_m"] == truth.front_aero_height
        assert traced[place]["chassis_pitch_rad"] == truth.chassis_pitch
        assert traced[place]["local_velocity_z_mps"] == truth.local_velocity_z

    if packet_format == 2026:
        assert len(found) == 42
        assert len(traced) > 50
        for row in rows(result, "lap_trace"):
            sent = decoded.packets.get((16, row["overall_frame"]))
            truth = sent and sent.car_telemetry2_data[row["car_index"]]
            assert row["active_aero_mode"] == (truth and truth.active_aero_mode)
            assert row["is_overtake_active"] == (truth and truth.overtake_active == 1)
