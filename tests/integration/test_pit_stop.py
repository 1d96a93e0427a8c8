"""Visits to the pit lane, from packets made by hand to mart.pit_stop on a real Postgres."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from pitlane.settings import SupersetSettings
from pitlane.stack.postgres import PostgresServer
from spark.jobs.blocks import Block
from spark.sink import Sink
from tests.blocks import blocks
from tests.handmade import SIGNED_UID, event, lap_data, participants, status
from tests.integration.history import empty, fresh_database
from tests.integration.test_facts_sink import write, write_all

CAR = 1
SOFT, MEDIUM = (16, 16), (17, 17)
STEP_S, FRAMES_A_SECOND = 0.25, 60


@dataclass(frozen=True)
class Visit:
    """Times in seconds; `box_s` and `release_s` are equal in a drive-through."""

    entry_s: float
    box_s: float
    release_s: float
    exit_s: float
    serves_penalty: bool = False


def driven(
    lines: list[float],
    visits: list[Visit],
    tyres: dict[float, tuple[int, int]],
    until_s: float,
    *,
    from_s: float = 80.0,
    frame: int = 1000,
) -> list[bytes]:
    """LapData and CarStatus every quarter of a second: `lines` is when the car crosses the line, lap 2 comes first;
    `tyres` are the compounds that are reported from a time on. The clock of the session starts at `from_s`."""
    made = []
    for step in range(round((until_s - from_s) / STEP_S) + 1):
        now = from_s + step * STEP_S
        order = frame + round(step * STEP_S * FRAMES_A_SECOND)
        car: dict[str, Any] = {"current_lap_num": 2 + sum(line <= now for line in lines)}
        for number, visit in enumerate(visits):
            if visit.entry_s <= now < visit.exit_s:
                in_box = visit.box_s <= now < visit.release_s
                car |= {
                    "pit_lane_timer_active": 1,
                    "pit_status": 2 if in_box else 1,
                    "pit_lane_time_in_lane_ms": round(1000 * (now - visit.entry_s)) % 65_536,
                    "pit_stop_timer_ms": round(1000 * (now - visit.box_s)) if in_box else 0,
                    "pit_stop_should_serve_penalty": int(visit.serves_penalty),
                    "num_pit_stops": number + (now >= visit.release_s),
                }
        compounds = next(value for since, value in reversed(tyres.items()) if since <= now)
        age = car["current_lap_num"] - 1 if compounds == SOFT else 0
        made += [
            lap_data(order, {CAR: car}, time_s=now),
            status(order, car=CAR, compounds=compounds, age=age, time_s=now),
        ]
    return made


@pytest.fixture(scope="module")
def own(postgres_server: PostgresServer, database: SupersetSettings) -> Iterator[SupersetSettings]:
    with fresh_database(postgres_server, database) as own_settings:
        yield own_settings


@pytest.fixture
def sink(own: SupersetSettings) -> Iterator[Sink]:
    empty(own)
    with psycopg.connect(own.conninfo("gateway"), autocommit=True) as gateway:
        columns = "session_uid, rig, packet_format, game_year, started_at, last_seen_at, overall_frame"
        values = "(%s, 'rig', 2025, 25, now(), now(), 1)"
        gateway.execute(f"INSERT INTO core.session ({columns}) VALUES {values}".encode(), [SIGNED_UID])
    sink = Sink(own.conninfo("spark"))
    assert write(sink, 0, found(participants(900, {})), "participants")
    yield sink
    sink.close()


def found(*datagrams: bytes) -> list[Block]:
    return blocks([(1_750_000_000_000_000_000, raw) for raw in datagrams])


def stops(own: SupersetSettings) -> list[tuple[Any, ...]]:
    """(laps of entry and exit, entry, seconds in the lane, seconds stood, tyres before and after)"""
    names = "entry_lap, exit_lap, entry_s, lane_time_s, stationary_s, compound_before, compound_after"
    with psycopg.connect(own.conninfo("reader")) as reader:
        return reader.execute(f"SELECT {names} FROM mart.pit_stop ORDER BY stop_number".encode()).fetchall()


BEFORE_THE_GARAGE = driven([97.0], [Visit(90, 100, 102.5, 110)], {0: SOFT, 102.5: MEDIUM}, 140)
BEFORE = [(2, 3, 90.0, 19.75, 2.25, "Soft", "Medium")]
"""Sampled every quarter of a second: the last sample in the lane is one before the exit, and so is that in the box."""


@pytest.mark.parametrize("order", ["as sent", "backwards", "shuffled", "twice"])
@pytest.mark.parametrize("batches", [1, 7])
def test_a_stop_is_one_row_however_it_arrives(sink: Sink, own: SupersetSettings, order: str, batches: int) -> None:
    sent = list(BEFORE_THE_GARAGE)
    if order == "backwards":
        sent.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(sent)
    elif order == "twice":
        sent += sent[::3]
    size = -(-len(sent) // batches)
    write_all(sink, [found(*sent[i : i + size]) for i in range(0, len(sent), size)])
    assert stops(own) == BEFORE


def test_behind_the_garage_the_change_is_reported_a_lap_late(sink: Sink, own: SupersetSettings) -> None:
    late = driven([105.0], [Visit(90, 100, 102.5, 110)], {0: SOFT, 112: MEDIUM}, 140)
    write_all(sink, [found(*late)])
    assert stops(own) == BEFORE


def test_a_lane_that_the_line_does_not_cross(sink: Sink, own: SupersetSettings) -> None:
    write_all(sink, [found(*driven([85.0], [Visit(90, 100, 102.5, 110)], {0: SOFT, 102.5: MEDIUM}, 140))])
    assert stops(own) == [(3, 3, 90.0, 19.75, 2.25, "Soft", "Medium")]


def test_a_box_on_the_line(sink: Sink, own: SupersetSettings) -> None:
    write_all(sink, [found(*driven([101.1], [Visit(90, 100, 102.5, 110)], {0: SOFT, 102.5: MEDIUM}, 140))])
    assert stops(own) == BEFORE


def test_visits_in_laps_that_follow_each_other(sink: Sink, own: SupersetSettings) -> None:
    visits = [Visit(90, 100, 102.5, 110), Visit(120, 130, 132.5, 140), Visit(150, 160, 160, 170, serves_penalty=True)]
    tyres = {0: SOFT, 102.5: MEDIUM, 132.5: SOFT}
    write_all(sink, [found(*driven([97.0, 127.0, 157.0], visits, tyres, 180))])
    assert stops(own) == [
        (2, 3, 90.0, 19.75, 2.25, "Soft", "Medium"),
        (3, 4, 120.0, 19.75, 2.25, "Medium", "Soft"),
        (4, 5, 150.0, 19.75, None, "Soft", "Soft"),
    ]
    with psycopg.connect(own.conninfo("reader")) as reader:
        query = "SELECT serves_penalty, tyre_age_before, tyre_age_after FROM mart.pit_stop ORDER BY stop_number"
        assert reader.execute(query).fetchall() == [(False, 1, 0), (False, 0, 3), (True, 3, 4)]


def test_a_drive_through_is_told_by_its_event(sink: Sink, own: SupersetSettings) -> None:
    through = driven([97.0], [Visit(90, 100, 100, 110)], {0: SOFT}, 140)
    served = event(2800, "DTSV", {"car_index": CAR}, time_s=110.5)
    write_all(sink, [found(*through, served)])
    with psycopg.connect(own.conninfo("reader"), row_factory=dict_row) as reader:
        (row,) = reader.execute("SELECT * FROM mart.pit_stop").fetchall()
    assert (row["stationary_s"], row["serves_penalty"], row["compound_after"]) == (None, True, "Soft")


def test_a_timer_of_16_bits_begins_again(sink: Sink, own: SupersetSettings) -> None:
    repaired = driven([97.0], [Visit(90, 100, 160, 170)], {0: SOFT, 160: MEDIUM}, 180)
    missing = [raw for raw in repaired if not 1000 + 60 * 40 < int.from_bytes(raw[23:27], "little") < 1000 + 60 * 48]
    assert len(missing) < len(repaired)
    write_all(sink, [found(*missing)])
    assert stops(own) == [(2, 3, 90.0, 79.75, 59.75, "Soft", "Medium")]


def test_who_is_still_in_the_lane_has_no_exit(sink: Sink, own: SupersetSettings) -> None:
    write_all(sink, [found(*driven([97.0], [Visit(90, 100, 102.5, 110)], {0: SOFT, 102.5: MEDIUM}, 105))])
    assert stops(own) == [(2, None, 90.0, None, 2.25, "Soft", None)]


@pytest.mark.parametrize("late", [False, True])
def test_a_visit_that_a_flashback_undid_is_none(sink: Sink, own: SupersetSettings, late: bool) -> None:
    """In at 90 s, back to 85 s in the same lap, and past the lane this time; the stop comes a lap later."""
    undone = driven([], [Visit(90, 100, 102.5, 110)], {0: SOFT}, 95)
    to = {"flashback_frame_identifier": 500, "flashback_session_time_s": 85.0}
    back = event(1000 + 15 * 60, "FLBK", to, time_s=95)
    again = driven([97.0, 127.0], [Visit(120, 130, 132.5, 140)], {0: SOFT}, 160, from_s=85, frame=1901)
    batches = [found(*undone), found(back), found(*again)]
    write_all(sink, batches[::-1] if late else batches)
    assert stops(own) == [(3, 4, 120.0, 19.75, 2.25, "Soft", "Soft")]
