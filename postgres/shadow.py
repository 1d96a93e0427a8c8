"""A second set of the tables that Spark writes, filled by a rebuild and then put in the place of the first.

    create(owner)           empty tables in schema `rebuild`, as those of core are
    … filled by a Sink of that schema …
    swap(owner, …)          one transaction: readers see the old history or the new one, the stream's next batch the new one

Sessions belong to the rebuild as a whole or not at all. One that the raw data has lost, or has less of than the history,
is carried over as it is (docs/decisions/a-rebuild-swaps-tables.md).
"""

import time
from collections.abc import Callable, Collection
from typing import NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import Table

from postgres import locks, migrate, roles, tables

SCHEMA = "rebuild"
OF_BATCHES = (tables.ledger, tables.pending_datagram)
"""They stay core's: the stream goes on by them."""
FACTS = tuple(table for table in roles.BY_SPARK if table not in OF_BATCHES)
LESS_COVERAGE = 0.01
"""A lap's coverage that is lower by this much lacks raw data."""
OF_EACH_PACKET = ("lap_time_ms", "overall_frame", "status_frame", "top_speed_kmh")
"""What only SessionHistory, LapData, CarStatus and CarTelemetry tell of a lap: Kafka forgets each topic for itself."""
LOCK_WAIT = "2s"
TRY_FOR_S = 300
TRY_EVERY_S = 1.0


class Kept(NamedTuple):
    """A session that is carried over."""

    session: str
    """16 hex digits"""
    rig: str
    is_gone: bool
    """Nothing of it is in the raw data; else less than the history has."""


_DEFINITIONS = """
    WITH of_facts AS (
        SELECT c.*, ' WITH (' || array_to_string(c.reloptions, ', ') || ')' AS storage
        FROM pg_class AS c WHERE c.relnamespace = 'core'::regnamespace AND c.relname = ANY(%(names)s)
    )
    SELECT 1, format('CREATE TABLE %%I.%%I (LIKE core.%%I INCLUDING ALL EXCLUDING INDEXES)%%s%%s',
                     %(schema)s::text, relname, relname, ' PARTITION BY ' || pg_get_partkeydef(oid), storage)
    FROM of_facts
    UNION ALL
    SELECT 2, format('COMMENT ON TABLE %%I.%%I IS %%L', %(schema)s::text, relname, obj_description(oid, 'pg_class'))
    FROM of_facts
    UNION ALL
    SELECT 3, format('CREATE TABLE %%I.%%I PARTITION OF %%I.%%I %%s%%s', %(schema)s::text, part.relname, %(schema)s::text,
                     of_facts.relname, pg_get_expr(part.relpartbound, part.oid),
                     ' WITH (' || array_to_string(part.reloptions, ', ') || ')')
    FROM of_facts JOIN pg_inherits ON inhparent = of_facts.oid JOIN pg_class AS part ON part.oid = inhrelid
    UNION ALL
    SELECT 4, format('ALTER TABLE %%I.%%I ADD CONSTRAINT %%I %%s', %(schema)s::text, relname, conname,
                     pg_get_constraintdef(k.oid))
    FROM of_facts JOIN pg_constraint AS k ON conrelid = of_facts.oid AND contype IN ('p', 'u')
    UNION ALL
    SELECT 5, regexp_replace(pg_get_indexdef(indexrelid), ' ON (ONLY )?core[.]', format(' ON %%I.', %(schema)s::text))
    FROM of_facts JOIN pg_index ON indrelid = of_facts.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY 1
"""


def create(owner: psycopg.Connection) -> None:
    """Empty tables, to the last column, part and index as those of core are; those of a rebuild that was cut off go."""
    names = [table.name for table in roles.BY_SPARK]
    with owner.transaction():
        drop(owner)
        _run(owner, "CREATE SCHEMA {}", sql.Identifier(SCHEMA))
        for _, statement in owner.execute(_DEFINITIONS, {"schema": SCHEMA, "names": names}).fetchall():
            owner.execute(statement.encode())


def drop(owner: psycopg.Connection) -> None:
    owner.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())


def version(owner: psycopg.Connection) -> str:
    """The migration that the database is at."""
    row = owner.execute("SELECT version_num FROM core.migration").fetchone()
    assert row is not None
    return str(row[0])


def swap(owner: psycopg.Connection, catch_up: Callable[[], None], forced: Collection[str]) -> list[Kept]:
    """Puts the tables in place, after `catch_up` has written what came to the last moment: no batch is written meanwhile.

    Sessions in `forced` (16 hex digits) are not carried over. Returns those that are. Behind a lock that waits for a long
    query everybody waits, so it gives up after LOCK_WAIT, lets the others pass and tries again, for TRY_FOR_S at most.
    """
    deadline = time.monotonic() + TRY_FOR_S
    while True:
        try:
            return _swap(owner, catch_up, forced)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if time.monotonic() > deadline:
                raise
            time.sleep(TRY_EVERY_S)


