"""Everything that Kafka holds, once more, as a batch: the same code and the same tables as the stream.

It reads in chunks of bounded size, cut by time and not by offset: topics hold different numbers of records, and the
packets of one frame should fall into one chunk, or into two that follow each other.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import orjson
from kafka import KafkaConsumer, TopicPartition
from pyspark.sql import DataFrame, SparkSession

from pitlane.settings import SparkSettings
from pitlane.topics import fact_topics
from spark import source
from spark.runtime import session
from spark.sink import Sink
from spark.tasks import process

Offsets = Mapping[TopicPartition, int]
SHORTEST_CHUNK_MS = 1000


class Chunk(NamedTuple):
    """Records from `first` to before `last` of each partition."""

    first: Offsets
    last: Offsets

    @property
    def blocks(self) -> int:
        return sum(self.last.values()) - sum(self.first.values())


Report = Callable[[int, int], None]
"""Is told the number of blocks done and of all, after each chunk."""


def run(settings: SparkSettings, report: Report) -> int:
    """Writes the facts of all records that are in Kafka now; returns their number."""
    spark = session(settings, "pitlane-batch")
    try:
        return write(spark, settings, report)
    finally:
        spark.stop()


def write(spark: SparkSession, settings: SparkSettings, report: Report) -> int:
    """`run` on a session that is there."""
    run_id = f"batch-{uuid.uuid4()}"
    with KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap) as consumer:
        found = list(chunks(consumer, fact_topics(settings.topic_prefix), settings.spark_max_blocks_per_batch))
    total, done = sum(chunk.blocks for chunk in found), 0
    sink = Sink(settings.conninfo("spark"))
    try:
        for number, chunk in enumerate(found):
            process(read(spark, settings, chunk), run_id, number, sink, settings.shards)
            done += chunk.blocks
            report(done, total)
    finally:
        sink.forget(run_id)
        sink.close()
    return total


def read(spark: SparkSession, settings: SparkSettings, chunk: Chunk) -> DataFrame:
    """The blocks of a chunk, as source.SCHEMA says."""
    records = (
        spark.read.format("kafka")
        .options(**source.reader_options(settings))
        .option("assign", _json(dict.fromkeys(chunk.first, 0), list_partitions=True))
        .option("startingOffsets", _json(chunk.first))
        .option("endingOffsets", _json(chunk.last))
        .load()
    )
    return source.blocks(records)


def partitions_of(consumer: KafkaConsumer, topics: list[str]) -> list[TopicPartition]:
    """All partitions of those topics that are there."""
    known = consumer.topics()
    return [TopicPartition(t, p) for t in topics if t in known for p in consumer.partitions_for_topic(t) or ()]


def chunks(consumer: KafkaConsumer, topics: list[str], at_most: int, begin: Offsets | None = None) -> Iterator[Chunk]:
    """Consecutive time spans that hold all records between them, each of about `at_most` records or fewer; from `begin`
    on, or from the oldest that Kafka still has.

    A span is never shorter than a second, so a second of very many records is one chunk.
    """
    partitions = partitions_of(consumer, topics)
    if not partitions:
        return
    begin = begin or {}
    oldest: Offsets = consumer.beginning_offsets(partitions)
    end: Offsets = consumer.end_offsets(partitions)
    first: Offsets = {tp: min(max(oldest[tp], begin.get(tp, 0)), end[tp]) for tp in partitions}
    start = first

    def offsets_at(timestamp_ms: int) -> Offsets:
        """Where each partition's records from this time on begin."""
        found = consumer.offsets_for_times(dict.fromkeys(partitions, timestamp_ms))
        return {tp: max(start[tp], min(found[tp].offset, end[tp])) if found[tp] else end[tp] for tp in partitions}

    begun = [found.timestamp for found in consumer.offsets_for_times(dict.fromkeys(partitions, 0)).values() if found]
    low = min(begun, default=0)
    newest = int(time.time() * 1000) + SHORTEST_CHUNK_MS
    while sum(end.values()) > sum(first.values()):
        chunk = Chunk(first, end)
        if chunk.blocks > at_most:
            fits, too_far = low + SHORTEST_CHUNK_MS, newest
            while too_far - fits > SHORTEST_CHUNK_MS:
                middle = (fits + too_far) // 2
                if Chunk(first, offsets_at(middle)).blocks > at_most:
                    too_far = middle
                else:
                    fits = middle
            low = fits
            chunk = Chunk(first, offsets_at(fits))
        if chunk.blocks:
            yield chunk
        first = chunk.last


def _json(offsets: Offsets, *, list_partitions: bool = False) -> str:
    by_topic: dict[str, dict[str, int]] = {}
    for tp, offset in offsets.items():
        by_topic.setdefault(tp.topic, {})[str(tp.partition)] = offset
    if list_partitions:
        return orjson.dumps({topic: sorted(map(int, found)) for topic, found in by_topic.items()}).decode()
    return orjson.dumps(by_topic).decode()
