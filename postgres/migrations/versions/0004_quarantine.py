"""What breaks a rule of quality has a table, and datagrams that wait remember where in Kafka they lie.

Nothing that is there is lost; what waits while this runs has no such memory and needs none.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quarantine",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "rule",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="that was broken; docs/quality.md lists them",
        ),
        sa.Column(
            "subject",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="what broke it: car and frame, car and lap, or a whole packet by its frame",
        ),
        sa.Column("effect", sa.Text(), nullable=False, comment="out: kept out of the facts; flag: only noted here"),
        sa.Column("reason", sa.Text(), nullable=False, comment="what is wrong, in words"),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the members that the rule asks, as they were sent; NaN and infinity as text",
        ),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            nullable=True,
            comment="place of the car in the packets' arrays, 0-based; NULL = about no single car",
        ),
        sa.Column(
            "packet_format",
            sa.SmallInteger(),
            nullable=False,
            comment="2023 … 2026: with packet_id it says how to read the bytes",
        ),
        sa.Column(
            "packet_id", sa.SmallInteger(), nullable=False, comment="which packet said it, as the game numbers them"
        ),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.Column("arrived_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="arrival of the packet"),
        sa.Column("shard", sa.SmallInteger(), nullable=False, comment="Kafka partition of the rig"),
        sa.Column(
            "topic",
            sa.Text(),
            nullable=True,
            comment="of Kafka, in which the datagram came; NULL = not from Kafka, as the two below",
        ),
        sa.Column(
            "record_offset",
            sa.BigInteger(),
            nullable=True,
            comment="of the block in the topic's partition `shard`; NULL as topic",
        ),
        sa.Column(
            "datagram_index",
            sa.Integer(),
            nullable=True,
            comment="place of the datagram in the block, from 0; NULL as topic",
        ),
        sa.CheckConstraint("effect IN ('out', 'flag')", name=op.f("quarantine_effect")),
        sa.PrimaryKeyConstraint("session_uid", "rig", "rule", "subject", name=op.f("quarantine_pkey")),
        schema="core",
        comment="One row for each row of a packet that broke a rule of quality; of what broke it again with the same subject the earliest stands. At most 100 of a rule in each task of a micro-batch: the metrics count them all.",
    )
    op.add_column(
        "pending_datagram",
        sa.Column(
            "topic",
            sa.Text(),
            nullable=True,
            comment="of Kafka, in which the datagram came; NULL = not from Kafka, as the two below",
        ),
        schema="core",
    )
    op.add_column(
        "pending_datagram",
        sa.Column(
            "record_offset",
            sa.BigInteger(),
            nullable=True,
            comment="of the block in the topic's partition `shard`; NULL as topic",
        ),
        schema="core",
    )
    op.add_column(
        "pending_datagram",
        sa.Column(
            "datagram_index",
            sa.Integer(),
            nullable=True,
            comment="place of the datagram in the block, from 0; NULL as topic",
        ),
        schema="core",
    )


def downgrade() -> None:
    for column in ("datagram_index", "record_offset", "topic"):
        op.drop_column("pending_datagram", column, schema="core")
    op.drop_table("quarantine", schema="core")
