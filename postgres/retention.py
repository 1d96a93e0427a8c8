"""What of the history has had its day: the traces of sessions, or whole sessions, that ended so many days ago.

A session is as old as its last packet at whichever rig saw it last. Each goes in a transaction of its own, between two
micro-batches, after a second look at its age: one that runs, or runs again since it is replayed, stays. Facts of which
the gateway never told the session stay too, since nobody knows how old they are.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import Table

from postgres import locks, tables

TRACES = (tables.lap_trace, tables.player_trace)
"""A row for each 10 m: nearly all of the history's bytes, and none of its results."""
WHOLE = tuple(t for t in tables.metadata.sorted_tables if t.schema == "core" and "session_uid" in t.columns)


class Due(NamedTuple):
    """A session of which something goes."""

    session_uid: int
    label: str
    last_seen_at: datetime
    rows: int


def due(owner: psycopg.Connection, parts: Sequence[Table], days: int) -> list[Due]:
    """The sessions that ended `days` ago or earlier and have rows in `parts`, oldest first."""
    query = sql.SQL("""
        SELECT s.session_uid, s.session_label, s.last_seen_at, {rows} AS rows
        FROM mart.session AS s
        WHERE
            s.last_seen_at < now() - %s AND ({any})
            AND EXISTS (SELECT FROM core.session AS told WHERE told.session_uid = s.session_uid)
        ORDER BY s.last_seen_at
    """)
    of_session = sql.SQL("FROM {} AS t WHERE t.session_uid = s.session_uid")
    froms = [of_session.format(_name(table)) for table in parts]
    counts = [sql.SQL("(SELECT count(*) {})").format(each) for each in froms]
    exist = [sql.SQL("EXISTS (SELECT {})").format(each) for each in froms]
    found = owner.execute(query.format(rows=sql.SQL(" + ").join(counts), any=sql.SQL(" OR ").join(exist)), [_age(days)])
    return [Due(*row) for row in found.fetchall()]


def prune(owner: psycopg.Connection, parts: Sequence[Table], days: int) -> Iterator[Due]:
    """Deletes what is `due` from `parts` and gives each session, with the rows that went, after its commit.

    `owner` must be in autocommit mode.
    """
    for session in due(owner, parts, days):
        with owner.transaction():
            owner.execute("SELECT pg_advisory_xact_lock(%s)", [locks.WRITER])
            query = "SELECT last_seen_at < now() - %s FROM core.session WHERE session_uid = %s FOR UPDATE"
            if not all(old for (old,) in owner.execute(query, [_age(days), session.session_uid]).fetchall()):
                continue
            rows = 0
            for table in parts:
                statement = sql.SQL("DELETE FROM {} WHERE session_uid = %s").format(_name(table))
                rows += owner.execute(statement, [session.session_uid]).rowcount
        yield session._replace(rows=rows)


def _age(days: int) -> timedelta:
    if days < 1:
        raise ValueError(f"{days} days: a session may run for hours")
    return timedelta(days=days)


def _name(table: Table) -> sql.Identifier:
    return sql.Identifier(str(table.schema), table.name)
