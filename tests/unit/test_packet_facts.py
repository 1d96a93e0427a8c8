"""Facts that come from one packet alone: packets made by hand from the published offsets, rows worked out by hand,
and real ones held against an independent decoder."""

import json
import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from f1_packets import PACKET_NAMES, SESSION_END_ORDER, sample_order
from pitlane import capture
from spark.facts import FACTS
from spark.jobs.micro_batch import _BY_CARS, _BY_PACKET, Reduced, reduce
from tests import handmade
from tests.blocks import blocks
from tests.handmade import rows
from tests.peers import peer_decoder
from tests.shared import CAPTURES, RACE_2026, TIME_TRIAL, needs_recordings, needs_shared

NOW_NS = 1_750_000_030_000_000_000  # 2025-06-15 15:07:10 UTC


def packet(packet_id: int, frame: int, packet_format: int = 2025, **header: Any) -> bytearray:
    """Nothing but a header, to be filled by the published offsets."""
    return bytearray(handmade.packet(PACKET_NAMES[packet_id], frame, year=packet_format, player=0, **header))


def reduced(*datagrams: bytes) -> Reduced:
    return reduce(blocks([(NOW_NS, bytes(raw)) for raw in datagrams]), "query")


def setups(frame: int, wings: dict[int, int], packet_format: int = 2025) -> bytes:
    """Cars that have a front wing, and 50 % of all that follows; the others are blank."""
    raw = packet(5, frame, packet_format)
    with_engine_braking = packet_format > 2023
    for car, wing in wings.items():
        at = 29 + car * (50 if with_engine_braking else 49)
        struct.pack_into("<4B4f8B", raw, at, wing, 20, 50, 51, -3.5, -2.0, 0.25, 0.5, 30, 31, 10, 11, 22, 40, 98, 55)
        behind = "<B4fBf" if with_engine_braking else "<4fBf"
        values = (60, 21.5, 21.75, 23.5, 23.75, 6, 12.5)
        struct.pack_into(behind, raw, at + 28, *values[not with_engine_braking :])
    return bytes(raw)


def test_a_setup_has_a_row_with_the_first_and_the_last_sample_that_showed_it() -> None:
    result = reduced(setups(700, {3: 25}), setups(800, {3: 25}), setups(760, {3: 27, 4: 25}), setups(900, {}))
    found = rows(result, "setup")
    assert [(r["car_index"], r["front_wing"], r["first_frame"], r["last_frame"]) for r in found] == [
        (3, 25, 700, 800),
        (3, 27, 760, 760),
        (4, 25, 760, 760),
    ]
    assert found[0]["digest"] == found[2]["digest"] != found[1]["digest"]
    assert list(found[0].values())[6:] == [
        25, 20, 50, 51, -3.5, -2.0, 0.25, 0.5, 30, 31, 10, 11, 22, 40, 98, 55, 60, 21.5, 21.75, 23.5, 23.75, 6, 12.5,
    ]  # fmt: skip


def test_a_setup_of_2023_has_no_engine_braking() -> None:
    (row,) = rows(reduced(setups(700, {0: 25}, 2023)), "setup")
    assert (row["brake_bias_percent"], row["engine_braking_percent"], row["rear_left_tyre_pressure_psi"]) == (
        55, None, 21.5,
    )  # fmt: skip
    assert row["fuel_load_kg"] == 12.5


def tyre_sets(frame: int, sets: dict[int, tuple[int, ...]], car: int = 3) -> bytes:
    raw = packet(12, frame)
    raw[29] = car
    for index, tyres in sets.items():
        struct.pack_into("<BBBBBBBhB", raw, 30 + 10 * index, *tyres)
    return bytes(raw)


def test_the_newest_sample_of_a_tyre_set_stands_and_a_hidden_one_is_none() -> None:
    result = reduced(
        tyre_sets(800, {0: (17, 16, 12, 1, 15, 20, 23, 0, 1), 19: (8, 8, 0, 1, 0, 41, 41, 7759, 0)}),
        tyre_sets(700, {0: (17, 16, 4, 1, 15, 22, 23, 0, 1)}),
        tyre_sets(900, {}),  # the driver has chosen to hide it
        tyre_sets(800, {0: (17, 16, 1, 1, 15, 23, 23, 0, 1)}, car=22),  # no car of format 2025
    )
    assert [tuple(row.values())[2:] for row in rows(result, "tyre_set")] == [
        (3, 0, 17, 16, 12, True, 15, 20, 23, 0, True, 800),
        (3, 19, 8, 8, 0, True, None, 41, 41, 7759, False, 800),
    ]


