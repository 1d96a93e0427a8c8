"""What stands in Kafka, counted record by record, and what of it Spark has read: the one reader of these counts.

`Meter` (pitlane.settlement) counts from now on, `pitlane reconcile` from the oldest record that Kafka has.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from typing import NamedTuple

import psycopg
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError

from f1_packets import PACKETS
from f1_packets.block import entry_bytes
from pitlane import headers
from pitlane.settings import KafkaSettings, PostgresSettings
from pitlane.topics import AGAIN, MARK, fact_topics, own_topics

POLL_MS = 50
AT_ONCE = 2000
"""Records taken in one poll."""
STALLED_S = 30

Place = tuple[str, int]
"""(topic, partition)"""


class SparkRead(NamedTuple):
    """What the rows of `core.ledger` say of the newest streaming query."""

    blocks: int
    datagrams: int
    """Those in blocks that a packet table could read."""
    rejected_blocks: int
    done: Mapping[Place, int]
    """Where its next micro-batch begins."""


# offsets: topic → partition → [first, last] of a micro-batch, `last` being where the next one begins. A batch run
# reads everything once more under an id of its own; one statement, so that sums and ends belong together.
SPARK_READ = """
WITH stream AS (
    SELECT * FROM core.ledger WHERE query_id = (
        SELECT query_id FROM core.ledger WHERE query_id NOT LIKE 'batch-%' ORDER BY written_at DESC LIMIT 1
    )
), done AS (
    SELECT topic.key AS topic, shard.key::int AS shard, max((shard.value ->> 1)::bigint) AS next
    FROM stream, jsonb_each(offsets) AS topic, jsonb_each(topic.value) AS shard
    GROUP BY 1, 2
)
SELECT coalesce(sum(blocks), 0)::bigint, coalesce(sum(datagrams), 0)::bigint,
       coalesce(sum(rejected_blocks), 0)::bigint,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(topic, shard, next)), '[]') FROM done)
