"""The pure part of the history: packets made by hand from the published offsets, rows worked out by hand."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_packets import PACKETS, SESSION_END_ORDER, sample_order
from f1_packets.block import entry
from pitlane import capture
from spark.facts import FACTS, PENDING
from spark.jobs import blocks as blocks_module
from spark.jobs.blocks import Block, decode, orders
from spark.jobs.micro_batch import reduce
from spark.jobs.order import newest
from tests.blocks import blocks
from tests.handmade import (
    SIGNED_UID,
    event,
    lap_data,
    motion,
    packet,
    participants,
    reduced,
    rows,
    session_history,
    status,
    telemetry,
)
from tests.peers import peer_decoder
from tests.shared import RACE_2026, TIME_TRIAL, needs_recordings


def test_four_packets_of_one_frame_are_one_row() -> None:
    car = {"lap_distance_m": 1234.5, "car_position": 5, "current_lap_time_ms": 65_432}
    result = reduced(motion(700), telemetry(700), status(700), lap_data(700, {3: car}))
    assert rows(result, "lap_trace") == [
        {
            "session_uid": SIGNED_UID, "rig": "rig", "car_index": 3, "lap_number": 2, "distance_bin": 123,
            "lap_distance_m": 1234.5, "current_lap_time_ms": 65_432, "speed_kmh": 287, "top_speed_kmh": 287,
            "throttle": 0.75, "brake": 0.25, "steer": -0.5, "gear": 7, "engine_rpm": 11_250, "is_drs_open": True,
            "ers_store_j": 3.5e6, "ers_deploy_mode": 2, "ers_deployed_j": 4e5, "ers_harvested_j": 3e5,
            "fuel_in_tank_kg": 41.5, "world_x_m": 10.5, "world_y_m": -2.25, "world_z_m": 300.0,
            "active_aero_mode": None, "is_active_aero_available": None, "active_aero_activation_distance_m": None,
            "is_overtake_available": None, "is_overtake_active": None, "overtake_activation_distance_m": None,
            "is_2026_regulations": None, "is_wrong_way": None, "position": 5, "pit_status": 0, "rewound": 0,
            "overall_frame": 700, "is_complete": True,
        }
    ]  # fmt: skip


def test_what_a_frame_lacks_is_null_and_its_datagrams_wait() -> None:
    first = reduced(lap_data(700), telemetry(700))
    (row,) = rows(first, "lap_trace")
    assert (row["speed_kmh"], row["fuel_in_tank_kg"], row["world_x_m"], row["is_complete"]) == (287, None, None, False)
    waiting = rows(first, PENDING.name)
    assert [w["packet_id"] for w in waiting] == [2, 6]

    again = [Block(w["packet_format"], w["packet_id"], w["shard"], w["entry"]) for w in waiting]
    late = blocks([(0, status(700)), (0, motion(700))])
    (whole,) = rows(reduce(again + late, "query"), "lap_trace")
    assert whole == rows(reduced(lap_data(700), telemetry(700), status(700), motion(700)), "lap_trace")[0]


@pytest.mark.parametrize(
    ("more", "there"),
    [
        ({}, True),
        ({"driver_status": 1}, True),  # a flying lap: time trial and qualifying
        ({"result_status": 0}, False),  # a ghost
        ({"result_status": 3}, False),  # after the flag, under the number of the last lap
        ({"driver_status": 0}, False),  # in the garage
        ({"car_position": 0}, False),  # an empty slot
    ],
)
def test_only_cars_that_race_leave_a_trace(more: dict[str, int], there: bool) -> None:
    result = reduced(lap_data(700, {3: more}), telemetry(700), status(700), motion(700))
    assert len(rows(result, "lap_trace")) == len(rows(result, "lap_place")) == there


def test_before_the_line_there_is_a_lap_but_no_trace() -> None:
    result = reduced(lap_data(700, {3: {"lap_distance_m": -12.0}}), telemetry(700), status(700), motion(700))
    assert rows(result, "lap_trace") == []
    assert [row["position"] for row in rows(result, "lap_place")] == [1]


def test_within_a_bin_the_newest_complete_sample_stands() -> None:
    frames = [make(frame) for frame in (700, 701) for make in (lap_data, status, motion)]
    result = reduced(*frames, telemetry(700, speed=280), telemetry(701, speed=270), lap_data(702), telemetry(702))
    (row,) = rows(result, "lap_trace")
    assert (row["overall_frame"], row["speed_kmh"], row["top_speed_kmh"]) == (701, 270, 287)


def test_a_lap_has_the_fuel_of_its_first_sample_and_all_else_of_its_last() -> None:
    result = reduced(*[lap_data(f) for f in (700, 701, 702)], *[status(f, fuel=742 - f) for f in (700, 701)])
    assert [(r["start_frame"], r["fuel_start_kg"]) for r in rows(result, "lap_start")] == [(700, 42.0)]
    (last,) = rows(result, "lap_status")
    assert (last["status_frame"], last["fuel_end_kg"], last["actual_compound_id"], last["visual_compound_id"]) == (
        701, 41.0, 17, 16,
    )  # fmt: skip
    assert (last["tyre_age_laps"], last["ers_deployed_j"], last["ers_harvested_j"]) == (4, 4e5, 3e5)
    assert [row["overall_frame"] for row in rows(result, "lap_place")] == [702]


def test_the_newest_history_stands_as_a_whole() -> None:
    older = session_history(700, [[30_000, 30_000, 30_000]] * 3, [(255, 17, 16)])
    lap = {
        "lap_time_ms": 155_678, "sector1_ms_part": 5_000, "sector1_minutes_part": 1, "sector2_ms_part": 30_678,
        "sector3_minutes_part": 1, "valid_flags": 0b0111,
    }  # fmt: skip
    newer = session_history(0, [lap, []], [(1, 17, 16), (255, 19, 18)], time_s=99.0)
    result = reduced(newer, older)
    assert [tuple(row.values())[2:] for row in rows(result, "lap_times")] == [
        (3, 1, 155_678, 65_000, 30_678, 60_000, True, True, True, False, SESSION_END_ORDER),
        (3, 2, None, None, None, None, True, True, True, True, SESSION_END_ORDER),
    ]
    assert [tuple(row.values())[2:] for row in rows(result, "stint")] == [
        (3, 1, 1, 1, 17, 16, SESSION_END_ORDER),
        (3, 2, 2, None, 19, 18, SESSION_END_ORDER),
    ]
    assert [tuple(row.values())[3:] for row in rows(result, "history")] == [(2, SESSION_END_ORDER), (3, 700)]


def test_events_keep_their_members_and_nothing_behind_them() -> None:
    penalty = {"penalty_type": 4, "infringement_type": 7, "time_s": 5, "lap_num": 2, "places_gained": 1}
    told = event(700, "PENA", {**penalty, "car_index": 3, "other_car_index": 255})
    result = reduced(
        told,
        told[:-1] + b"\xcc",  # the same one, with other rubbish behind it
        event(700, "PENA", {**penalty, "car_index": 4, "other_car_index": 3}),
        event(701, "BUTN", {"buttons": 1}),
        event(0, "SEND", time_s=99.0),
        event(702, "XY\0Z", {"details": [1, 2]}),
    )
    found = {(row["overall_frame"], row["car_index"]): row for row in rows(result, "event")}
    assert set(found) == {(700, 3), (700, 4), (SESSION_END_ORDER, None), (702, None)}
    assert found[700, 3]["details"] == (
        '{"car_index":3,"infringement_type":7,"lap_num":2,"other_car_index":255,"penalty_type":4,'
        '"places_gained":1,"time_s":5}'
    )
    assert (found[700, 3]["other_car_index"], found[700, 4]["other_car_index"]) == (None, 3)
    assert found[700, 3]["lap_number"] == 2
    assert (found[702, None]["code"], found[702, None]["details"]) == ("5859005a", '{"raw":"010200000000000000000000"}')


def test_participants_are_the_active_ones_and_remember_a_restriction() -> None:
    result = reduced(participants(700, {0: 0, 1: 0}), participants(800, {}))
    found = rows(result, "participant")
    assert [(p["car_index"], p["name"], p["driver_id"], p["race_number"]) for p in found] == [
        (0, "Pérez", 9, 33),
        (1, "Pérez", 10, 34),
    ]
    assert [(p["is_player"], p["is_ai"], p["is_telemetry_public"], p["was_restricted"]) for p in found] == [
        (True, False, True, False),  # the own car is never hidden
        (False, True, True, True),
    ]


def test_results_are_those_of_cars_with_a_position() -> None:
    end = {
        "position": 1, "num_laps": 5, "points": 25, "num_pit_stops": 2, "result_status": 3, "result_reason": 2,
        "best_lap_time_ms": 80_123, "total_race_time_s": 412.75, "penalties_time_s": 5, "num_penalties": 1,
        "num_tyre_stints": 2, "tyre_stints_actual": [17, 19], "tyre_stints_visual": [16, 18],
        "tyre_stints_end_laps": [3, 255],
    }  # fmt: skip
    raw = packet("final_classification", 0, {"num_cars": 2, 0: end}, time_s=99.0)
    (row,) = rows(reduced(raw), "result")
    assert json.loads(row.pop("tyre_stints")) == [
        {"end_lap": 3, "actual_compound_id": 17, "visual_compound_id": 16},
        {"end_lap": None, "actual_compound_id": 19, "visual_compound_id": 18},
    ]
    assert tuple(row.values())[2:] == (0, 1, None, 5, 25, 2, 3, 2, 80_123, 412.75, 5, 1, SESSION_END_ORDER)


def test_no_session_no_facts() -> None:
    result = reduced(lap_data(700, uid=0))
    assert (result.tables, result.datagrams) == ({}, 1)


def test_orders_are_those_of_the_scalar_function() -> None:
    cases = [(0, 0.0), (0, 12.5), (1, 0.0), (2**32 - 1, 99.0)]
    raw = b"".join(entry(0, "r", packet("lap_data", frame, time_s=time_s)) for frame, time_s in cases)
    header = blocks_module.decode([Block(2025, 2, 0, raw)]).of("lap_data")[0].header
    assert orders(header).tolist() == [sample_order(frame, time_s) for frame, time_s in cases]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 4), st.integers(0, 4))))
def test_newest_keeps_the_greatest_of_each_key(found: list[tuple[int, int, int, int]]) -> None:
    columns = [np.array([row[i] for row in found]) for i in range(4)]
    best = {key: max(row[2:] for row in found if row[:2] == key) for key in {row[:2] for row in found}}
    kept = [found[i] for i in newest(columns[:2], columns[2:])]
    assert sorted(kept) == sorted(row for row in found if row[2:] == best[row[:2]])


@given(st.data())
def test_no_bytes_stop_the_stream(data: st.DataObject) -> None:
    """Blocks of any content: what fits its packet becomes rows that the tables can hold, the rest is counted."""
    made = []
    for _ in range(data.draw(st.integers(0, 4))):
        packet_ = data.draw(st.sampled_from([p for p in PACKETS.values() if p.name != "session"]))
        raw = bytearray(data.draw(st.binary(min_size=packet_.size, max_size=packet_.size)))
        if data.draw(st.booleans()):
            struct.pack_into("<HBBBBB", raw, 0, packet_.format, 25, 1, 0, 1, packet_.id)
        cut = data.draw(st.sampled_from([0, 0, 0, 1]))
        made.append(Block(packet_.format, packet_.id, 0, entry(0, "rig", bytes(raw))[cut:]))
    result = reduce(made, "query")
    assert result.datagrams + result.rejected_blocks == len(made)
    for name, fact in FACTS.items():
        if name in result.tables:
            assert result.tables[name].schema == fact.schema


def test_no_number_makes_a_difference_that_postgres_cannot_hold() -> None:
    """fuel_used_kg is computed by Postgres: 3e38 - -3e38 would fail there, with the same batch for ever."""
    result = reduced(lap_data(700), status(700), lap_data(710), status(710))
    start, end = (result.tables[name].to_pydict() for name in ("lap_start", "lap_status"))
    for kg, there in ((3e38, False), (1.5e38, True)):
        (first,) = FACTS["lap_start"].rows(_arrays(start) | {"fuel_start_kg": np.array([kg], "f4")}).to_pylist()
        (last,) = FACTS["lap_status"].rows(_arrays(end) | {"fuel_end_kg": np.array([-kg], "f4")}).to_pylist()
        assert [first["fuel_start_kg"] is not None, last["fuel_end_kg"] is not None] == [there, there]
        assert not there or np.isfinite(np.float32(first["fuel_start_kg"]) - np.float32(last["fuel_end_kg"]))


def _arrays(columns: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in columns.items()}


def test_a_rigs_name_is_a_text_that_postgres_takes() -> None:
    """COPY would fail at a zero byte, with the same batch for ever."""
    packet_ = PACKETS[2025, 2]
    raw = bytearray(entry(0, "rig", lap_data(700)))
    raw[8:24] = b"a\0b\xff".ljust(16, b"\0")
    assert decode([Block(packet_.format, packet_.id, 0, bytes(raw))]).sessions.rig.tolist() == ["a?b\ufffd"]


def test_unknown_kinds_are_counted() -> None:
    decoded = decode([Block(2019, 2, 0, b""), Block(2025, 99, 0, b""), Block(2025, 2, 0, b"x")])
    assert (decoded.rejected_blocks, decoded.samples) == (3, [])


@needs_recordings
@pytest.mark.parametrize(("path", "packet_format"), [(TIME_TRIAL, 2025), (RACE_2026, 2026)], ids=["2025", "2026"])
def test_laps_of_a_recording_are_those_of_an_independent_decoder(path: Any, packet_format: int) -> None:
    datagrams = [(d.arrival_ns, d.payload) for d in capture.read(path)]
    newest_packet = {}
    for _, raw in datagrams:
        if raw[6] == 11:
            history = peer_decoder(packet_format).resolve(raw)
            newest_packet[history.car_idx] = history  # none of these recordings' histories carry frame 0
    expected = {
        (car, i + 1): lap.lap_time_in_ms or None
        for car, history in newest_packet.items()
        for i, lap in enumerate(list(history.lap_history_data)[: history.num_laps])
    }
    result = reduce(blocks(datagrams), "query")
    found = {(row["car_index"], row["lap_number"]): row["lap_time_ms"] for row in rows(result, "lap_times")}
    assert found == expected
    assert len(found) > 15
