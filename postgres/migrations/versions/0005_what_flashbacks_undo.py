"""What flashbacks undo: where a lap starts is told from all its tries, and later tries win in traces and pit samples.

Laps keep the start that they have. One whose first try was undone gets the right one when it is read again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

REWOUND = "frames that flashbacks had taken back until that sample: later ones win; NULL = from before this was kept"
TRACE = "One row for each car, lap and 10 m of track, while the car is on track and racing. LapData joined with CarTelemetry, CarStatus and Motion of the same frame, and with CarTelemetry2 where it has one; of a bin's samples{} the newest that has the first four wins."
COMMENTS = {
    "COLUMN core.lap_trace.top_speed_kmh": (
        "highest of all samples in the bin since the last flashback",
        "highest of all samples in the bin",
    ),
    "TABLE core.lap_trace": (TRACE.format(" since the last flashback"), TRACE.format("")),
    "COLUMN core.pit_sample.stop_time_ms": (
        "longest stationary time shown in this second since the last flashback; 0 = not stopped yet",
        "longest stationary time that was shown in this second; 0 = not stopped yet",
    ),
}
"""Of → (new, old)"""


def upgrade() -> None:
    op.create_table(
        "lap_start",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column("lap_number", sa.SmallInteger(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column(
            "rewound",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="frames that flashbacks had taken back until the sample",
        ),
        sa.Column("fuel_start_kg", sa.REAL(), nullable=True, comment="in the tank; NULL = restricted"),
        sa.Column(
            "start_frame",
            sa.BigInteger(),
            nullable=False,
            comment="order of the first sample of the lap that is behind so many",
        ),
        sa.PrimaryKeyConstraint(
            "session_uid", "rig", "car_index", "lap_number", "rewound", name=op.f("lap_start_pkey")
        ),
        schema="core",
        comment="Where each lap may start: its first sample, and the first one behind each flashback within it. core.lap has the first that no later flashback undid: one that went back to before it.",
        info={"packets": ("lap_data", "car_status")},
    )
    op.execute(
        "INSERT INTO core.lap_start (session_uid, rig, car_index, lap_number, rewound, fuel_start_kg, start_frame)"
        " SELECT session_uid, rig, car_index, lap_number, 0, fuel_start_kg, start_frame FROM core.lap"
        " WHERE start_frame IS NOT NULL"
    )
    for table in ("lap_trace", "pit_sample"):
        op.add_column(table, sa.Column("rewound", sa.Integer(), nullable=True, comment=REWOUND), schema="core")
    for target, (new, _) in COMMENTS.items():
        op.execute(f"COMMENT ON {target} IS $comment${new}$comment$")


def downgrade() -> None:
    for target, (_, old) in COMMENTS.items():
        op.execute(f"COMMENT ON {target} IS $comment${old}$comment$")
    for table in ("lap_trace", "pit_sample"):
        op.drop_column(table, "rewound", schema="core")
    op.drop_table("lap_start", schema="core")
