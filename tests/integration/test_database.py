"""Migrations, roles and reference data on a real server."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from pydantic import SecretStr

from pitlane.settings import SupersetSettings
from pitlane.stack.postgres import PostgresServer
from postgres import migrate, tables
from postgres.errors import DatabaseError
from tests.integration.history import fresh_database


@pytest.fixture
def own(postgres_server: PostgresServer, database: SupersetSettings) -> Iterator[SupersetSettings]:
    with fresh_database(postgres_server, database) as settings:
        yield settings


def test_migrations_end_in_the_defined_tables(own: SupersetSettings) -> None:
    with _as(own, "owner") as connection:
        options = {
            "include_schemas": True,
            "include_name": tables.is_compared,
            "version_table": "migration",
            "version_table_schema": "core",
        }
        context = MigrationContext.configure(connection, opts={**options, "target_metadata": tables.metadata})
        assert compare_metadata(context, tables.metadata) == []


def test_a_second_upgrade_changes_nothing_but_passwords(own: SupersetSettings, postgres_server: PostgresServer) -> None:
    with psycopg.connect(own.conninfo("spark")) as spark:
        spark.execute("INSERT INTO core.ledger (query_id, batch_id) VALUES ('q', 1)")
    rotated = own.model_copy(update={"postgres_reader_password": SecretStr("another one")})
    try:
        migrate.upgrade(rotated, postgres_server.conninfo())
        with psycopg.connect(rotated.conninfo("reader")) as reader:
            assert reader.execute("SELECT query_id FROM core.ledger").fetchall() == [("q",)]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(own.conninfo("reader"))
    finally:
        migrate.upgrade(own, postgres_server.conninfo())


def test_what_the_first_version_wrote_is_kept(own: SupersetSettings, postgres_server: PostgresServer) -> None:
    with _as(own, "owner") as connection:
        connection.exec_driver_sql("DROP SCHEMA mart CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA mart")
        config = Config(migrate.FOLDER / "alembic.ini")
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO core.lap (session_uid, rig, car_index, lap_number, lap_time_ms) VALUES (1, 'a', 0, 1, 80000)"
        )
    migrate.upgrade(own, postgres_server.conninfo())
    with psycopg.connect(own.conninfo("reader")) as reader:
        assert reader.execute("SELECT lap_time_ms, start_position FROM core.lap").fetchall() == [(80_000, None)]


@contextmanager
def _as(settings: SupersetSettings, role: str) -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(settings.conninfo(role)), poolclass=sqlalchemy.NullPool
    )
    with engine.begin() as connection:
        yield connection


def test_a_missing_password_is_refused(database: SupersetSettings, postgres_server: PostgresServer) -> None:
    without = database.model_copy(update={"postgres_spark_password": SecretStr("")})
    with pytest.raises(DatabaseError, match="pitlane_spark"):
        migrate.upgrade(without, postgres_server.conninfo())


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("reader", "DELETE FROM core.lap"),
        ("reader", "CREATE TEMPORARY TABLE t (i int)"),
        ("gateway", "DELETE FROM core.session"),
        ("gateway", "SELECT 1 FROM core.lap"),
        ("gateway", "SELECT 1 FROM core.lobby_player"),
        ("spark", "SELECT 1 FROM core.weather_forecast"),
        ("spark", "UPDATE ref.game_mode SET name = ''"),
        ("gateway", "CREATE TABLE core.t (i int)"),
        ("spark", "UPDATE core.session SET track_id = 1"),
        ("spark", "DROP TABLE core.lap"),
        ("spark", "INSERT INTO ref.track VALUES (99, 'x', 'y')"),
    ],
)
def test_what_a_role_may_not_do(own: SupersetSettings, role: str, statement: str) -> None:
    with psycopg.connect(own.conninfo(role)) as connection:
        connection.execute("SET TRANSACTION READ WRITE")  # a role's read-only default is a guard rail, not the wall
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_reference_data_and_functions(own: SupersetSettings) -> None:
    with psycopg.connect(own.conninfo("reader")) as reader:

        def one(query: str) -> object:
            row = reader.execute(query.encode()).fetchone()
            assert row is not None
            return row[0]

        assert one("SELECT core.session_hex(-8801429985212741334)") == "85db0a0f77ec492a"
        assert one("SELECT name FROM ref.session_type WHERE (packet_format, session_type_id) = (2023, 10)") == "Race"
        assert (
            one("SELECT name FROM ref.session_type WHERE (packet_format, session_type_id) = (2024, 10)")
            == "Sprint Shootout 1"
        )
        assert one("SELECT name FROM ref.team WHERE (game_year, team_id) = (23, 6)") == "Alpha Tauri"
        assert one("SELECT country FROM ref.track WHERE track_id = 4") == "Spain"


def test_broken_views_leave_the_old_ones(
    own: SupersetSettings,
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def views() -> list[tuple[str]]:
        with psycopg.connect(own.conninfo("reader")) as reader:
            query = "SELECT table_name FROM information_schema.views WHERE table_schema = 'mart' ORDER BY 1"
            return reader.execute(query).fetchall()

    before = views()
    assert before
    folder = tmp_path_factory.mktemp("views")
    (folder / "010_broken.sql").write_text("CREATE VIEW mart.broken AS SELECT nothing FROM nowhere")
    monkeypatch.setattr(migrate, "VIEWS", folder)
    with pytest.raises(DatabaseError, match=r"010_broken\.sql"):
        migrate.upgrade(own, postgres_server.conninfo())
    assert views() == before
