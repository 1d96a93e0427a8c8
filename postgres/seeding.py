"""Reference data: `seeds/NAME.csv` holds the rows of `ref.NAME`, and the table is made equal to it.

The ids are facts of the games' published appendices (23, 24, 25 and the 2026 pack); where one id was renamed, the
newest name stands, except for teams, whose ids mean other teams in other years.
"""

import csv
from pathlib import Path

import psycopg
from psycopg import sql

from postgres import tables

SEEDS = Path(__file__).parent / "seeds"
REFERENCES = tuple(t for t in tables.metadata.sorted_tables if t.schema == "ref")


def seed(owner: psycopg.Connection) -> None:
    """Replaces the content of every ref table, within the caller's transaction."""
    for table in REFERENCES:
        name = sql.Identifier(table.schema or "", table.name)
        owner.execute(sql.SQL("DELETE FROM {}").format(name))
        with (SEEDS / f"{table.name}.csv").open(newline="", encoding="utf-8") as lines:
            rows = csv.reader(lines)
            columns = sql.SQL(", ").join(map(sql.Identifier, next(rows)))
            with owner.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)) as copy:
                for row in rows:
                    copy.write_row([value or None for value in row])
