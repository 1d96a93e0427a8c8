"""Each rule, asked of one row that breaks it and of one that does not: packets made by hand from the published offsets.

And that real recordings and simulated races break none, and that no bytes make a rule raise.
"""

import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_packets import PACKETS
from f1_packets.block import entry
from pitlane import capture
from pitlane.settings import REPOSITORY
from pitlane.simulator import Race, RaceConfig
from spark.jobs.blocks import Block, decode
from spark.jobs.micro_batch import Reduced, reduce
from spark.quality import document
from spark.quality.check import check
from spark.quality.rows import AT_MOST
from spark.quality.rules import RULES
from tests.blocks import blocks
from tests.handmade import (
    SIGNED_UID,
    UID,
    damage,
    lap_data,
    motion,
    motion_ex,
    reduced,
    rows,
    status,
    telemetry,
)
from tests.shared import CAPTURES, RACE_2026, TIME_TRIAL, needs_recordings, needs_shared

HEADER = struct.Struct("<HBBBBBQfIIBB")
SIZES = {0: 1349, 2: 1285, 3: 45, 4: 1284, 5: 1133, 6: 1352, 7: 1239, 8: 1042, 9: 954, 10: 1041, 11: 1460, 12: 231}
SIZES |= {13: 273, 14: 101, 15: 1131}
CAR_BYTES = {0: 60, 2: 57, 4: 57, 5: 50, 6: 60, 7: 55, 8: 46, 9: 42, 10: 46}
FIRST_CAR = {4: 30, 8: 30, 9: 30}
NAN = float("nan")
Pokes = Mapping[int, tuple[str, Any]]


def sent(packet_id: int, pokes: Pokes, *, car: int | None = 3, frame: int = 700, uid: int = UID) -> bytes:
    """A packet of 2025, zeros but for `pokes` {offset: (struct code, value)}, from the start of the car or datagram."""
    raw = bytearray(SIZES[packet_id])
    HEADER.pack_into(raw, 0, 2025, 25, 1, 0, 1, packet_id, uid, 9.0, frame, frame, 3, 255)
    base = 0 if car is None else FIRST_CAR.get(packet_id, 29) + car * CAR_BYTES[packet_id]
    for offset, (code, value) in pokes.items():
        struct.pack_into("<" + code, raw, base + offset, value)
    return bytes(raw)


def laps(**car: Any) -> bytes:
    return lap_data(700, {3: {"lap_distance_m": 1234.5, **car}})


def two_laps(first: int, second: int) -> bytes:
    return lap_data(700, {3: {"car_position": first}, 4: {"car_position": second}})


