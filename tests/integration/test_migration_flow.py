"""A migration while data flows: it comes between two micro-batches, and none is lost or written twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import psycopg
import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config

from pitlane.settings import SupersetSettings
from pitlane.simulator import Race, RaceConfig
from pitlane.stack.postgres import PostgresServer
from postgres import migrate
from postgres.errors import DatabaseError
from spark.jobs.blocks import Block
from spark.jobs.micro_batch import reduce
from spark.sink import Counts, Sink
from tests.blocks import blocks
from tests.integration.history import Content, content, empty, fresh_database

BEFORE = "0007"
"""The tables as they were when every trace was one table; with one column more today's sink can write them."""
QUERY = "query"
BATCHES = 12

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def own(postgres_server: PostgresServer, database: SupersetSettings) -> Iterator[SupersetSettings]:
    with fresh_database(postgres_server, database) as settings:
        yield settings


@pytest.fixture(scope="module")
def batches() -> list[list[Block]]:
    """A short race, cut so that frames and laps go on from one batch to the next."""
    race = Race(RaceConfig(laps=2, cars=6, rate_hz=10, seed=3))
    found = blocks([(1_750_000_000_000_000_000 + int(offset_s * 1e9), raw) for offset_s, raw in race.datagrams()])
    length = len(found) // BATCHES + 1
    return [found[start : start + length] for start in range(0, len(found), length)]


def write(sink: Sink, number: int, batch: list[Block]) -> None:
    reduced = reduce([*sink.waiting(QUERY), *batch], QUERY)
    counts = Counts(len(batch), reduced.datagrams, reduced.rejected_blocks, {})
    assert sink.write(QUERY, number, reduced.tables, counts)


@pytest.fixture(scope="module")
def undisturbed(own: SupersetSettings, batches: list[list[Block]]) -> Content:
    sink = Sink(own.conninfo("spark"))
    for number, batch in enumerate(batches):
        write(sink, number, batch)
    sink.close()
    found = content(own)
    assert len(found["lap_trace"]) > 4000
    return found


@pytest.fixture
def before(own: SupersetSettings, undisturbed: Content) -> SupersetSettings:
    """An empty history of the version before."""
    empty(own)
    with psycopg.connect(own.conninfo("owner"), autocommit=True) as owner:
        owner.execute("DROP SCHEMA mart CASCADE; CREATE SCHEMA mart")
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(own.conninfo("owner")), poolclass=sqlalchemy.NullPool
    )
    with engine.begin() as connection:
        config = Config(migrate.FOLDER / "alembic.ini")
        config.attributes["connection"] = connection
        command.downgrade(config, BEFORE)
        # The one thing that today's sink misses in them.
        connection.exec_driver_sql("ALTER TABLE core.player_trace ADD COLUMN rewound integer")
        # What a new table grants is lost with it, as it never is on the way up.
        granted = "SELECT, INSERT, UPDATE, DELETE ON core.lap_trace, core.player_trace TO pitlane_spark"
        connection.exec_driver_sql(f"GRANT {granted}; GRANT SELECT ON ALL TABLES IN SCHEMA core TO pitlane_reader")
    return own


def version(settings: SupersetSettings) -> str:
    with psycopg.connect(settings.conninfo("owner")) as owner:
        (found,) = owner.execute("SELECT version_num FROM core.migration").fetchone() or ("",)
        return str(found)


def test_a_stream_goes_on_over_a_migration(
    before: SupersetSettings, postgres_server: PostgresServer, batches: list[list[Block]], undisturbed: Content
) -> None:
    sink = Sink(before.conninfo("spark"))
    some, begun = iter(enumerate(batches)), Event()
    for number, batch in (next(some) for _ in range(BATCHES // 3)):
        write(sink, number, batch)
    with ThreadPoolExecutor(1) as thread, psycopg.connect(before.conninfo("reader")) as reader:
        # Somebody reads a table that is to be changed, and takes their time.
        reader.execute("SELECT count(*) FROM core.lap_trace")

        def upgrade() -> None:
            begun.set()
            migrate.upgrade(before, postgres_server.conninfo())

        upgrading = thread.submit(upgrade)
        begun.wait()
        for number, batch in (next(some) for _ in range(BATCHES // 3)):
            write(sink, number, batch)
        assert not upgrading.done(), "it waits for the reader"
        assert version(before) == BEFORE
        reader.rollback()
        for number, batch in some:
            write(sink, number, batch)
        upgrading.result()
    sink.close()

    assert version(before) != BEFORE
    assert content(before) == undisturbed
    with psycopg.connect(before.conninfo("reader")) as reader:
        written = reader.execute("SELECT batch_id FROM core.ledger ORDER BY 1").fetchall()
    assert written == [(number,) for number in range(len(batches))]


def test_a_migration_that_finds_no_gap_says_who_is_in_its_way(
    before: SupersetSettings, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "TRY_FOR_S", 0)
    with psycopg.connect(before.conninfo("reader")) as reader:
        reader.execute("SELECT count(*) FROM core.lap_trace")
        with pytest.raises(DatabaseError, match="reading or writing") as refused:
            migrate.upgrade(before, postgres_server.conninfo())
    assert "pg_stat_activity" in refused.value.hint
    assert version(before) == BEFORE
    migrate.upgrade(before, postgres_server.conninfo())
    assert version(before) != BEFORE
