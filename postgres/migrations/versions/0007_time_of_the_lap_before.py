"""The time of a lap is known when the next one begins: LapData shows it a second before SessionHistory does."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COMMENT = "of the lap before, as shown at that sample; NULL = none"


def upgrade() -> None:
    op.add_column("lap", sa.Column("previous_lap_time_ms", sa.Integer(), nullable=True, comment=COMMENT), schema="core")


def downgrade() -> None:
    op.drop_column("lap", "previous_lap_time_ms", schema="core")
