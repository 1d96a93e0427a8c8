"""All facts once more from the raw data, into tables of their own that take the place of the others at the end.

The raw archive is read first, in spans of time of bounded size, then what Kafka holds beyond it, through the same code
as a micro-batch. The stream may go on meanwhile: what it reads is in Kafka, so it is read here as well. At the end it
waits for a moment while the last records are read and the tables change places (postgres.shadow); facts do not depend
on how often or in which order a block is read, so it goes on from where it was.
"""

import contextlib
import itertools
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
from kafka import KafkaConsumer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from pitlane.settings import SparkSettings
from pitlane.topics import fact_topics
from postgres import locks, shadow
from spark import archive, backfill, source
from spark.backfill import Offsets
from spark.errors import RebuildFailed
from spark.runtime import session
from spark.sink import Sink
from spark.tasks import process

CHUNK_BYTES = 64 * 1024 * 1024
"""Of raw blocks: a few minutes of one rig."""
WAIT_FOR_ANOTHER = "10s"
"""A rebuild that was killed lets go of its lock when Postgres notices."""
VIEWS_HINT = "drop them, or put them into postgres/views, and run it again"

Report = Callable[[int, int], None]
"""Is told the number of blocks done and of all that are known of, after each chunk."""


class Outcome(NamedTuple):
    blocks: int
    kept: list[shadow.Kept]
    """Sessions that are as before, because the raw data has not, or not all of, what the history has."""


def run(settings: SparkSettings, forced: Collection[str], report: Report) -> Outcome:
    """Makes all facts again. Raises RebuildFailed; whenever it does not return, the history is as it was."""
    spark = session(settings, "pitlane-rebuild")
    try:
        return write(spark, settings, forced, report)
    finally:
        spark.stop()


def write(spark: SparkSession, settings: SparkSettings, forced: Collection[str], report: Report) -> Outcome:
    """`run` on a session that is there."""
    conninfo = settings.conninfo("owner")
    with contextlib.ExitStack() as stack:
        owner = stack.enter_context(psycopg.connect(conninfo, autocommit=True))
        _claim(owner)
        if settings.spark_archive is not None:
            stack.enter_context(archive.reading(settings.spark_archive))
        consumer = stack.enter_context(KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap))
        stack.callback(_tidy, owner)
        shadow.create(owner)
        version = shadow.version(owner)
        sink = Sink(conninfo, shadow.SCHEMA, locks.SHADOW)
        stack.callback(sink.close)
        raw = _Raw(spark, settings, consumer, sink, report)
        raw.read_archive()
        raw.read_kafka(until=settings.spark_max_blocks_per_batch)  # so few, the stream may wait for
        shadow.analyze(owner)

        def catch_up() -> None:
            raw.read_kafka()
            if shadow.version(owner) != version:
                raise RebuildFailed("the tables were migrated during the rebuild", "run it again")

        try:
            kept = shadow.swap(owner, catch_up, forced)
        except psycopg.errors.DependentObjectsStillExist as error:
            raise RebuildFailed(
                f"views beside mart's would be lost: {error.diag.message_detail}", VIEWS_HINT
            ) from error
        return Outcome(raw.done, kept)


def _claim(owner: psycopg.Connection) -> None:
    try:
        owner.execute(f"SET lock_timeout = '{WAIT_FOR_ANOTHER}'".encode())
        owner.execute("SELECT pg_advisory_lock(%s)", [locks.REBUILD])
        owner.execute("RESET lock_timeout")
    except psycopg.errors.LockNotAvailable as error:
        raise RebuildFailed(
            "another rebuild runs", "wait for its end, or end it: the history stays as it is"
        ) from error


def _tidy(owner: psycopg.Connection) -> None:
    """After a failure; the next rebuild would do it as well, but nobody knows when that comes."""
    with contextlib.suppress(psycopg.Error):
        shadow.drop(owner)


class _Raw:
    """The raw data, written to the rebuild's tables chunk by chunk."""

    def __init__(
        self, spark: SparkSession, settings: SparkSettings, consumer: KafkaConsumer, sink: Sink, report: Report
    ) -> None:
        self._spark, self._settings, self._consumer, self._sink, self._report = spark, settings, consumer, sink, report
        self._run_id = f"batch-{uuid.uuid4()}"
        self._numbers = itertools.count()
        self._topics = fact_topics(settings.topic_prefix)
        self._archived: set[Path] = set()
        self._reached: Offsets | None = None
        self.done = 0
        """blocks"""

    def read_archive(self) -> None:
        """All files, and those that came while they were read."""
        while new := self._new_files():
            found = list(archive.chunks(new, CHUNK_BYTES))
            self._archived |= new
            self._write(((chunk.blocks, self._archive(chunk)) for chunk in found), sum(each.blocks for each in found))

    def _new_files(self) -> set[Path]:
        folder = self._settings.spark_archive
        return set() if folder is None else set(archive.files(folder)) - self._archived

    def _archive(self, chunk: archive.Chunk) -> DataFrame:
        rows = self._spark.read.parquet(*map(str, chunk.files))
        rows = rows.where(f.col("timestamp").between(f.lit(chunk.first), f.lit(chunk.last)))
        if chunk.has_repeats:
            rows = rows.dropDuplicates(list(archive.IDENTITY))
        known = [name for name in source.SCHEMA.names if name in archive.SCHEMA.names]
        # What else a block may have is NULL for one that is read for the first time.
        return source.waiting_blocks(self._spark, []).unionByName(rows.select(*known), allowMissingColumns=True)

    def read_kafka(self, until: int = 0) -> None:
        """What the archive lacks, and what came since, until no more than so many blocks came meanwhile."""
        while True:
            begin = self._beyond_archive() if self._reached is None else self._reached
            oldest = self._consumer.beginning_offsets(list(begin))
            if self._reached and any(oldest[tp] > begin[tp] for tp in begin):
                raise RebuildFailed("Kafka deleted records before they were read", "run it again")
            chunks = list(
                backfill.chunks(self._consumer, self._topics, self._settings.spark_max_blocks_per_batch, begin)
            )
            blocks = sum(chunk.blocks for chunk in chunks)
            self._write(((each.blocks, backfill.read(self._spark, self._settings, each)) for each in chunks), blocks)
            self._reached = {**begin, **(chunks[-1].last if chunks else {})}
            if blocks <= until or not until:
                return

    def _beyond_archive(self) -> Offsets:
        """Of each partition the first record in Kafka that is not in the archive."""
        partitions = backfill.partitions_of(self._consumer, self._topics)
        if not partitions:
            return {}
        begin = dict(self._consumer.beginning_offsets(partitions))
        for tp, oldest in self._consumer.offsets_for_times(dict.fromkeys(partitions, 0)).items():
            of_topic = [path for path in self._archived if path.parent.name == archive.place_of(tp.topic)]
            if oldest is not None and of_topic:
                begin[tp] = archive.first_missing(of_topic, tp.topic, tp.partition, oldest.offset, oldest.timestamp)
        return begin

    def _write(self, chunks: Iterator[tuple[int, DataFrame]], blocks: int) -> None:
        total = self.done + blocks
        for of_chunk, records in chunks:
            process(records, self._run_id, next(self._numbers), self._sink, self._settings.shards)
            self.done += of_chunk
            self._report(self.done, total)
