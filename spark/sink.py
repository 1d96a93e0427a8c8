"""The one place that writes facts: everything of a micro-batch in one Postgres transaction, with its ledger row.

What it promises: after `write` returned, the batch is in the tables exactly once, whether it was written now or
before; if it raised or the process died, nothing of the batch is there.
"""

import contextlib
import io
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import orjson
import psycopg
import pyarrow as pa
import pyarrow.csv
import structlog
from psycopg.conninfo import make_conninfo

from postgres import locks
from spark import statements, upserts
from spark.errors import SinkUnavailable
from spark.facts import FACTS, PENDING
from spark.jobs.blocks import Block

log = structlog.get_logger()

RETRY_FOR_S = 120
RETRY_EVERY_S = 1
HINT = "look at the Postgres log, or run: pitlane doctor"


class Counts(NamedTuple):
    """What a micro-batch read, for the ledger and the metrics."""

    blocks: int
    datagrams: int
    rejected_blocks: int
    offsets: Mapping[str, Mapping[str, tuple[int, int]]]
    """topic → partition → first offset read, first offset of the next batch"""
    checked: Mapping[str, int] = MappingProxyType({})
    """rule of quality → rows that it was asked of; not for the ledger, as `broken`"""
    broken: Mapping[str, int] = MappingProxyType({})
    """rule → rows that broke it, also those beyond the cap of core.quarantine"""
    late: Mapping[str, int] = MappingProxyType({})
    """packet → datagrams given up without LapData of their frame"""


class Sink:
    """Writes to the database at `conninfo` as role pitlane_spark; keeps one connection and makes it anew when lost.

    A rebuild has tables of its own in another `schema`, where its writer has a `lock` of its own.
    """

    def __init__(self, conninfo: str, schema: str = "core", lock: int = locks.WRITER) -> None:
        path = ",".join(dict.fromkeys((schema, "core")))  # the session, which only the gateway writes, is in core
        self._conninfo = make_conninfo(conninfo, options=f"-c search_path={path}")
        self._lock = lock
        self._connection: psycopg.Connection | None = None

    def waiting(self, query_id: str) -> list[Block]:
        """The datagrams that wait for their partners since the batch before, as blocks."""
        with self._transaction() as connection:
            rows = connection.execute(statements.WAITING, [query_id]).fetchall()
        return [Block(*row) for row in rows]

    def has(self, query_id: str, batch_id: int) -> bool:
        """Whether this batch is in the tables already."""
        with self._transaction() as connection:
            found = "SELECT 1 FROM ledger WHERE query_id = %s AND batch_id = %s"
            return connection.execute(found, [query_id, batch_id]).fetchone() is not None

    def newest(self, query_id: str) -> int:
        """The number of the query's newest batch that is in the tables, or -1."""
        with self._transaction() as connection:
            row = connection.execute("SELECT max(batch_id) FROM ledger WHERE query_id = %s", [query_id]).fetchone()
        return -1 if row is None or row[0] is None else int(row[0])

    def write(self, query_id: str, batch_id: int, tables: Mapping[str, pa.Table], counts: Counts) -> bool:
        """Writes a micro-batch; False if it was there already. `tables` as `micro_batch.reduce` names them.

        Raises SinkUnavailable if Postgres stays away, or takes nothing (a full disk), for RETRY_FOR_S.
        """
        deadline = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                with self._transaction() as connection:
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", [self._lock])
                    return _write(connection, query_id, batch_id, tables, counts)
            except (psycopg.OperationalError, psycopg.errors.InternalError_) as error:
                # The connection is gone; whether the commit was heard is told by the ledger in the next round.
                if time.monotonic() > deadline:
                    raise SinkUnavailable(f"Postgres does not take the batch: {str(error).strip()}", HINT) from error
                log.warning("lost Postgres while writing", batch_id=batch_id, error=str(error).strip())
                time.sleep(RETRY_EVERY_S)

    def forget(self, query_id: str) -> None:
        """Drops what still waits for a query that has ended for good."""
        with self._transaction() as connection:
            connection.execute(statements.FORGET_WAITING, [query_id])

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection]:
        connection = self._connected()
        try:
            with connection.transaction():
                yield connection
        except psycopg.OperationalError:
            self.close()
            raise

    def _connected(self) -> psycopg.Connection:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        deadline = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                self._connection = psycopg.connect(self._conninfo, autocommit=True, connect_timeout=5)
                _prepare(self._connection)
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise SinkUnavailable(f"Postgres does not answer: {str(error).strip()}", HINT) from error
                log.warning("waiting for Postgres", error=str(error).strip())
                time.sleep(RETRY_EVERY_S)
            else:
                return self._connection


def _prepare(connection: psycopg.Connection) -> None:
    for fact in FACTS.values():
        connection.execute(upserts.create_incoming(fact))
    connection.execute(statements.CREATE_TOUCHED)


def _write(
    connection: psycopg.Connection, query_id: str, batch_id: int, tables: Mapping[str, pa.Table], counts: Counts
) -> bool:
    if connection.execute(statements.CLAIM, [query_id, batch_id]).rowcount == 0:
        return False
    facts = [fact for fact in FACTS.values() if len(tables.get(fact.name, ()))]
    for fact in facts:
        _copy(connection, upserts.copy(fact, upserts.incoming(fact)), tables[fact.name])
    for statement in (statements.TOUCH, statements.TOUCH_CARS, statements.COUNT_TOUCHED):
        connection.execute(statement)
    for fact in facts:
        connection.execute(upserts.upsert(fact))
    for statement in (
        *statements.UNDO,
        *statements.HIDE_RESTRICTED,
        statements.TOUCH_WITHOUT_COVERAGE,
        statements.SUM_UP_TRACE,
    ):
        connection.execute(statement.encode())
    connection.execute(statements.FORGET_WAITING, [query_id])
    if len(waiting := tables.get(PENDING.name, PENDING.schema.empty_table())):
        _copy(connection, upserts.copy(PENDING, upserts.table(PENDING)), waiting)
    rows = {fact.name: len(tables[fact.name]) for fact in facts}
    closing = [counts.blocks, counts.datagrams, counts.rejected_blocks, _json(counts.offsets), _json(rows)]
    connection.execute(statements.CLOSE, [*closing, query_id, batch_id])
    return True


def _copy(connection: psycopg.Connection, statement: psycopg.sql.Composed, rows: pa.Table) -> None:
    with connection.cursor().copy(statement) as stream:
        stream.write(as_csv(rows))


def as_csv(rows: pa.Table) -> memoryview:
    """For COPY, written by Arrow in C++: nulls are empty, texts are quoted, floats are exact."""
    rows = rows.combine_chunks()  # for a chunk without rows pyarrow 26 writes what its buffer held before
    for index, field in enumerate(rows.schema):
        if pa.types.is_binary(field.type):
            hexadecimal = pa.array(["\\x" + value.hex() for value in rows.column(index).to_pylist()], pa.string())
            rows = rows.set_column(index, field.name, hexadecimal)
    buffer = io.BytesIO()
    pa.csv.write_csv(rows, buffer, pa.csv.WriteOptions(include_header=False))
    return buffer.getbuffer()


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
