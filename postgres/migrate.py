"""Brings a Postgres server to what this version of Pitlane needs, from an empty server or from any version before.

    python -m postgres.migrate            the superuser's connection string in PITLANE_POSTGRES_SUPERUSER

Databases, roles and passwords as the superuser; then, as the owner and in one transaction: migrations, reference
data, views and grants. So readers see the old views or the new ones, and a failure changes nothing.

It may run while data flows. It waits for the micro-batch in hand, and the next one waits for it. A table that somebody
reads for long it does not wait for: behind a lock that waits, everybody waits. It gives up after LOCK_WAIT, lets the
others pass and tries again.
"""

import time
from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from psycopg import sql

from pitlane.settings import MigrationSettings, SupersetSettings
from postgres import locks, roles, seeding, tables
from postgres.errors import DatabaseError

FOLDER = Path(__file__).parent
VIEWS = FOLDER / "views"
LOCK_WAIT = "2s"
BATCH_WAIT = "60s"
"""For a micro-batch; nobody else waits meanwhile."""
TRY_FOR_S = 180
TRY_EVERY_S = 1.0
IN_THE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


def upgrade(settings: SupersetSettings, superuser_conninfo: str) -> None:
    """Sets up or upgrades everything; a second run changes nothing but the passwords, which are set again.

    `superuser_conninfo` is libpq's, with the server's maintenance database. Raises DatabaseError with a hint when the
    server cannot be reached, a password is missing, or a migration fails.
    """
    try:
        with psycopg.connect(superuser_conninfo, autocommit=True) as superuser:
            superuser.execute("SELECT pg_advisory_lock(%s)", [locks.MIGRATION])
            roles.create(settings, superuser)
            _in_a_gap(settings)
    except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError) as error:
        raise DatabaseError(f"the database could not be set up: {_first_line(error)}") from error


def _in_a_gap(settings: SupersetSettings) -> None:
    """`_as_owner` as often as others are in its way, for TRY_FOR_S."""
    deadline = time.monotonic() + TRY_FOR_S
    while True:
        try:
            return _as_owner(settings)
        except (psycopg.OperationalError, sqlalchemy.exc.OperationalError) as error:
            cause = error.orig if isinstance(error, sqlalchemy.exc.OperationalError) else error
            if not isinstance(cause, IN_THE_WAY):
                raise
            if time.monotonic() > deadline:
                raise DatabaseError(
                    f"somebody has been reading or writing for {TRY_FOR_S} s: {_first_line(error)}",
                    "SELECT pid, usename, query FROM pg_stat_activity ORDER BY xact_start says who",
                ) from error
            time.sleep(TRY_EVERY_S)


def _as_owner(settings: SupersetSettings) -> None:
    conninfo = settings.conninfo("owner")
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
    try:
        with engine.begin() as connection:
            owner = connection.connection.driver_connection
            assert isinstance(owner, psycopg.Connection)
            owner.execute("SELECT set_config('lock_timeout', %s, true)", [BATCH_WAIT])
            owner.execute("SELECT pg_advisory_xact_lock(%s)", [locks.WRITER])
            owner.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_WAIT])
            for schema in tables.SCHEMAS:
                owner.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
            drop_views(owner)  # a migration may change a column that a view reads
            config = Config(FOLDER / "alembic.ini")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            seeding.seed(owner)
            create_views(owner)
            roles.grant(owner)
    finally:
        engine.dispose()


def drop_views(owner: psycopg.Connection) -> None:
    """Drops everything in mart; `create_views` makes it again, and readers see nothing of it in one transaction."""
    owner.execute("DROP SCHEMA mart CASCADE")
    owner.execute("CREATE SCHEMA mart")


def create_views(owner: psycopg.Connection) -> None:
    """Runs views/*.sql in the order of their names; each file creates views of schema mart."""
    for path in sorted(VIEWS.glob("*.sql")):
        try:
            owner.execute(path.read_text(encoding="utf-8").encode())
        except psycopg.Error as error:
            raise DatabaseError(f"{path.name}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def main() -> None:
    settings = MigrationSettings()
    started = time.monotonic()
    upgrade(settings, settings.postgres_superuser.get_secret_value())
    print(f"database {settings.postgres_database} is up to date ({time.monotonic() - started:.1f} s)")


if __name__ == "__main__":
    main()