def _swap(owner: psycopg.Connection, catch_up: Callable[[], None], forced: Collection[str]) -> list[Kept]:
    with owner.transaction():
        owner.execute("SELECT pg_advisory_xact_lock(%s)", [locks.WRITER])
        catch_up()
        owner.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'".encode())
        kept = _carry_over(owner, forced)
        migrate.drop_views(owner)
        _run(owner, "INSERT INTO core.ledger SELECT * FROM {}", sql.Identifier(SCHEMA, "ledger"))
        for table in OF_BATCHES:
            _run(owner, "DROP TABLE {}", sql.Identifier(SCHEMA, table.name))
        for table in FACTS:
            _run(owner, "DROP TABLE {}", sql.Identifier("core", table.name))
        parts_and_all = "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')"
        for (name,) in owner.execute(parts_and_all, [SCHEMA]).fetchall():
            _run(owner, "ALTER TABLE {} SET SCHEMA core", sql.Identifier(SCHEMA, name))
        _run(owner, "DROP SCHEMA {}", sql.Identifier(SCHEMA))
        migrate.create_views(owner)
        roles.grant(owner)
    return kept


def analyze(owner: psycopg.Connection) -> None:
    """So that the first queries after the swap are planned as well as those before it."""
    for table in FACTS:
        _run(owner, "ANALYZE {}", sql.Identifier(SCHEMA, table.name))


def _carry_over(owner: psycopg.Connection, forced: Collection[str]) -> list[Kept]:
    of_sessions = [table for table in FACTS if _is_of_sessions(table)]
    _run(
        owner,
        """
        CREATE TEMPORARY TABLE kept ON COMMIT DROP AS
        WITH old AS ({old}), new AS ({new}), less AS (
            SELECT DISTINCT o.session_uid, o.rig
            FROM core.lap AS o LEFT JOIN {schema}.lap AS n USING (session_uid, rig, car_index, lap_number)
            WHERE
                n.session_uid IS NULL OR coalesce(n.coverage, 0) < coalesce(o.coverage, 0) - {less} OR {lost}
            UNION
            SELECT DISTINCT o.session_uid, o.rig
            FROM core.result AS o LEFT JOIN {schema}.result AS n USING (session_uid, rig, car_index)
            WHERE n.session_uid IS NULL
        )
        SELECT session_uid, rig, (session_uid, rig) NOT IN (SELECT session_uid, rig FROM new) AS is_gone
        FROM old
        WHERE ((session_uid, rig) NOT IN (SELECT session_uid, rig FROM new)
               OR (session_uid, rig) IN (SELECT session_uid, rig FROM less))
          AND core.session_hex(session_uid) <> ALL({forced})
        """,
        old=_sessions("core", of_sessions),
        new=_sessions(SCHEMA, of_sessions),
        schema=sql.Identifier(SCHEMA),
        less=sql.Literal(LESS_COVERAGE),
        lost=sql.SQL(" OR ").join(map(_lost, OF_EACH_PACKET)),
        forced=sql.Literal(list(forced)),
    )
    for table in FACTS:
        names = sql.SQL(", ").join([sql.Identifier(c.name) for c in table.columns if c.computed is None])
        parts = {"new": sql.Identifier(SCHEMA, table.name), "old": sql.Identifier("core", table.name), "names": names}
        if table in of_sessions:
            _run(
                owner,
                "DELETE FROM {new} AS n USING kept WHERE (n.session_uid, n.rig) = (kept.session_uid, kept.rig)",
                **parts,
            )
            _run(
                owner,
                "INSERT INTO {new} ({names}) SELECT {names} FROM {old} JOIN kept USING (session_uid, rig)",
                **parts,
            )
        else:  # nothing says whether the raw data still has it
            _run(owner, "INSERT INTO {new} ({names}) SELECT {names} FROM {old} ON CONFLICT DO NOTHING", **parts)
    found = owner.execute("SELECT core.session_hex(session_uid), rig, is_gone FROM kept ORDER BY 1, 2").fetchall()
    return [Kept(*row) for row in found]


def _lost(column: str) -> sql.Composed:
    return sql.SQL("(o.{0} IS NOT NULL AND n.{0} IS NULL)").format(sql.Identifier(column))


def _is_of_sessions(table: Table) -> bool:
    return [column.name for column in table.primary_key.columns][:2] == ["session_uid", "rig"]


def _sessions(schema: str, of_sessions: list[Table]) -> sql.Composed:
    """The (session_uid, rig) of all tables; from one to the next by the key's index, since a trace is long."""
    of_table = """(
        WITH RECURSIVE found AS (
            (SELECT session_uid, rig FROM {table} ORDER BY session_uid, rig LIMIT 1)
            UNION ALL
            SELECT next.* FROM found CROSS JOIN LATERAL (
                SELECT t.session_uid, t.rig FROM {table} AS t
                WHERE (t.session_uid, t.rig) > (found.session_uid, found.rig) ORDER BY t.session_uid, t.rig LIMIT 1
            ) AS next
        )
        SELECT session_uid, rig FROM found
    )"""
    parts = [sql.SQL(of_table).format(table=sql.Identifier(schema, table.name)) for table in of_sessions]
    return sql.SQL(" UNION ").join(parts)


def _run(owner: psycopg.Connection, statement: str, *parts: sql.Composable, **named: sql.Composable) -> None:
    owner.execute(sql.SQL(statement).format(*parts, **named))
