"""From the UDP port to the tables, through every real part: a simulated race against its own manifest, in all four
formats, and two real recordings against what an independent decoder reads in them."""

import dataclasses
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from f1_packets import FORMATS, signed_uid
from pitlane import capture, replay
from pitlane.settings import PostgresSettings
from pitlane.simulator import Manifest, Race, RaceConfig
from pitlane.stack.environment import for_child
from pitlane.stack.stack import Stack
from postgres import tables
from tests.driving import drive
from tests.peers import peer_decoder
from tests.shared import RACE_2026, TIME_TRIAL, needs_recordings

Rows = list[dict[str, Any]]


@pytest.fixture
def reader(stack: Stack) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(stack.settings(PostgresSettings).conninfo("reader"), row_factory=dict_row) as connection:
        yield connection


def table(reader: psycopg.Connection[dict[str, Any]], name: str, session_uid: int, order: str) -> Rows:
    query = f"SELECT * FROM core.{name} WHERE session_uid = %s ORDER BY {order}"
    return reader.execute(query, [signed_uid(session_uid)]).fetchall()  # type: ignore[call-overload, no-any-return]


def pit_stops(reader: psycopg.Connection[dict[str, Any]], session_uid: int) -> Rows:
    """mart.pit_stop with the ids of the compounds."""
    query = """
        SELECT p.*, b.visual_compound_id AS visual_compound_before, a.visual_compound_id AS visual_compound_after
        FROM mart.pit_stop AS p
        JOIN ref.visual_compound AS b ON b.name = p.compound_before AND b.visual_compound_id BETWEEN 16 AND 18
        JOIN ref.visual_compound AS a ON a.name = p.compound_after AND a.visual_compound_id BETWEEN 16 AND 18
        WHERE p.session_uid = %s
    """
    return reader.execute(query, [signed_uid(session_uid)]).fetchall()


def assert_equal(rows: Rows, truth: Iterable[Any], key: tuple[str, ...]) -> None:
    """Row for row, column for column; floats, which the game sends as 32 bits, at that precision."""
    expected = {tuple(getattr(row, name) for name in key): dataclasses.asdict(row) for row in truth}
    found = {tuple(row[name] for name in key): row for row in rows}
    assert found.keys() == expected.keys()
    wrong = [
        f"{at}: {name} is {found[at][name]!r}, was {value!r}"
        for at, row in expected.items()
        for name, value in row.items()
        if not same(found[at][name], value)
    ]
    assert not wrong, f"{len(wrong)} values of {len(expected)} rows differ:\n" + "\n".join(wrong[:20])


def same(value: Any, truth: Any) -> bool:
    if isinstance(truth, float) and value is not None:
        return bool(value == pytest.approx(truth, rel=1e-6, abs=1e-6))
    return bool(value == truth)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("packet_format", FORMATS)
