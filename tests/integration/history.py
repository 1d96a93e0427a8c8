"""A database of its own for tests of the history, and its tables as something to compare."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from pitlane.settings import PostgresSettings, SparkSettings, SupersetSettings
from pitlane.stack import spark
from pitlane.stack.broker import Broker
from pitlane.stack.postgres import PostgresServer
from pitlane.stack.stack import TOOLS
from postgres import migrate, tables

COMPARED = (
    "participant", "lap", "lap_start", "lap_trace", "lap_damage", "player_trace", "pit_sample", "stint", "event", "result",
    "history", "setup", "tyre_set", "time_trial", "lobby_player", "quarantine",
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


def spark_settings(database: SupersetSettings, broker: Broker, **more: object) -> SparkSettings:
    """For a stream or a batch from this broker into this database; `more` are settings by name, checkpoint and archive
    among them."""
    names = set(SparkSettings.model_fields) & set(SupersetSettings.model_fields)
    return SparkSettings(
        _env_file=None,  # type: ignore[call-arg]
        **database.model_dump(include=names),
        kafka_bootstrap=broker.address,
        spark_jars=spark.install(TOOLS),
        **more,  # type: ignore[arg-type]
    )


def content(settings: PostgresSettings) -> Content:
    """All facts, sorted by key."""
    with psycopg.connect(settings.conninfo("reader")) as reader:
        return {name: sorted(reader.execute(f"SELECT * FROM core.{name}").fetchall(), key=repr) for name in COMPARED}  # type: ignore[call-overload]


BOOKKEEPING = (tables.ledger, tables.pending_datagram)
"""What is about batches, or says when something was written."""


def dumped(settings: PostgresSettings) -> list[str]:
    """What `pg_dump --data-only` writes of core, byte by byte: the lines of COPY, sorted, the table before each."""
    lines = []
    with psycopg.connect(settings.conninfo("reader")) as reader:
        for table in tables.metadata.sorted_tables:
            if table.schema != "core" or table in BOOKKEEPING:
                continue
            columns = sql.SQL(", ").join(map(sql.Identifier, table.columns.keys()))
            query = sql.SQL("COPY (SELECT {} FROM core.{}) TO STDOUT").format(columns, sql.Identifier(table.name))
            with reader.cursor().copy(query) as rows:
                lines += [f"{table.name}\t{bytes(row).decode().removesuffix(chr(10))}" for row in rows]
    return sorted(lines)


def differences(found: list[str], expected: list[str]) -> str:
    """The lines that only one of two dumps has, with their columns named; empty if there are none."""
    told = []
    for sign, lines in (("-", set(expected) - set(found)), ("+", set(found) - set(expected))):
        for line in lines:
            name, *values = line.split("\t")
            columns = tables.metadata.tables[f"core.{name}"].columns.keys()
            told.append((name, values, sign, ", ".join(f"{c}={v}" for c, v in zip(columns, values, strict=True))))
    shown = [f"{sign} {name}: {text}" for name, _, sign, text in sorted(told)[:20]]
    return "\n".join([f"{len(told)} lines differ (- expected, + found)", *shown]) if told else ""


def empty(settings: PostgresSettings) -> None:
    """Every table of core, those of the gateway and of the batches too."""
    names = ", ".join(str(table) for table in tables.metadata.tables.values() if table.schema == "core")
    with psycopg.connect(settings.conninfo("owner"), autocommit=True) as owner:
        owner.execute(f"TRUNCATE {names}".encode())
