"""Alembic's entry: on the connection that postgres.migrate hands over, or on the owner's own for the alembic command."""

import psycopg
import sqlalchemy
from alembic import context

from pitlane.settings import PostgresSettings
from postgres import tables


def run(connection: sqlalchemy.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        include_schemas=True,
        include_name=tables.is_compared,
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