def test_a_race_is_in_the_tables_as_it_was(
    stack: Stack, reader: psycopg.Connection[dict[str, Any]], packet_format: int
) -> None:
    race = Race(RaceConfig(packet_format=packet_format, laps=3, seed=packet_format, restricted=(4,)))
    truth = race.manifest()
    uid = truth.session.session_uid
    before = datetime.now(UTC)
    sent, arrived = drive(stack, race.datagrams(), speed=12)

    assert sent.by_name == Counter(truth.datagrams)
    assert arrived.received == sent.datagrams
    assert arrived.stored == truth.datagrams["session"]
    assert arrived.forwarded == sent.datagrams - truth.datagrams["session"]
    assert arrived.in_kafka == {f"f1.{name}": n for name, n in truth.datagrams.items() if name != "session"}

    assert_equal(table(reader, "participant", uid, "car_index"), truth.participants, ("car_index",))
    assert_equal(table(reader, "lap", uid, "car_index, lap_number"), truth.laps, ("car_index", "lap_number"))
    assert_equal(table(reader, "lap_damage", uid, "car_index, lap_number"), truth.damage, ("car_index", "lap_number"))
    assert_equal(pit_stops(reader, uid), truth.pit_stops, ("car_index", "stop_number"))
    assert_equal(table(reader, "stint", uid, "car_index, stint_number"), truth.stints, ("car_index", "stint_number"))
    assert_equal(table(reader, "result", uid, "car_index"), truth.results, ("car_index",))
    assert_events(table(reader, "event", uid, "overall_frame, code"), truth.events)
    assert_equal(table(reader, "tyre_set", uid, "car_index, set_index"), truth.tyre_sets, ("car_index", "set_index"))
    assert_setups(table(reader, "setup", uid, "car_index, first_frame"), truth.setups)
    assert_forecast(table(reader, "weather_forecast", uid, "overall_frame, time_offset_min"))
    assert_lobby(reader, before, packet_format, truth)

    (session,) = table(reader, "session", uid, "rig")
    for name in ("packet_format", "track_id", "track_length_m", "session_type_id", "total_laps", "player_car_index"):
        assert session[name] == getattr(truth.session, name), name
    felt = Counter((row["car_index"], row["lap_number"]) for row in table(reader, "player_trace", uid, "distance_bin"))
    assert {car for car, _ in felt} == {truth.session.player_car_index}
    assert (session["game_mode"], session["rule_set"], session["session_length_id"]) == (4, 1, 3)
    assert session["weekend_structure"] == (None if packet_format == 2023 else [truth.session.session_type_id])
    assert session["is_sprint_weekend"] == (None if packet_format == 2023 else False)
    assert table(reader, "quarantine", uid, "rule, subject") == []
    assert_stories(reader, uid, truth)
    assert_every_packet_has_rows(reader, uid, truth)
    for lap in table(reader, "lap", uid, "car_index, lap_number"):
        if lap["lap_time_ms"]:
            assert lap["coverage"] > 0.95, lap
            if lap["car_index"] == truth.session.player_car_index:
                assert felt[lap["car_index"], lap["lap_number"]] > 0.95 * truth.session.track_length_m / 10


def assert_setups(rows: Rows, truth: Iterable[Any]) -> None:
    names = ("car_index", "first_frame", "last_frame")
    expected = {tuple(getattr(setup, name) for name in names): setup.members for setup in truth}
    found = {tuple(row[name] for name in names): row for row in rows}
    assert found.keys() == expected.keys()
    for key, members in expected.items():
        for name, value in members.items():
            assert same(found[key][name], value), (key, name)


def assert_forecast(rows: Rows) -> None:
    """The simulator's weather does not change: one forecast, as long as the race lasts."""
    columns = (
        "time_offset_min",
        "session_type_id",
        "weather_id",
        "track_temperature_c",
        "air_temperature_c",
        "rain_percent",
    )
    assert [tuple(row[name] for name in columns) for row in rows] == [(at, 15, 0, 31, 23, 2) for at in (0, 5, 10)]
    assert len({row["overall_frame"] for row in rows}) == 1


def assert_lobby(
    reader: psycopg.Connection[dict[str, Any]], since: datetime, packet_format: int, truth: Manifest
) -> None:
    """Everybody waits there under the slot of the car; two minutes may have begun meanwhile."""
    query = "SELECT * FROM core.lobby_player WHERE arrived_at >= %s AND packet_format = %s ORDER BY minute DESC, slot"
    rows = reader.execute(query, [since, packet_format]).fetchall()
    rows = [row for row in rows if row["minute"] == rows[0]["minute"]]
    shown = ("slot", "name", "team_id", "race_number", "nationality_id", "is_ai", "platform_id")
    expected = [
        (p.car_index, p.name, p.team_id, p.race_number, p.nationality_id, p.is_ai, p.platform_id)
        for p in truth.participants
    ]
    assert [tuple(row[name] for name in shown) for row in rows] == expected
    public = [None if packet_format == 2023 else p.is_telemetry_public for p in truth.participants]
    assert [row["is_telemetry_public"] for row in rows] == public


