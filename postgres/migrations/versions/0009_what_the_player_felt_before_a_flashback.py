"""What the player's car felt is undone by itself; laps without their session are found by every batch.

Rows of core.player_trace that are there do not know how many frames had been taken back: what a flashback takes back after
this migration is gone from a race that ran during it with the lap, or with a rebuild.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

REWOUND = "frames that flashbacks had taken back until that sample: later ones win; NULL = from before this was kept"


def upgrade() -> None:
    column = sa.Column("rewound", sa.Integer(), nullable=True, comment=REWOUND)
    op.add_column(
        "player_trace", column, schema="core", if_not_exists=True
    )  # see tests/integration/test_migration_flow.py
    op.create_index(
        "lap_without_coverage",
        "lap",
        ["session_uid", "rig"],
        schema="core",
        postgresql_where=sa.text("coverage IS NULL AND is_pit_lap IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("lap_without_coverage", "lap", schema="core")
    op.drop_column("player_trace", "rewound", schema="core")