def clock(now_ms: int, sectors_ms: tuple[int, int], sector: int) -> bytes:
    raw = bytearray(laps(current_lap_time_ms=now_ms))
    for offset, ms in zip((8, 11), sectors_ms, strict=True):
        struct.pack_into("<HB", raw, 29 + 3 * 57 + offset, ms % 60_000, ms // 60_000)
    raw[29 + 3 * 57 + 36] = sector
    return bytes(raw)


def history(
    lap: tuple[int, int, int, int], *, car: int = 3, num_laps: int = 1, stints: tuple[int, ...] = (255,)
) -> bytes:
    pokes: dict[int, tuple[str, Any]] = {29: ("B", car), 30: ("B", num_laps), 31: ("B", len(stints)), 36: ("I", lap[0])}
    for n, ms in enumerate(lap[1:]):
        pokes |= {40 + 3 * n: ("H", ms % 60_000), 42 + 3 * n: ("B", ms // 60_000)}
    pokes |= {1436 + 3 * n: ("B", end) for n, end in enumerate(stints[:8])}
    return sent(11, pokes, car=None)


LAP = (90_001, 30_000, 25_000, 35_000)


def classified(*places: int, total_s: float = 5000.0, stints: int = 1) -> bytes:
    pokes: dict[int, tuple[str, Any]] = {29: ("B", len(places))}
    for car, place in enumerate(places):
        at = 30 + 46 * car
        pokes |= {at: ("B", place), at + 11: ("d", total_s), at + 21: ("B", stints)}
    return sent(8, pokes, car=None)


def named(name: bytes, active: int = 1) -> bytes:
    return sent(4, {29: ("B", active), 37: ("32s", name)}, car=None)


def fuels(*kg: float, **more: Any) -> tuple[bytes, ...]:
    frames = range(700, 700 + len(kg))
    return *(sent(7, {5: ("f", f)}, frame=at) for at, f in zip(frames, kg, strict=True)), *(
        lap_data(at, {3: more}) for at in frames
    )


def a(packet_id: int, offset: int, code: str, **given: Any) -> Callable[[Any], bytes]:
    return lambda value: sent(packet_id, {offset: (code, value)}, **given)


speed, throttle, steer, brake = (a(6, offset, code) for offset, code in ((0, "H"), (2, "f"), (6, "f"), (10, "f")))
gear, rpm, hot, pressure = (a(6, offset, code) for offset, code in ((15, "b"), (16, "H"), (32, "B"), (40, "f")))
fuel, capacity, store, deployed = (a(7, offset, "f") for offset in (5, 9, 37, 50))
place, wear, wing, floor = a(0, 8, "f"), a(10, 4, "f"), a(10, 30, "B"), a(10, 31, "B")

BROKEN: dict[str, tuple[list[Any], list[Any]]] = {
    "lap_number": ([laps(current_lap_num=0)], [laps(current_lap_num=1), laps(current_lap_num=0, driver_status=0), laps(current_lap_num=0, result_status=3)]),
    "lap_distance": ([laps(lap_distance_m=10_001.0), laps(lap_distance_m=NAN)], [laps(lap_distance_m=-5454.5), laps(lap_distance_m=7003.9)]),
    "total_distance": ([laps(total_distance_m=float("inf"))], [laps(total_distance_m=-200.0)]),
    "position": ([laps(car_position=25)], [laps(car_position=24), laps(car_position=0)]),
    "positions_differ": ([two_laps(5, 5)], [two_laps(5, 9), two_laps(0, 0)]),
    "sector": ([clock(0, (0, 0), 3)], [clock(0, (0, 0), 2)]),
    "pit_status": ([laps(pit_status=3)], [laps(pit_status=2)]),
    "lap_time": (
        [laps(current_lap_time_ms=2**31), laps(last_lap_time_ms=2**32 - 1)],
        [laps(current_lap_time_ms=2**31 - 1), laps(last_lap_time_ms=0)],
    ),
    "lap_clock": ([clock(60_000, (30_000, 61_000), 2)], [clock(91_000, (30_000, 61_000), 2), clock(9, (30_000, 0), 0)]),
    "speed_trap": ([laps(speed_trap_fastest_speed_kmh=501.0), laps(speed_trap_fastest_speed_kmh=NAN)], [laps(speed_trap_fastest_speed_kmh=362.5)]),
    "speed": ([speed(501)], [speed(380)]),
    "throttle": ([throttle(1.1), throttle(NAN)], [throttle(1.0)]),
    "brake": ([brake(-0.1)], [brake(0.0)]),
    "steer": ([steer(-1.1)], [steer(-1.0), steer(1.0)]),
    "gear": ([gear(10), gear(-2)], [gear(-1), gear(8)]),
    "engine_rpm": ([rpm(25_001)], [rpm(13_204)]),
    "tyre_temperature": ([hot(251)], [hot(140)]),
    "tyre_pressure": ([pressure(60.5), pressure(-1.0)], [pressure(26.0)]),
    "fuel": ([fuel(200.5), fuel(-1.0), fuel(NAN)], [fuel(110.0), fuel(0.0)]),
    "fuel_capacity": ([capacity(-3.0)], [capacity(110.0)]),
    "fuel_rises": (
        [fuels(10.0, 10.5)],
        [fuels(10.0, 9.9), fuels(0.0, 10.0), fuels(10.0, 20.0, pit_status=2), fuels(10.0, 20.0, driver_status=0)],
    ),
    "ers_store": ([store(1.1e7)], [store(4e6)]),
    "ers_of_the_lap": ([deployed(-1e6), deployed(6e7)], [deployed(9.4e6)]),
    "world_position": ([place(1.1e5), place(NAN)], [place(-4000.0)]),
    "tyre_wear": ([wear(101.0), wear(-1.0), a(10, 16, "B")(101)], [wear(100.0)]),
    "damage": ([wing(101), floor(255)], [wing(100)]),
    "player_physics": ([motion_ex(700, first=NAN)], [motion_ex(700)]),
    "history_car": ([history(LAP, car=22)], [history(LAP, car=21)]),
    "history_clock": ([sent(11, {15: ("f", NAN)}, car=None)], [sent(11, {15: ("f", 0.0)}, car=None)]),
    "history_laps": ([history(LAP, num_laps=101), history(LAP, stints=(1, 2, 3, 4, 5, 6, 7, 8, 255))], [history(LAP)]),
    "sectors_make_the_lap": ([history((90_500, *LAP[1:]))], [history(LAP), history((90_500, 30_000, 25_000, 0))]),
    "stints_in_order": ([history(LAP, stints=(9, 9, 255))], [history(LAP, stints=(9, 19, 255))]),
    "record_time": (
        [sent(14, {31: ("I", 2**31)}, car=None)],
        [sent(14, {31: ("I", 2**31 - 1)}, car=None)],
    ),
    "records_sum": (
        [sent(14, {31: ("I", 74_000), 35: ("I", 20_000), 39: ("I", 30_000), 43: ("I", 25_000)}, car=None)],
        [sent(14, {31: ("I", 74_002), 35: ("I", 20_000), 39: ("I", 30_000), 43: ("I", 24_000)}, car=None)],
    ),
    "start_positions": (
        [sent(15, {31: ("B", 25)}, car=None), sent(15, {29: ("B", 51)}, car=None)],
        [sent(15, {29: ("B", 50), 31: ("B", 24)}, car=None)],
    ),
    "result": (
        [classified(25), classified(1, total_s=NAN), classified(1, stints=9)],
        [classified(1, 2), classified(0, total_s=0.0)],
    ),
    "results_differ": ([classified(1, 2, 2)], [classified(1, 2, 3)]),
    "driver_name": ([named(b"")], [named("Pérez".encode()), named(b"", active=0)]),
    "participants": ([named(b"A", active=23)], [named(b"A", active=22)]),
    "lobby_players": ([sent(9, {29: ("B", 23)}, car=None, uid=0)], [sent(9, {29: ("B", 22)}, car=None, uid=0)]),
    "setup": ([a(5, 2, "B")(101), a(5, 4, "f")(NAN)], [a(5, 2, "B")(100), a(5, 4, "f")(-3.5)]),
    "tyre_sets": (
        [sent(12, {29: ("B", 22)}, car=None), sent(12, {32: ("B", 101)}, car=None)],
        [sent(12, {29: ("B", 21), 32: ("B", 100)}, car=None)],
    ),
    "event_code": ([sent(3, {29: ("4s", b"XY\0Z")}, car=None)], [sent(3, {29: ("4s", b"FTLP")}, car=None)]),
}  # fmt: skip


def broken(found: Any) -> Reduced:
    return reduced(*([found] if isinstance(found, bytes) else found))


@pytest.mark.parametrize("slug", RULES)
def test_a_rule_is_broken_by_what_is_wrong_and_by_nothing_else(slug: str) -> None:
    wrong, right = BROKEN[slug]
    for datagrams in wrong:
        result = broken(datagrams)
        assert result.broken[slug] == 1
        (row,) = (row for row in rows(result, "quarantine") if row["rule"] == slug)
        assert (row["effect"], row["reason"]) == (RULES[slug].effect, RULES[slug].wrong)
    for datagrams in right:
        result = broken(datagrams)
        assert slug in result.checked
        assert slug not in result.broken, datagrams


def test_rules_are_written_so_that_they_can_be_asked() -> None:
    for rule in RULES.values():
        assert re.fullmatch(r"[a-z0-9_]+", rule.slug)
        assert rule.effect == "flag" or rule.of in ("", "cars"), "only packets and cars can be kept out"
        asked = [packet for packet in PACKETS.values() if packet.name == rule.packet]
        assert asked, rule.slug
        assert any(rule in _rules_of(packet) for packet in asked), rule.slug


def _rules_of(packet: Any) -> Any:
    from spark.quality.rules import rules_of

    return rules_of(packet)


def test_a_row_of_quarantine_tells_what_was_wrong_and_where_it_lies() -> None:
    good, bad = (entry(1_750_000_000_000_000_000 + n, "rig", speed(kmh)) for n, kmh in enumerate((280, 612)))
    result = reduce([Block(2025, 6, 2, good + bad, "f1.car_telemetry", 41)], "query")
    (row,) = rows(result, "quarantine")
    assert row.pop("arrived_at").timestamp() == 1_750_000_000
    assert row == {
        "session_uid": SIGNED_UID, "rig": "rig", "rule": "speed", "subject": "car 3, frame 700", "effect": "out",
        "reason": "faster than 500 km/h", "details": '{"speed_kmh":612}', "car_index": 3, "packet_format": 2025,
        "packet_id": 6, "overall_frame": 700, "shard": 2, "topic": "f1.car_telemetry", "record_offset": 41,
        "datagram_index": 1,
    }  # fmt: skip
    assert (result.checked["speed"], result.broken["speed"]) == (44, 1)


def test_what_is_not_from_kafka_has_no_pointer_and_nan_is_a_text() -> None:
    (row,) = rows(reduced(throttle(NAN)), "quarantine")
    assert (row["topic"], row["record_offset"], row["datagram_index"]) == (None, None, None)
    assert row["details"] == '{"throttle":"nan"}'


def test_a_lap_of_a_history_is_one_row_however_often_it_is_told() -> None:
    bad = history((90_500, *LAP[1:]))
    assert {row["subject"] for row in rows(reduced(bad, bad), "quarantine")} == {"car 3, lap 1"}


def test_what_is_out_is_not_known_and_what_is_flagged_is() -> None:
    whole = [lap_data(700), status(700), motion(700)]
    (row,) = rows(reduced(*whole, speed(612)), "lap_trace")
    assert (row["speed_kmh"], row["is_complete"], row["lap_distance_m"]) == (None, False, 1234.5)
    (row,) = rows(reduced(*whole, bytes(hot(255))), "lap_trace")
    assert (row["speed_kmh"], row["is_complete"]) == (0, True)


def test_what_no_column_holds_does_not_take_the_good_sample_with_it() -> None:
    """Both fall into one place of the lap; the newer would stand before the other and be no row."""
    good, bad = laps(), lap_data(701, {3: {"lap_distance_m": 1235.0, "current_lap_time_ms": 2**32 - 1}})
    assert rows(reduced(good, bad), "lap_trace") == rows(reduced(good), "lap_trace") != []


def test_a_history_without_a_clock_is_not_the_newest() -> None:
    good, bad = history(LAP), sent(11, {15: ("f", NAN), 29: ("B", 3), 30: ("B", 1)}, car=None, frame=900)
    assert rows(reduced(good, bad), "lap_times") == rows(reduced(good), "lap_times") != []
    assert rows(reduced(good, bad), "history") == rows(reduced(good), "history")


def test_only_the_car_that_broke_it_is_out() -> None:
    both = lap_data(700, {3: {"lap_distance_m": 5.0}, 4: {"lap_distance_m": 5.0, "car_position": 77}})
    assert [row["car_index"] for row in rows(reduced(both), "lap_trace")] == [3]
    assert [row["car_index"] for row in rows(reduced(classified(1, 200)), "result")] == [0]


def test_a_packet_that_is_out_tells_nothing() -> None:
    result = reduced(history(LAP, num_laps=101), history(LAP, car=4))
    assert {row["car_index"] for row in rows(result, "lap_times")} == {4}
    assert {row["car_index"] for row in rows(result, "history")} == {4}


def test_what_waits_is_counted_once_and_keeps_its_pointer() -> None:
    bad = Block(2025, 6, 1, entry(5, "rig", telemetry(699)) + entry(6, "rig", speed(612)), "f1.car_telemetry", 17)
    first = reduce([bad], "query")
    (waits,) = (row for row in rows(first, "pending_datagram") if row["overall_frame"] == 700)
    assert (waits["topic"], waits["record_offset"], waits["datagram_index"]) == ("f1.car_telemetry", 17, 1)
    again = Block(2025, 6, 1, waits["entry"], waits["topic"], waits["record_offset"], [waits["datagram_index"]])
    second = reduce([again, *blocks([(7, lap_data(700))])], "query")
    assert rows(second, "quarantine") == rows(first, "quarantine"), "the same row under the same key"
    assert (first.broken["speed"], second.broken["speed"]) == (1, 0)
    assert second.checked["speed"] == 0
    assert [row["speed_kmh"] for row in rows(second, "lap_trace")] == [None]


def test_a_flashback_gives_fuel_back() -> None:
    before, after = (bytearray(raw) for raw in fuels(10.0, 10.5)[:2])
    struct.pack_into("<I", after, 19, 400)  # frame_identifier rewinds, overall_frame_identifier goes on
    assert (
        "fuel_rises" not in reduced(bytes(before), bytes(after), lap_data(700, {3: {}}), lap_data(701, {3: {}})).broken
    )


def test_the_rows_are_bounded_and_the_counts_are_not() -> None:
    result = reduced(*[sent(6, {0: ("H", 600)}, frame=frame) for frame in range(1000, 1000 + 3 * AT_MOST)])
    assert [row["overall_frame"] for row in rows(result, "quarantine")] == list(range(1000, 1000 + AT_MOST))
    assert result.broken["speed"] == 3 * AT_MOST


@pytest.mark.parametrize("packet_format", [2023, 2024, 2025, 2026])
def test_a_simulated_race_breaks_no_rule(packet_format: int) -> None:
    race = Race(RaceConfig(packet_format=packet_format, laps=2, cars=12, seed=packet_format, restricted=(4,)))
    result = reduce(blocks([(int(at * 1e9), raw) for at, raw in race.datagrams()]), "query")
    assert rows(result, "quarantine") == []
    assert min(result.checked.values()) > 0


@needs_recordings
@pytest.mark.parametrize("path", [TIME_TRIAL, RACE_2026], ids=lambda path: path.stem)
def test_a_recording_breaks_no_rule(path: Path) -> None:
    result = reduce(blocks([(d.arrival_ns, d.payload) for d in capture.read(path)]), "query")
    assert rows(result, "quarantine") == []


@needs_shared
def test_real_packets_break_no_rule() -> None:
    read = [path.read_bytes() for path in sorted((CAPTURES / "packets").rglob("*.bin"))]
    assert len(read) > 30
    for raw in read:
        if raw[6] != 1:
            assert rows(reduced(raw), "quarantine") == []


@settings(deadline=None)
@given(st.data())
def test_no_bytes_make_a_rule_raise(data: st.DataObject) -> None:
    made = []
    for number in range(data.draw(st.integers(1, 3))):
        packet = data.draw(st.sampled_from([p for p in PACKETS.values() if p.name != "session"]))
        raw = bytearray(data.draw(st.binary(min_size=packet.size, max_size=packet.size)))
        struct.pack_into("<HBBBBBQ", raw, 0, packet.format, 25, 1, 0, 1, packet.id, UID)
        made.append(Block(packet.format, packet.id, 0, entry(0, "rig", bytes(raw)), "topic", number))
    with np.errstate(all="raise"):
        found = check(decode(made))
    assert all(0 <= found.broken[slug] <= found.checked[slug] for slug in found.broken)


def test_the_rules_are_documented() -> None:
    """If this fails, run `python -m spark.quality.document`."""
    assert document.PAGE == REPOSITORY / "docs" / "quality.md"
    assert document.table() in document.PAGE.read_text("utf-8")


def test_damage_made_by_hand_breaks_nothing() -> None:
    assert "quarantine" not in reduced(lap_data(700), damage(700)).tables