FROM stream
"""


def spark_read(settings: PostgresSettings) -> SparkRead:
    with psycopg.connect(settings.conninfo("reader"), connect_timeout=5) as connection:
        row = connection.execute(SPARK_READ).fetchone()
    assert row is not None, "an aggregate without GROUP BY has one row"
    blocks, datagrams, rejected_blocks, done = row
    return SparkRead(blocks, datagrams, rejected_blocks, {(topic, shard): end for topic, shard, end in done})


class _Block(NamedTuple):
    """What one record of a topic that Spark reads holds."""

    offset: int
    datagrams: int
    readable: bool


class Read(NamedTuple):
    """Datagrams in the topics of facts, as the records are: a block that stands there twice counts twice."""

    unread: Counter[str]
    """Records behind the last micro-batch, by topic."""
    unread_datagrams: int
    read_blocks: int
    """Records before it; their datagrams in the next."""
    read_datagrams: int
    unreadable_blocks: int
    """Those among the records before it that no packet table can read."""
    unreadable_datagrams: int


class Arrivals:
    """Counts every record of Pitlane's topics once, each time `read` is called up to where the topics end then."""

    def __init__(self, settings: KafkaSettings, *, whole: bool) -> None:
        """`whole`: from the oldest record that there is; else from now on."""
        self._consumer = KafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap,
            bootstrap_timeout_ms=5000,
            check_crcs=False,
            auto_offset_reset="earliest",  # where the place was deleted meanwhile
            max_poll_records=AT_ONCE,
        )
        there = self._consumer.topics()
        self._partitions = [
            TopicPartition(name, number)
            for name in sorted(there.intersection(own_topics(settings.topic_prefix)))
            for number in sorted(self._consumer.partitions_for_topic(name) or ())
        ]
        self._consumer.assign(self._partitions)
        ends = self._consumer.beginning_offsets if whole else self._consumer.end_offsets
        for partition, offset in ends(self._partitions).items():
            self._consumer.seek(partition, offset)
        self.fact_topics = frozenset(fact_topics(settings.topic_prefix))
        self._seen: defaultdict[str, Numbers] = defaultdict(Numbers)
        self._tails: defaultdict[Place, deque[_Block]] = defaultdict(deque)
        self._read = {"read_datagrams": 0, "read_blocks": 0, "unreadable_blocks": 0, "unreadable_datagrams": 0}
        self.distinct: Counter[tuple[str, str]] = Counter()
        """Datagrams by (ledger id, topic), a block counted once however often it stands there; "" for blocks without."""
        self.repeated: Counter[str] = Counter()
        """Datagrams by ledger id in records whose block had come before."""
        self.redriven: Counter[str] = Counter()
        """Datagrams by ledger id in blocks that were sent again: their dead letters were counted where they stood."""
        self.deleted: Counter[str] = Counter()
        """Records by topic that Kafka had and has no more."""

    def __enter__(self) -> "Arrivals":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._consumer.close()

    def read(self, done: Mapping[Place, int]) -> Read:
        """Counts what has come since; `done` says where Spark's next micro-batch begins in each partition.

        Raises KafkaError.
        """
        ends: dict[TopicPartition, int] = self._consumer.end_offsets(self._partitions)
        moved = time.monotonic()
        while any(self._consumer.position(partition) < end for partition, end in ends.items()):
            for records in self._consumer.poll(POLL_MS).values():
                moved = time.monotonic()
                for record in records:
                    self._count(record)
            if time.monotonic() - moved > STALLED_S:
                raise KafkaTimeoutError(f"no record came for {STALLED_S} s before the topics' end")
            self._move_on(done)
        self._move_on(done)
        self.deleted = Counter()
        for partition, first in self._consumer.beginning_offsets(self._partitions).items():
            self.deleted[partition.topic] += first
        unread = Counter[str]()
        for (topic, _), tail in self._tails.items():
            unread[topic] += len(tail)
        behind = sum(block.datagrams for tail in self._tails.values() for block in tail)
        return Read(+unread, behind, **self._read)

    def by_topic(self) -> Counter[str]:
        """`distinct` of all ledgers."""
        sums = Counter[str]()
        for (_, topic), datagrams in self.distinct.items():
            sums[topic] += datagrams
        return sums

    def has(self, block_id: str) -> bool:
        ledger, number = named(block_id)
        return bool(ledger) and number in self._seen[ledger]

    def _count(self, record: ConsumerRecord) -> None:
        said = headers.read(record.headers)
        if MARK in said:
            return
        count = max(1, _natural(said.get("block.count", "")))
        ledger, number = named(said.get("block.id", ""))
        if AGAIN in said:
            self.redriven[ledger] += count
        elif not ledger or self._seen[ledger].add(number):
            self.distinct[ledger, record.topic] += count
        else:
            self.repeated[ledger] += count
        if record.topic in self.fact_topics:
            packet = PACKETS.get((_natural(said.get("packet.format", "")), _natural(said.get("packet.id", "-"))))
            readable = packet is not None and len(record.value or b"") % entry_bytes(packet.size) == 0
            self._tails[record.topic, record.partition].append(_Block(record.offset, count, readable))

    def _move_on(self, done: Mapping[Place, int]) -> None:
        """What Spark has read leaves the tails, so that they hold what it has not."""
        for place, tail in self._tails.items():
            end = done.get(place, 0)
            while tail and tail[0].offset < end:
                block = tail.popleft()
                self._read["read_blocks"] += 1
                self._read["read_datagrams"] += block.datagrams
                if not block.readable:
                    self._read["unreadable_blocks"] += 1
                    self._read["unreadable_datagrams"] += block.datagrams


def named(block_id: str) -> tuple[str, int]:
    """The ledger id and the number in it of a `block.id`, ("", 0) for one that no gateway gave."""
    ledger, _, digits = block_id.rpartition("-")
    try:
        return (ledger, int(digits, 16)) if ledger else ("", 0)
    except ValueError:
        return "", 0


class Numbers:
    """A set of numbers that mostly follow each other: a bit each, so a week of blocks is a few megabytes."""

    PAGE = 2**16

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def __contains__(self, number: int) -> bool:
        page, bit = divmod(number, self.PAGE)
        return page in self._pages and bool(self._pages[page][bit >> 3] >> (bit & 7) & 1)

    def add(self, number: int) -> bool:
        """False when it was there already."""
        if number in self:
            return False
        page, bit = divmod(number, self.PAGE)
        self._pages.setdefault(page, bytearray(self.PAGE // 8))[bit >> 3] |= 1 << (bit & 7)
        return True


def _natural(text: str) -> int:
    """-1 for what is no number."""
    return int(text) if text.isascii() and text.isdigit() else -1
