import os
import subprocess

import psutil
import psycopg
import pytest

from pitlane.settings import HOME
from pitlane.stack.ports import Ports
from pitlane.stack.postgres import PostgresServer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run it as another user")


def test_the_password_is_asked_for(postgres_server):
    wrong = psycopg.conninfo.make_conninfo(postgres_server.conninfo(), password="guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    with psycopg.connect(postgres_server.conninfo()) as connection:
        rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
        kept = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'").fetchone()[0]
    assert rules == [("scram-sha-256",)]
    assert kept.startswith("SCRAM-SHA-256$")


def test_it_listens_on_this_machine_only_and_not_as_root(postgres_server):
    process = postgres_server.process()
    listening = [c.laddr for c in process.net_connections("all") if c.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", postgres_server.port)]
    assert process.uids().effective != 0


def test_no_password_lies_on_disk(postgres_server):
    password = psycopg.conninfo.conninfo_to_dict(postgres_server.conninfo())["password"]
    found = subprocess.run(
        ["grep", "-rlaF", password, postgres_server.place], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


@pytest.fixture
def own(tmp_path):
    """A server of the test's own below a folder that only its user may enter."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "stack", HOME / "tools" / "postgres", Ports.free().postgres, "it's a password")
    yield server
    server.stop()
    server.remove()


def test_data_outlives_a_restart(own):
    own.start()
    with psycopg.connect(own.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    own.stop()
    own.start()
    with psycopg.connect(own.conninfo()) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


@needs_root
def test_below_a_folder_that_only_root_may_enter_it_runs_from_a_place_of_its_own(own):
    assert str(own.place).startswith("/var/tmp/pitlane-postgres-")
    own.start()
    assert own.process().username() == "nobody"
    own.stop()
    own.remove()
    assert not own.place.exists()


@needs_root
def test_a_place_that_somebody_else_prepared_is_refused(own):
    own.place.mkdir()
    os.chown(own.place, 65534, -1)
    with pytest.raises(Exception, match="not root's own"):
        own.start()
