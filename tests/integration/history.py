"""A database of its own for tests of the history, and its tables as something to compare."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from pitlane.settings import PostgresSettings, SupersetSettings
from pitlane.stack.postgres import PostgresServer
from postgres import migrate

COMPARED = (
    "participant", "lap", "lap_start", "lap_trace", "lap_damage", "player_trace", "pit_sample", "stint", "event", "result", "history",
    "setup", "tyre_set", "time_trial", "lobby_player",
)  # fmt: skip
"""Every table of facts; the ledger and what waits are about batches."""

Content = dict[str, list[tuple[Any, ...]]]
S = TypeVar("S", bound=PostgresSettings)


@contextmanager
def fresh_database(server: PostgresServer, settings: SupersetSettings) -> Iterator[SupersetSettings]:
    """A migrated database beside the others, dropped at the end; roles and passwords are those of `settings`."""
    own = settings.model_copy(update={"postgres_database": f"history_{uuid.uuid4().hex[:12]}"})
    migrate.upgrade(own, server.conninfo())
    try:
        yield own
    finally:
        with psycopg.connect(server.conninfo(), autocommit=True) as superuser:
            name = sql.Identifier(own.postgres_database)
            superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def content(settings: PostgresSettings) -> Content:
    """All facts, sorted by key."""
    with psycopg.connect(settings.conninfo("reader")) as reader:
        return {name: sorted(reader.execute(f"SELECT * FROM core.{name}").fetchall(), key=repr) for name in COMPARED}  # type: ignore[call-overload]


def empty(settings: PostgresSettings) -> None:
    tables = ", ".join(f"core.{name}" for name in (*COMPARED, "session", "ledger", "pending_datagram"))
    with psycopg.connect(settings.conninfo("owner"), autocommit=True) as owner:
        owner.execute(f"TRUNCATE {tables}".encode())