def assert_every_packet_has_rows(reader: psycopg.Connection[dict[str, Any]], uid: int, truth: Manifest) -> None:
    """But a lobby, which is no session."""
    facts = [t for t in tables.metadata.sorted_tables if t.schema == "core" and "session_uid" in t.primary_key.columns]
    filled = [t for t in facts if t is not tables.pending_datagram and table(reader, t.name, uid, "1")]
    ended = {name for t in filled for name in t.info["packets"]} | {"lobby_info"}
    assert set(truth.datagrams) <= ended


def assert_stories(reader: psycopg.Connection[dict[str, Any]], uid: int, truth: Manifest) -> None:
    """A sentence for every event; of a few the very words."""
    query = "SELECT * FROM mart.event WHERE session_uid = %s ORDER BY overall_frame"
    told = reader.execute(query, [signed_uid(uid)]).fetchall()
    assert len(told) == len(truth.events)
    assert all(row["description"] and not row["is_undone"] for row in told)
    cars = {p.car_index: f"Car {p.race_number} ({p.name})" for p in truth.participants}
    sentences = Counter(row["description"].partition(", lap")[0] for row in told)
    for event in truth.events:
        if event.code == "OVTK":
            assert sentences[f"{cars[event.car_index]}: overtakes {cars[event.other_car_index]}"], event
        elif event.code == "PENA" and event.details["penalty_type"] == 4:
            reason = {17: "speeding in the pit lane", 4: "a small collision"}[event.details["infringement_type"]]
            other = "" if event.other_car_index is None else f", involving {cars[event.other_car_index]}"
            sentence = f"{cars[event.car_index]}: {event.details['time_s']} second penalty for {reason}{other}"
            assert sentences[sentence], event
    assert "Lights out" in sentences
    best = [lap for lap in truth.laps if lap.is_valid and lap.lap_time_ms]
    fastest = min(best, key=lambda lap: lap.lap_time_ms)
    (last,) = [row for row in told if row["code"] == "FTLP"][-1:]
    assert (last["car_index"], last["lap_number"]) == (fastest.car_index, fastest.lap_number)


