"""Tables in parts: those with a row for each 10 m of track are split by session into COUNT tables.

So what Postgres vacuums, indexes and freezes at once stays a small share of years of races. A session lies in one part;
nobody but Postgres need know (docs/decisions/traces-lie-in-parts.md). Parts are named `core.lap_trace_00` and so on, and
`Table.create` makes them with their table.
"""

from typing import Any

from sqlalchemy import Connection, Table, event, text

COUNT = 16
BY_SESSION = "HASH (session_uid)"


def in_parts(table: Table, fillfactor: int) -> None:
    """Whoever creates `table` (declared with `postgresql_partition_by=BY_SESSION`) creates its parts, with pages filled to
    `fillfactor` %."""

    @event.listens_for(table, "after_create", propagate=True)
    def create(made: Table, connection: Connection, **_: Any) -> None:
        schema = connection.schema_for_object(made)
        for remainder, name in enumerate(names(made)):
            connection.execute(
                text(
                    f"CREATE TABLE {schema}.{name} PARTITION OF {schema}.{made.name}"
                    f" FOR VALUES WITH (MODULUS {COUNT}, REMAINDER {remainder}) WITH (fillfactor = {fillfactor})"
                )
            )


def names(table: Table) -> list[str]:
    """The names of a table's parts, without schema; none of a table that is whole."""
    if not table.dialect_options["postgresql"]["partition_by"]:
        return []
    return [f"{table.name}_{remainder:02}" for remainder in range(COUNT)]
