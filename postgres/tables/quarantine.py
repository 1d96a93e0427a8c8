"""What broke a rule of quality."""

from sqlalchemy import BigInteger, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from postgres.columns import FRAME, INSTANT, always, check, key, metadata, pointer, session_key, value

quarantine = Table(
    "quarantine",
    metadata,
    *session_key(),
    key("rule", Text, "that was broken; docs/quality.md lists them"),
    key("subject", Text, "what broke it: car and frame, car and lap, or a whole packet by its frame"),
    always("effect", Text, "out: kept out of the facts; flag: only noted here"),
    always("reason", Text, "what is wrong, in words"),
    always("details", JSONB, "the members that the rule asks, as they were sent; NaN and infinity as text"),
    value("car_index", SmallInteger, "place of the car in the packets' arrays, 0-based; NULL = about no single car"),
    always("packet_format", SmallInteger, "2023 … 2026: with packet_id it says how to read the bytes"),
    always("packet_id", SmallInteger, "which packet said it, as the game numbers them"),
    always("overall_frame", BigInteger, FRAME),
    always("arrived_at", INSTANT, "arrival of the packet"),
    always("shard", SmallInteger, "Kafka partition of the rig"),
    *pointer(),
    check("effect", "effect IN ('out', 'flag')"),
    schema="core",
    comment=(
        "One row for each row of a packet that broke a rule of quality; of what broke it again with the same subject "
        "the earliest stands. At most 100 of a rule in each task of a micro-batch: the metrics count them all."
    ),
    info={"packets": ()},
)
