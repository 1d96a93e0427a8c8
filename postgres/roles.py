"""Databases and roles: who may log in and what each may do. Run as the superuser, as often as one likes.

| role             | may                                                                     |
|------------------|-------------------------------------------------------------------------|
| pitlane_owner    | owns database and schemas: migrations, views, seeds                     |
| pitlane_gateway  | write core.session, core.session_sample and core.weather_forecast       |
| pitlane_spark    | write the facts, read sessions                                          |
| pitlane_reader   | read core, ref and mart, in read-only transactions of a minute at most  |
| superset         | its own database, nothing of ours: dashboards read as pitlane_reader    |
"""

import psycopg
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import Table

from pitlane.settings import SupersetSettings
from postgres import tables
from postgres.errors import DatabaseError

SUPERSET = "superset"
READER_LIMITS = {"default_transaction_read_only": "on", "statement_timeout": "60s"}

BY_GATEWAY = (tables.session, tables.session_sample, tables.weather_forecast)
BY_SPARK = tuple(t for t in tables.metadata.sorted_tables if t.schema == "core" and t not in BY_GATEWAY)


def create(settings: SupersetSettings, superuser: psycopg.Connection) -> None:
    """Creates what is missing, and sets every password to the one in `settings` each time.

    `superuser` must be in autocommit mode, since databases are not created in transactions.
    Raises DatabaseError for a password that is not set.
    """
    for role in ("owner", "gateway", "spark", "reader"):
        _role(superuser, f"pitlane_{role}", getattr(settings, f"postgres_{role}_password"))
    _role(superuser, SUPERSET, settings.superset_database_password)
    for name, value in READER_LIMITS.items():
        _run(superuser, "ALTER ROLE pitlane_reader SET {} = {}", sql.Identifier(name), sql.Literal(value))
    _database(superuser, settings.postgres_database, "pitlane_owner")
    _database(superuser, SUPERSET, SUPERSET)
    database = sql.Identifier(settings.postgres_database)
    _run(superuser, "GRANT CONNECT ON DATABASE {} TO pitlane_gateway, pitlane_spark, pitlane_reader", database)
    _run(superuser, "GRANT TEMPORARY ON DATABASE {} TO pitlane_spark", database)


def grant(owner: psycopg.Connection) -> None:
    """What each role may do with the tables and views that are there now; run by the owner after migrations."""
    readable = sql.SQL(", ").join(map(sql.Identifier, tables.SCHEMAS))
    _run(owner, "GRANT USAGE ON SCHEMA core TO pitlane_gateway, pitlane_spark")
    _run(owner, "GRANT USAGE ON SCHEMA {} TO pitlane_reader", readable)
    _run(owner, "GRANT SELECT ON ALL TABLES IN SCHEMA {} TO pitlane_reader", readable)
    _run(owner, "GRANT SELECT, INSERT, UPDATE ON {} TO pitlane_gateway", _names(BY_GATEWAY))
    _run(owner, "GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO pitlane_spark", _names(BY_SPARK))
    _run(owner, "GRANT SELECT ON {} TO pitlane_spark", _names((tables.session,)))


def _names(wanted: tuple[Table, ...]) -> sql.Composed:
    return sql.SQL(", ").join([sql.Identifier(str(t.schema), t.name) for t in wanted])


def _role(superuser: psycopg.Connection, name: str, password: SecretStr) -> None:
    if not password.get_secret_value():
        raise DatabaseError(f"no password is set for role {name}", "`pitlane up` makes one for each role")
    exists = superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None
    verb = sql.SQL("ALTER" if exists else "CREATE")
    _run(
        superuser,
        "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}",
        verb,
        sql.Identifier(name),
        sql.Literal(password.get_secret_value()),
    )


def _database(superuser: psycopg.Connection, name: str, owner: str) -> None:
    if superuser.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        _run(superuser, "CREATE DATABASE {} OWNER {}", sql.Identifier(name), sql.Identifier(owner))
    _run(superuser, "REVOKE ALL ON DATABASE {} FROM PUBLIC", sql.Identifier(name))


def _run(connection: psycopg.Connection, statement: str, *parts: sql.Composable) -> None:
    connection.execute(sql.SQL(statement).format(*parts))