def time_trial(frame: int, *laps: tuple[int, ...], packet_format: int = 2025) -> bytes:
    raw = packet(14, frame, packet_format)
    for i, lap in enumerate(laps):
        struct.pack_into("<BB4I6B", raw, 29 + 24 * i, *lap)
    return bytes(raw)


@pytest.mark.parametrize("packet_format", [2024, 2025])
def test_the_records_of_a_time_trial(packet_format: int) -> None:
    own = (0, 1, 74_142, 21_948, 30_210, 21_984, 0, 1, 0, 1, 0, 1)
    rival = (4, 255, 73_590, 0, 0, 0, 1, 0, 1, 1, 1, 0)
    nothing = (0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1)
    result = reduced(
        time_trial(800, own, nothing, rival, packet_format=packet_format),
        time_trial(700, (0, 1, 75_000, *own[3:]), nothing, nothing, packet_format=packet_format),
        time_trial(900, nothing, nothing, nothing, packet_format=packet_format),  # never a time that was one before
    )
    assert [tuple(row.values())[2:] for row in rows(result, "time_trial")] == [
        ("session_best", 0, 1, 74_142, 21_948, 30_210, 21_984, False, True, False, True, False, True, 800),
        ("rival", 4, None, 73_590, None, None, None, True, False, True, True, True, False, 800),
    ]


def lobby(players: Iterable[bytes], packet_format: int = 2025) -> bytes:
    raw = packet(9, 0, packet_format, uid=0)
    raw[29] = len(list(players))
    size = {2023: 54, 2025: 42, 2026: 43}[packet_format]
    for slot, player in enumerate(players):
        raw[30 + slot * size : 30 + (slot + 1) * size] = player
    return bytes(raw)


def player(name: str, team: int = 9) -> bytes:
    return struct.pack("<BBBB32sBBBHB", 0, team, 22, 1, name.encode() + b"\0junk", 44, 1, 0, 500, 1)


def test_a_lobby_has_a_row_for_each_minute_and_slot() -> None:
    second = 10**9
    sent = [
        (NOW_NS, lobby([player("Player"), player("Player", 255)])),
        (NOW_NS + 20 * second, lobby([player("Pérez")])),  # the second one has left
        (NOW_NS + 50 * second, lobby([player("Player")])),  # 15:08:00
    ]
    for order in (sent, sent[::-1]):
        found = rows(reduce(blocks(order), "query"), "lobby_player")
        assert [(r["minute"].minute, r["slot"], r["name"], r["players"], r["team_id"]) for r in found] == [
            (7, 0, "Pérez", 1, 9),
            (7, 1, "Player", 2, None),
            (8, 0, "Player", 1, 9),
        ]
    assert found[0]["arrived_at"] == datetime(2025, 6, 15, 15, 7, 30, tzinfo=UTC)
    assert tuple(found[0].values())[4:6] == (2025, 25)
    assert tuple(found[0].values())[8:] == (False, 9, 22, 1, 44, 1, True, False, 500)


def test_a_lobby_of_2023_tells_no_settings() -> None:
    raw = struct.pack("<BBBB48sBB", 1, 3, 0, 255, b"ALONSO", 14, 0)
    (row,) = rows(reduced(lobby([raw], 2023)), "lobby_player")
    assert tuple(row.values())[7:] == ("ALONSO", True, 3, None, None, 14, 0, None, None, None)


def test_a_lobby_is_no_session() -> None:
    result = reduced(lobby([player("Player")]))
    assert set(result.tables) == {"lobby_player"}
    assert result.datagrams == 1


def lap_positions(frame: int, start: int, *laps: dict[int, int], packet_format: int = 2025, rewound: int = 0) -> bytes:
    """`rewound` frames were taken back by flashbacks so far."""
    raw = packet(15, frame, packet_format)
    struct.pack_into("<I", raw, 19, frame - rewound)
    cars = 22 if packet_format < 2026 else 24
    raw[29:31] = bytes([len(laps), start])
    for i, lap in enumerate(laps):
        for car, position in lap.items():
            raw[31 + i * cars + car] = position
    return bytes(raw)