def assert_events(rows: Rows, truth: Iterable[Any]) -> None:
    """As multisets: events of one frame have no order among themselves."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        details = {name: round(value, 3) for name, value in row["details"].items()}
        columns = ("overall_frame", "code", "car_index", "other_car_index", "lap_number")
        return (*(row[name] for name in columns), tuple(sorted(details.items())))

    assert Counter(map(key, rows)) == Counter(key(dataclasses.asdict(row)) for row in truth)


def histories(path: Path) -> dict[int, Any]:
    """Car → its newest SessionHistory, as an independent decoder reads it; frame 0 is the end of the session."""
    newest: dict[int, tuple[float, Any]] = {}
    for datagram in capture.read(path):
        raw = datagram.payload
        if raw[6] == 11:
            packet = peer_decoder(int.from_bytes(raw[:2], "little")).resolve(raw)
            header = packet.header
            order = header.overall_frame_identifier or (2**32 + header.session_time if header.session_time else 0)
            if order >= newest.get(packet.car_idx, (-1, None))[0]:
                newest[packet.car_idx] = (order, packet)
    return {car: packet for car, (_, packet) in newest.items()}


def last_records(path: Path) -> dict[str, int]:
    """Of a time trial: record → lap time, where there is one."""
    newest: dict[str, int] = {}
    for datagram in capture.read(path):
        if datagram.payload[6] == 14:
            packet = peer_decoder(2025).resolve(datagram.payload)
            for record, name in (("session_best", "player_session_best"), ("personal_best",) * 2, ("rival",) * 2):
                lap_time_ms = getattr(packet, f"{name}_data_set").lap_time_in_ms
                newest |= {record: lap_time_ms} if lap_time_ms else {}
    return newest


def sector_ms(lap: Any, number: int) -> int:
    return int(
        getattr(lap, f"sector{number}_time_ms_part") + 60_000 * getattr(lap, f"sector{number}_time_minutes_part")
    )


@needs_recordings
@pytest.mark.timeout(900)
@pytest.mark.parametrize("recording", [TIME_TRIAL, RACE_2026], ids=lambda path: path.stem)
def test_a_recording_is_in_the_tables_as_its_histories_say(
    stack: Stack, reader: psycopg.Connection[dict[str, Any]], recording: Path
) -> None:
    _, arrived = drive(stack, replay.recorded(recording), speed=max(1.0, replay.duration(recording) / 30))
    assert arrived.rejected == {}
    truth = histories(recording)
    uid = next(iter(truth.values())).header.session_uid
    laps = {(row["car_index"], row["lap_number"]): row for row in table(reader, "lap", uid, "car_index, lap_number")}
    assert table(reader, "quarantine", uid, "rule, subject") == []
    timed = 0
    for car, packet in truth.items():
        for number, lap in enumerate(packet.lap_history_data[: packet.num_laps], 1):
            row = laps[car, number]
            expected = [lap.lap_time_in_ms, *(sector_ms(lap, n) for n in (1, 2, 3))]
            assert [row[name] or 0 for name in ("lap_time_ms", "sector1_ms", "sector2_ms", "sector3_ms")] == expected
            timed += lap.lap_time_in_ms > 0
    assert {car for car, _ in laps} >= set(truth)
    if recording is TIME_TRIAL:
        assert timed == 2
        records = {row["record"]: row["lap_time_ms"] for row in table(reader, "time_trial", uid, "record")}
        assert records == last_records(recording)
        wings = [row["front_wing"] for row in table(reader, "setup", uid, "first_frame") if row["car_index"] == 0]
        assert wings == [36, 34], "of the player, who tried another setup"
    else:
        assert len(table(reader, "tyre_set", uid, "car_index")) == 22 * 20
        assert len(table(reader, "setup", uid, "car_index")) == 22
        assert [row["time_offset_min"] for row in table(reader, "weather_forecast", uid, "2, 3, 4, 5, 6")] == [0, 5, 10]
        participants = table(reader, "participant", uid, "car_index")
        assert len(participants) == 22
        traced = {row["car_index"] for row in table(reader, "lap_trace", uid, "car_index") if row["speed_kmh"]}
        assert len(traced) == 22


FACTS = (
    "participant", "lap", "lap_trace", "lap_damage", "player_trace", "stint", "event", "result", "history", "setup",
    "tyre_set",
)  # fmt: skip


@pytest.mark.timeout(600)
def test_the_batch_command_makes_the_same_tables_again(
    stack: Stack, reader: psycopg.Connection[dict[str, Any]]
) -> None:
    race = Race(RaceConfig(packet_format=2025, laps=2, cars=8, seed=288, restricted=(2,)))
    uid = race.manifest().session.session_uid
    drive(stack, race.datagrams(), speed=12)
    reader.autocommit = True
    streamed = {name: table(reader, name, uid, "1, 2, 3, 4, 5") for name in FACTS}
    assert all(streamed.values())
    with psycopg.connect(stack.settings(PostgresSettings).conninfo("owner")) as owner:
        for name in FACTS:
            owner.execute(f"DELETE FROM core.{name} WHERE session_uid = %s", [signed_uid(uid)])  # type: ignore[arg-type]
    assert not any(table(reader, name, uid, "1") for name in FACTS)

    command = [Path(sys.executable).with_name("pitlane"), "spark", "batch"]
    environment = for_child(stack.env_file, stack.home)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert {name: table(reader, name, uid, "1, 2, 3, 4, 5") for name in FACTS} == streamed


def test_bytes_that_are_no_packet_are_counted_and_kept(stack: Stack) -> None:
    junk = [
        b"",
        b"hello",
        bytes(29),
        b"\xe9\x07" + bytes(4) + b"\xff" + bytes(22),
        b"\xe9\x07" + bytes(4) + b"\x06" + bytes(22),
    ]
    _, arrived = drive(stack, [(0.0, raw) for raw in junk], speed=1)
    assert arrived.rejected == {"too_short": 2, "unknown_format": 1, "unknown_packet": 1, "wrong_size": 1}
    assert arrived.in_kafka == {"f1.dead_letter": 5}
