"""The traces lie in sixteen parts, by session.

Every row is moved, which holds up the writers for about five seconds for each race of 22 cars and 50 laps.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = "session_uid, rig, car_index, lap_number, distance_bin"
PARTS = 16


def upgrade() -> None:
    for table in ("lap_trace", "player_trace"):
        parts = [
            f"CREATE TABLE core.{table}_{part:02} PARTITION OF core.{table}"
            f" FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part}) WITH (fillfactor = 95)"
            for part in range(PARTS)
        ]
        _move(table, "PARTITION BY HASH (session_uid)", parts)


def downgrade() -> None:
    for table in ("lap_trace", "player_trace"):
        _move(table, "WITH (fillfactor = 95)", [])


def _move(table: str, layout: str, parts: list[str]) -> None:
    """All rows into a new table of the same columns; the key comes last, since an index is made faster at once."""
    op.execute(f"ALTER TABLE core.{table} RENAME TO {table}_before")
    op.execute(f"ALTER TABLE core.{table}_before RENAME CONSTRAINT {table}_pkey TO {table}_before_pkey")
    op.execute(
        f"CREATE TABLE core.{table} (LIKE core.{table}_before INCLUDING CONSTRAINTS INCLUDING COMMENTS) {layout}"
    )
    op.execute(
        f"DO $$ BEGIN EXECUTE format('COMMENT ON TABLE core.{table} IS %L',"  # LIKE does not bring it
        f" obj_description('core.{table}_before'::regclass)); END $$"
    )
    for part in parts:
        op.execute(part)
    op.execute(f"INSERT INTO core.{table} TABLE core.{table}_before")
    op.execute(f"ALTER TABLE core.{table} ADD CONSTRAINT {table}_pkey PRIMARY KEY ({KEY})")
    op.execute(f"DROP TABLE core.{table}_before")
