"""Whether all that was sent has gone the whole way: sent = received = stored + forwarded + …, Kafka, Spark's ledger.

`Meter` remembers where every counter stood, so a stack that already holds data is measured from then on.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from kafka import KafkaConsumer, TopicPartition

from pitlane.settings import KafkaSettings, PostgresSettings
from pitlane.stack.stack import Stack
from pitlane.topics import fact_topics

POLL_MS = 50


@dataclass
class Arrived:
    """Datagrams at each place since the meter was made."""

    received: int = 0
    kernel_drops: int = 0
    stored: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    forwarded: int = 0
    waiting: int = 0
    """For NiFi or Postgres, at this moment; `dead_letters_waiting` beside it."""
    dead_letters_waiting: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    dead_letters: int = 0
    """Those of `rejected` that NiFi took."""
    in_kafka: Counter[str] = field(default_factory=Counter)
    """By topic."""
    unread_by_spark: Counter[str] = field(default_factory=Counter)
    """Kafka records behind the last micro-batch, by topic."""

    def missing(self, sent: int) -> list[str]:
        """What keeps the counts from closing, in words; empty when everything is where it belongs."""
        found = []
        if self.received < sent:
            lost = f", {self.kernel_drops:,} of them dropped by the kernel" if self.kernel_drops else ""
            found.append(f"{sent - self.received:,} of {sent:,} datagrams did not reach the gateway{lost}")
        if waiting := self.waiting + self.dead_letters_waiting:
            found.append(f"{waiting:,} datagrams wait in the gateway for NiFi or Postgres")
        taken = self.stored + self.skipped.total() + self.forwarded + self.rejected.total() + self.dropped.total()
        if taken + self.waiting != self.received:
            found.append(f"the gateway received {self.received:,} and accounts for {taken + self.waiting:,}")
        if self.dropped.total():
            found.append(f"{self.dropped.total():,} datagrams were given up: {dict(self.dropped)}")
        posted = self.forwarded + self.dead_letters
        if self.in_kafka.total() != posted:
            found.append(f"NiFi took {posted:,} datagrams and Kafka has {self.in_kafka.total():,}")
        if self.unread_by_spark.total():
            found.append(f"Spark has {self.unread_by_spark.total():,} Kafka records to go")
        return found


class Meter:
    """Reads the counters of a running stack, as differences from where they stood when it was made."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._before: dict[str, Any] = stack.gateway.status()
        self._consumer = KafkaConsumer(bootstrap_servers=stack.kafka.address, check_crcs=False)
        topics = sorted(name for name in self._consumer.topics() if not name.startswith("__"))
        self._partitions = [
            TopicPartition(name, number)
            for name in topics
            for number in sorted(self._consumer.partitions_for_topic(name) or ())
        ]
        self._consumer.assign(self._partitions)
        for partition, offset in self._consumer.end_offsets(self._partitions).items():
            self._consumer.seek(partition, offset)
        self._in_kafka: Counter[str] = Counter()

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self) -> Arrived:
        """Where things stand now."""
        before, now = self._before, self._stack.gateway.status()
        topics = fact_topics(self._stack.settings(KafkaSettings).topic_prefix)
        read_by_spark = {(p.topic, p.partition): end for p, end in self._read_kafka().items() if p.topic in topics}

        def since(*path: str) -> int:
            return _number(now, *path) - _number(before, *path)

        def by_reason(name: str) -> Counter[str]:
            return Counter(now[name]) - Counter(before[name])

        return Arrived(
            received=since("received"),
            kernel_drops=since("kernel", "drops"),
            stored=since("stored"),
            skipped=by_reason("skipped"),
            forwarded=since("forwarded"),
            waiting=now["waiting"],
            dead_letters_waiting=now["dead_letter"]["waiting"],
            rejected=by_reason("rejected"),
            dropped=by_reason("dropped"),
            dead_letters=since("dead_letter", "forwarded"),
            in_kafka=self._in_kafka.copy(),
            unread_by_spark=unread(read_by_spark, self._done()),
        )

    def _read_kafka(self) -> dict[TopicPartition, int]:
        """Counts the datagrams of the records that have come since; returns where each partition ends."""
        ends: dict[TopicPartition, int] = self._consumer.end_offsets(self._partitions)
        while any(self._consumer.position(partition) < end for partition, end in ends.items()):
            for records in self._consumer.poll(POLL_MS).values():
                for record in records:
                    said = dict(record.headers)
                    self._in_kafka[record.topic] += int(said.get("block.count", b"1"))
        return {partition: self._consumer.position(partition) for partition in self._partitions}

    def _done(self) -> dict[tuple[str, int], int]:
        """(topic, shard) → where Spark's next micro-batch begins."""
        with psycopg.connect(self._stack.settings(PostgresSettings).conninfo("reader")) as connection:
            rows = connection.execute(LAST_OFFSETS).fetchall()
        return {(topic, shard): last for topic, shard, last in rows}


def unread(ends: Mapping[tuple[str, int], int], done: Mapping[tuple[str, int], int]) -> Counter[str]:
    """Records by topic that are in no committed micro-batch; both map (topic, shard) to an offset."""
    counts: Counter[str] = Counter()
    for (topic, shard), end in ends.items():
        counts[topic] += max(0, end - done.get((topic, shard), 0))
    return +counts


# offsets: topic → partition → [first, last] of a micro-batch, `last` being where the next one begins.
LAST_OFFSETS = """
SELECT topic.key, shard.key::int, max((shard.value ->> 1)::bigint)
FROM core.ledger, jsonb_each(offsets) AS topic, jsonb_each(topic.value) AS shard
GROUP BY 1, 2
"""


def _number(status: dict[str, Any], *path: str) -> int:
    value: Any = status
    for name in path:
        value = value[name]
    return int(value or 0)
