"""What `pitlane history prune` deletes, and what it leaves alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from pitlane.settings import SupersetSettings
from pitlane.stack.postgres import PostgresServer
from postgres import retention
from tests.integration.history import fresh_database
from tests.integration.rows import History

NOW = datetime.now(UTC)
OLD, YOUNG, REPLAYED = -7, 5, 9
LAST_SEEN = {(OLD, "a"): 40, (YOUNG, "a"): 3, (REPLAYED, "a"): 400, (REPLAYED, "b"): 0}
"""(session, rig) → days ago; the last was seen again today by a second rig."""
UNTOLD = 11
"""A session that the gateway never told: nobody knows how old it is, though an event of it came 40 days ago."""


@pytest.fixture
def own(postgres_server: PostgresServer, database: SupersetSettings) -> Iterator[SupersetSettings]:
    with fresh_database(postgres_server, database) as settings:
        with psycopg.connect(settings.conninfo("owner"), row_factory=dict_row) as owner:
            history = History(owner)
            for (uid, rig), days in LAST_SEEN.items():
                seen = NOW - timedelta(days=days)
                history.insert("session", session_uid=uid, rig=rig, packet_format=2025, started_at=seen,
                               last_seen_at=seen)  # fmt: skip
            for uid, rig in (*LAST_SEEN, (UNTOLD, "a")):
                at = {"session_uid": uid, "rig": rig, "car_index": 0, "lap_number": 1}
                history.insert("lap", **at, lap_time_ms=80_000)
                for distance_bin in range(3):
                    history.insert("lap_trace", **at, distance_bin=distance_bin)
                history.insert("player_trace", **at, distance_bin=0)
            history.insert("participant", session_uid=UNTOLD, rig="a", car_index=0, name="ALBON")
            history.insert("event", session_uid=UNTOLD, rig="a", code="SSTA", digest="s", details="{}",
                           arrived_at=NOW - timedelta(days=40))  # fmt: skip
        yield settings


def left(settings: SupersetSettings, table: str) -> set[int]:
    with psycopg.connect(settings.conninfo("reader")) as reader:
        return {uid for (uid,) in reader.execute(f"SELECT session_uid FROM core.{table}".encode())}


def test_traces_of_old_sessions_go_and_their_laps_stay(own: SupersetSettings) -> None:
    with psycopg.connect(own.conninfo("owner"), autocommit=True) as owner:
        announced = retention.due(owner, retention.TRACES, 30)
        assert left(own, "lap_trace") == {OLD, YOUNG, REPLAYED, UNTOLD}, "to look deletes nothing"
        gone = list(retention.prune(owner, retention.TRACES, 30))
        assert gone == announced
        assert [(each.session_uid, each.rows) for each in gone] == [(OLD, 4)]
        assert list(retention.prune(owner, retention.TRACES, 30)) == []
    assert left(own, "lap_trace") == left(own, "player_trace") == {YOUNG, REPLAYED, UNTOLD}
    assert left(own, "lap") == {OLD, YOUNG, REPLAYED, UNTOLD}


def test_old_sessions_go_with_everything(own: SupersetSettings) -> None:
    with psycopg.connect(own.conninfo("owner"), autocommit=True) as owner:
        assert [(each.session_uid, each.rows) for each in retention.prune(owner, retention.WHOLE, 30)] == [(OLD, 6)]
    for table in ("session", "lap", "lap_trace", "player_trace"):
        assert OLD not in left(own, table)
        assert YOUNG in left(own, table)
    assert UNTOLD in left(own, "event") & left(own, "participant") & left(own, "lap")


def test_a_session_that_runs_again_by_now_stays(own: SupersetSettings) -> None:
    """It was old when the list was made."""
    with psycopg.connect(own.conninfo("owner"), autocommit=True) as owner:
        pruned = retention.prune(owner, retention.WHOLE, 2)
        assert next(pruned).session_uid == OLD
        with psycopg.connect(own.conninfo("gateway")) as gateway:
            gateway.execute("UPDATE core.session SET last_seen_at = now() WHERE session_uid = %s", [YOUNG])
        assert list(pruned) == []
    assert YOUNG in left(own, "lap_trace")


def test_nothing_goes_unless_somebody_says_how_old(own: SupersetSettings) -> None:
    assert "everything is kept" in command(own)
    assert "would go" in command(own, "--trace-days", "30", "--dry-run")
    assert OLD in left(own, "lap_trace")
    assert "4 rows deleted" in command(own, "--trace-days", "30")
    assert OLD not in left(own, "lap_trace")
    assert OLD in left(own, "lap")
    assert "2 rows deleted" in command(own, PITLANE_HISTORY_DAYS="30")
    assert OLD not in left(own, "lap")


def command(settings: SupersetSettings, *arguments: str, **environment: str) -> str:
    """What `pitlane history prune` says."""
    given = {
        "PITLANE_POSTGRES_PORT": str(settings.postgres_port),
        "PITLANE_POSTGRES_DATABASE": settings.postgres_database,
        "PITLANE_POSTGRES_OWNER_PASSWORD": settings.postgres_owner_password.get_secret_value(),
    }
    run = [sys.executable, "-m", "pitlane.cli", "history", "prune", *arguments]
    return subprocess.run(run, env=os.environ | given | environment, check=True, capture_output=True, text=True).stdout
