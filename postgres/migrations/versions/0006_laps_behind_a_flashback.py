"""Laps behind a flashback are found without reading all others: every batch asks for them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "lap_start_rewound",
        "lap_start",
        ["session_uid", "rig", "car_index"],
        schema="core",
        postgresql_where=sa.text("rewound > 0"),
    )


def downgrade() -> None:
    op.drop_index("lap_start_rewound", "lap_start", schema="core")
