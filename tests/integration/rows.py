"""Rows of core made by hand, to see what the views of mart make of them."""

from typing import Any

import psycopg
from psycopg import sql

from postgres import tables

UID = -5
Row = dict[str, Any]


class History:
    """The owner's connection inside one transaction."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def insert(self, table: str, **values: Any) -> None:
        """Columns that must not be NULL and are not given are zero, false or empty."""
        for column in tables.metadata.tables[f"core.{table}"].columns:
            if not column.nullable and column.name not in values:
                values[column.name] = column.type.python_type()
        self._connection.execute(
            sql.SQL("INSERT INTO core.{} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join([sql.Placeholder()] * len(values)),
            ),
            list(values.values()),
        )

    def view(self, name: str, order: str, session_uid: int = UID) -> list[Row]:
        query = sql.SQL("SELECT * FROM mart.{} WHERE session_uid = %s ORDER BY ").format(sql.Identifier(name))
        return self._connection.execute(query + sql.SQL(order), [session_uid]).fetchall()  # type: ignore[arg-type]
