"""What the sink does with damage, the player's trace and pit samples: hidden values, flashbacks, an older database."""

from typing import Any

import psycopg
import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config

from pitlane.settings import SupersetSettings
from pitlane.stack.postgres import PostgresServer
from postgres import migrate
from spark.sink import Sink
from tests.handmade import (
    SIGNED_UID,
    damage,
    lap_data,
    motion,
    motion_ex,
    packet,
    participants,
    session_history,
    status,
    telemetry,
    telemetry_2,
)
from tests.integration.history import fresh_database
from tests.integration.test_facts_sink import own, rewound, sink, timed, write_all

__all__ = ["own", "sink"]  # fixtures


def select(own: SupersetSettings, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(own.conninfo("reader")) as reader:
        return reader.execute(query.encode()).fetchall()


@pytest.mark.parametrize("participants_first", [True, False])
def test_hidden_damage_is_null_whenever_the_setting_is_heard(
    sink: Sink, own: SupersetSettings, participants_first: bool
) -> None:
    public = lap_data(706, {1: {"current_lap_num": 3}}), damage(706, car=1)
    batches = [
        timed(participants(650, {1: 0})),
        timed(lap_data(700, {1: {}}), packet("car_damage", 700), *public),
    ]
    write_all(sink, batches if participants_first else batches[::-1])
    names = "lap_number, rear_left_tyre_wear_percent, floor_damage_percent, is_engine_blown, overall_frame"
    assert select(own, f"SELECT {names} FROM core.lap_damage ORDER BY 1") == [
        (2, None, None, None, 700),
        (3, 4.5, 31, True, 706),
    ]


@pytest.mark.parametrize("late", [False, True])
def test_what_a_flashback_undid_vanishes(sink: Sink, own: SupersetSettings, late: bool) -> None:
    def at(frame: int, lap: int) -> list[bytes]:
        car = {"current_lap_num": lap, "lap_distance_m": 55.0, "pit_lane_timer_active": 1, "penalties_s": lap}
        return [lap_data(frame, {3: car}, time_s=frame / 60), damage(frame), motion_ex(frame)]

    times = [30_000, 30_000, 30_000]
    before = session_history(705, [times, times, []], [(255, 17, 16)])
    after = session_history(900, [times, []], [(255, 17, 16)])
    batches = [timed(*at(700, 3), before), timed(*at(900, 2), after)]
    write_all(sink, batches[::-1] if late else batches)
    for name in ("lap_damage", "player_trace", "pit_sample"):
        assert select(own, f"SELECT lap_number, overall_frame FROM core.{name}") == [(2, 900)], name
    assert select(own, "SELECT lap_number, penalties_s FROM core.lap ORDER BY 1") == [(1, None), (2, 2)]


@pytest.mark.parametrize("order", [((0, 1),), ((0,), (1,)), ((1,), (0,))], ids=["one batch", "two", "late"])
def test_what_the_player_felt_before_a_flashback_goes_with_it(
    sink: Sink, own: SupersetSettings, order: tuple[tuple[int, ...], ...]
) -> None:
    """The place was driven again, and the packet that tells what the car felt there was lost."""
    tries = [lap_data(700), motion_ex(700)], [rewound(lap_data(905), 210), rewound(status(905), 210)]
    write_all(sink, [timed(*(raw for number in batch for raw in tries[number])) for batch in order])
    assert select(own, "SELECT overall_frame FROM core.lap_trace") == [(905,)]
    assert select(own, "SELECT overall_frame FROM core.player_trace") == []


def test_metres_with_open_wings_and_with_overtake(sink: Sink, own: SupersetSettings) -> None:
    frames = []
    for frame, aero, overtake in ((700, 1, 0), (701, 1, 1), (702, 0, 0)):
        car = {3: {"lap_distance_m": 10.0 * (frame - 700) + 5}}
        frames += [lap_data(frame, car, year=2026), telemetry_2(frame, values=(aero, 1, 0, 1, overtake, 0, 1, 0))]
        frames += [make(frame, year=2026) for make in (telemetry, status, motion)]
    write_all(sink, [timed(*frames)])
    assert select(own, "SELECT active_aero_m, overtake_m FROM core.lap") == [(20, 10)]


def test_laps_of_an_older_database_stay(postgres_server: PostgresServer, database: SupersetSettings) -> None:
    with fresh_database(postgres_server, database) as old:
        conninfo = old.conninfo("owner")
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=sqlalchemy.NullPool
        )
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP SCHEMA mart CASCADE"))
            connection.execute(sqlalchemy.text("CREATE SCHEMA mart"))
            config = Config(migrate.FOLDER / "alembic.ini")
            config.attributes["connection"] = connection
            command.downgrade(config, "0001")
            columns = "session_uid, rig, car_index, lap_number, position, overall_frame"
            connection.execute(
                sqlalchemy.text(f"INSERT INTO core.lap ({columns}) VALUES ({SIGNED_UID}, 'r', 3, 2, 5, 9)")
            )
        migrate.upgrade(old, postgres_server.conninfo())
        query = "SELECT position, overall_frame, gap_to_leader_ms, penalties_s, overtake_m FROM core.lap"
        assert select(old, query) == [(5, 9, None, None, None)]
        assert select(old, "SELECT count(*) FROM core.lap_damage, mart.pit_stop") == [(0,)]