def test_places_at_the_start_of_each_lap() -> None:
    result = reduced(
        lap_positions(800, 0, {0: 2, 3: 1}, {0: 1, 3: 2}),
        lap_positions(700, 0, {0: 2, 3: 1}, {0: 1}),  # car 3 has not crossed the line yet
    )
    assert [tuple(row.values())[2:] for row in rows(result, "lap_line")] == [
        (0, 1, 2, 700, 0),
        (0, 2, 1, 700, 0),
        (3, 1, 1, 700, 0),
        (3, 2, 2, 800, 0),
    ]


def test_behind_a_flashback_the_places_are_those_of_the_lap_driven_again() -> None:
    result = reduced(
        lap_positions(905, 0, {0: 2}, {0: 4}, rewound=300),
        lap_positions(700, 0, {0: 2}, {0: 1}),
        lap_positions(965, 0, {0: 2}, {0: 4}, rewound=300),
    )
    assert [tuple(row.values())[3:] for row in rows(result, "lap_line")] == [(1, 2, 905, 300), (2, 4, 905, 300)]


@pytest.mark.parametrize(("packet_format", "last_car"), [(2025, 21), (2026, 23)])
def test_a_race_of_more_than_fifty_laps(packet_format: int, last_car: int) -> None:
    first = [{last_car: 1 + lap % 20} for lap in range(50)]
    result = reduced(
        lap_positions(90_000, 0, *first, packet_format=packet_format),
        lap_positions(90_060, 50, {last_car: 7}, {last_car: 8}, packet_format=packet_format),
    )
    found = {row["lap_number"]: row["start_position"] for row in rows(result, "lap_line")}
    assert found == {lap + 1: 1 + lap % 20 for lap in range(50)} | {51: 7, 52: 8}
    assert {row["car_index"] for row in rows(result, "lap_line")} == {last_car}


def test_rows_that_a_packet_does_not_list_are_none() -> None:
    raw = bytearray(lap_positions(800, 0, {0: 2}))
    raw[31 + 22] = 5  # left over from before a flashback
    assert [row["lap_number"] for row in rows(reduced(bytes(raw)), "lap_line")] == [1]


def test_what_else_participants_tell() -> None:
    raw = packet(4, 700)
    raw[29] = 1
    colours = (*range(250, 256), 0, 0, 0, 0, 0, 0)
    struct.pack_into(
        "<7B32sBBHBB12B", raw, 30, 0, 255, 3, 41, 1, 44, 22, b"Player", 1, 0, 300, 3, 2, *colours
    )  # fmt: skip
    (row,) = rows(reduced(bytes(raw)), "participant")
    assert (row["is_my_team"], row["tech_level"], row["shows_online_name"]) == (True, 300, False)
    assert json.loads(row["livery_colours"]) == ["#fafbfc", "#fdfeff"]


def test_participants_of_2023_have_neither_colours_nor_level() -> None:
    raw = packet(4, 700, 2023)
    raw[29] = 1
    (row,) = rows(reduced(bytes(raw)), "participant")
    assert (row["tech_level"], row["livery_colours"], row["is_my_team"]) == (None, None, False)


def test_facts_come_from_the_packets_that_their_tables_name() -> None:
    for name, (packet_name, _) in _BY_PACKET.items():
        assert packet_name in FACTS[name].table.info["packets"], name
    assert set(_BY_PACKET) | set(_BY_CARS) | {"quarantine"} == set(FACTS)
    assert {packet_name for fact in FACTS.values() for packet_name in fact.table.info["packets"]} <= set(
        PACKET_NAMES.values()
    )


Decoded = dict[int, list[Any]]


def decoded(path: Path, packet_format: int) -> Decoded:
    """Packet ID → what the peer reads, in the game's order."""
    found: Decoded = {}
    for datagram in capture.read(path):
        found.setdefault(datagram.payload[6], []).append(peer_decoder(packet_format).resolve(datagram.payload))
    for packets in found.values():
        packets.sort(key=lambda p: sample_order(p.header.overall_frame_identifier, p.header.session_time))
    return found


@pytest.fixture(scope="module", params=[(TIME_TRIAL, 2025), (RACE_2026, 2026)], ids=["2025", "2026"])
def recorded(request: pytest.FixtureRequest) -> tuple[Decoded, Reduced]:
    path, packet_format = request.param
    return decoded(path, packet_format), reduce(blocks([(d.arrival_ns, d.payload) for d in capture.read(path)]), "q")


