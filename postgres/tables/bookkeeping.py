"""What the writers remember for themselves."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

from postgres.columns import INSTANT, always, key, metadata, pointer, session_key, value

ledger = Table(
    "ledger",
    metadata,
    key("query_id", Text, "the streaming query of a checkpoint, or one run of `pitlane spark batch`"),
    key("batch_id", BigInteger, "number of the micro-batch"),
    Column("written_at", INSTANT, nullable=False, server_default=func.now(), comment="when the transaction began"),
    value("blocks", Integer, "Kafka records read"),
    value("datagrams", Integer, "datagrams in them"),
    value("rejected_blocks", Integer, "records that no packet table could read"),
    value("offsets", JSONB, "topic → partition → [first offset read, first offset of the next batch]"),
    value("rows", JSONB, "fact → rows handed to the database; those that changed nothing included"),
    schema="core",
    comment="One row for each micro-batch, written in its transaction: a batch that comes again changes nothing.",
    info={"packets": ()},
)

pending_datagram = Table(
    "pending_datagram",
    metadata,
    key("query_id", Text, "who waits"),
    *session_key(),
    key("overall_frame", BigInteger, "the frame that still lacks a packet"),
    key("packet_id", SmallInteger, "which of the frame's packets this is, as the game numbers them"),
    always("packet_format", SmallInteger, "2023 … 2026: with packet_id it says how to read the entry"),
    always("shard", SmallInteger, "Kafka partition of the rig"),
    always("entry", LargeBinary, "arrival time, rig and datagram as in a block"),
    *pointer(),
    schema="core",
    comment="Datagrams of recent frames whose partners have not come yet; read again with the next batch.",
    info={
        "packets": (
            "motion",
            "lap_data",
            "car_telemetry",
            "car_status",
            "car_damage",
            "motion_ex",
            "car_telemetry_2",
        )
    },
    postgresql_with={"fillfactor": "50"},
)
