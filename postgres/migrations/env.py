"""Alembic's entry: on the connection that postgres.migrate hands over, or on the owner's own for the alembic command."""

from typing import Any

import psycopg
import sqlalchemy
from alembic import context

from pitlane.settings import PostgresSettings
from postgres import tables


def ours(_name: str | None, kind: str, parents: Any) -> bool:
    """Compare only what lies in our schemas, without alembic's own table."""
    return kind != "schema" or _name in {"core", "ref"}


def run(connection: sqlalchemy.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        include_schemas=True,
        include_name=ours,
        version_table="migration",
        version_table_schema="core",
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    conninfo = PostgresSettings().conninfo("owner")
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
    with engine.connect() as connection:
        run(connection)
        connection.commit()