@needs_recordings
def test_setups_of_a_recording(recorded: tuple[Decoded, Reduced]) -> None:
    peer, result = recorded
    expected: dict[tuple[int, tuple[Any, ...]], list[int]] = {}
    for sent in peer[5]:
        for car, setup in enumerate(getattr(sent, "car_setup_data", None) or sent.car_setups):
            values = tuple(getattr(setup, name) for name, _ in setup._fields_)
            if any(values):
                expected.setdefault((car, values), []).append(sent.header.overall_frame_identifier)
    found = {
        (row["car_index"], tuple(row.values())[6:]): [row["first_frame"], row["last_frame"]]
        for row in rows(result, "setup")
    }
    assert found == {key: [min(frames), max(frames)] for key, frames in expected.items()}
    assert len(found) > 15


@needs_recordings
def test_tyre_sets_of_a_recording(recorded: tuple[Decoded, Reduced]) -> None:
    peer, result = recorded
    expected = {
        (sent.car_idx, index): (
            *(getattr(tyres, name) for name, _ in tyres._fields_),
            sent.header.overall_frame_identifier,
        )
        for sent in peer[12]
        for index, tyres in enumerate(sent.tyre_set_data)
        if any(bytes(tyres))
    }
    found = {
        (row["car_index"], row["set_index"]): tuple(value or 0 for value in list(row.values())[4:])
        for row in rows(result, "tyre_set")
    }
    assert found == expected
    assert len(found) == (0 if 14 in peer else 22 * 20), "a time trial hides them"


@needs_recordings
def test_places_of_a_recording(recorded: tuple[Decoded, Reduced]) -> None:
    peer, result = recorded
    expected: dict[tuple[int, int], tuple[int, int]] = {}
    for sent in peer[15]:
        flat = list(sent.position_for_vehicle_idx)
        cars = len(flat) // 50
        for lap in range(sent.num_laps):
            for car, position in enumerate(flat[lap * cars : (lap + 1) * cars]):
                if position:
                    at = (car, sent.lap_start + lap + 1)
                    expected.setdefault(at, (position, sent.header.overall_frame_identifier))
    found = {
        (row["car_index"], row["lap_number"]): (row["start_position"], row["line_frame"])
        for row in rows(result, "lap_line")
    }
    assert found == expected
    assert found


@needs_recordings
def test_records_of_a_recorded_time_trial(recorded: tuple[Decoded, Reduced]) -> None:
    peer, result = recorded
    expected = {}
    for sent in peer.get(14, []):
        for record, name in (
            ("session_best", "player_session_best_data_set"),
            ("personal_best", "personal_best_data_set"),
            ("rival", "rival_data_set"),
        ):
            lap = getattr(sent, name)
            if lap.lap_time_in_ms:
                values = tuple(getattr(lap, field) for field, _ in lap._fields_)
                expected[record] = (*values, sent.header.overall_frame_identifier)
    assert {row["record"]: tuple(row.values())[3:] for row in rows(result, "time_trial")} == expected


@needs_shared
@pytest.mark.parametrize("packet_format", [2023, 2024, 2025, 2026])
def test_stints_of_real_classifications(packet_format: int) -> None:
    for path in sorted((CAPTURES / "packets" / str(packet_format)).glob("id08_*.bin")):
        raw = path.read_bytes()
        sent = peer_decoder(packet_format).resolve(raw)
        found = {row["car_index"]: json.loads(row["tyre_stints"]) for row in rows(reduced(raw), "result")}
        assert found
        for car, stints in found.items():
            end = sent.classification_data[car]
            ends = [None if lap == 255 else lap for lap in end.tyre_stints_end_laps[: end.num_tyre_stints]]
            assert [s["end_lap"] for s in stints] == ends
            assert [s["actual_compound_id"] for s in stints] == list(end.tyre_stints_actual[: end.num_tyre_stints])
            assert [s["visual_compound_id"] for s in stints] == list(end.tyre_stints_visual[: end.num_tyre_stints])
        assert all(row["overall_frame"] == SESSION_END_ORDER for row in rows(reduced(raw), "result"))


@needs_shared
def test_a_real_lobby() -> None:
    raw = (CAPTURES / "packets" / "2025" / "id09_b.bin").read_bytes()
    sent = peer_decoder(2025).resolve(raw)
    found = rows(reduced(raw), "lobby_player")
    assert [(r["name"], r["race_number"], r["tech_level"], r["ready_status_id"]) for r in found] == [
        (p.name.split(b"\0")[0].decode(), p.car_number, p.tech_level, p.ready_status)
        for p in sent.lobby_players[: sent.num_players]
    ]
    assert len(found) == 4
