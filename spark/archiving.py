"""The second query of the streaming application: the raw blocks, once more from Kafka, into the archive.

It has a checkpoint of its own and fails for itself: a disk that is full or not writable holds up no fact. It is tried
again from its checkpoint, for which Kafka's retention leaves days.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.streaming.query import StreamingQuery

from pitlane.settings import SparkSettings
from spark import archive, checkpoint, progress, source
from spark.errors import cause
from spark.metrics import Metrics

log = structlog.get_logger()

RETRY_AFTER_S = 30.0
BLOCKS_PER_BATCH = 30_000
"""Bounds the time of a batch; its memory is bounded by archive.ROW_GROUP_BYTES."""
APPENDED = "blocks long, num_bytes long"


class Archiving:
    """Keeps the query running as long as `tend` is called every now and then."""

    def __init__(self, spark: SparkSession, settings: SparkSettings, metrics: Metrics) -> None:
        self._spark = spark
        self._settings = settings
        self._metrics = metrics
        self._query: StreamingQuery | None = None
        self._error = ""
        self._next_try = 0.0

    def tend(self) -> dict[str, Any]:
        """Starts the query if it does not run and it is time; says how it stands, in the words of spark.progress."""
        if self._settings.spark_archive is None:
            return {"state": "off", "lag": 0, "error": ""}
        try:
            if self._query is not None and (failure := self._query.exception()):
                self._query = None
                raise failure
            if self._query is None and time.monotonic() >= self._next_try:
                self._query = start(self._spark, self._settings, self._settings.spark_archive, self._metrics)
        except PySparkException as error:
            self._error = cause(error)
            self._next_try = time.monotonic() + RETRY_AFTER_S
            self._metrics.archive_failed()
            log.error("the archive failed and is tried again", error=self._error)
        last = self._query.lastProgress if self._query else None
        if last is not None:  # a batch has ended since the query was started
            self._error = ""
        self._metrics.archive_is(up=not self._error)
        behind = sum(progress.lag(last).values()) if last else 0
        return {"state": "retrying" if self._error else "running", "lag": behind, "error": self._error}

    def stop(self) -> None:
        if self._query is not None:
            self._query.stop()


def start(spark: SparkSession, settings: SparkSettings, folder: Path, metrics: Metrics) -> StreamingQuery:
    """Starts the query; it goes on where its checkpoint says, or from the oldest record that Kafka still has."""
    records = source.topics(spark, settings, BLOCKS_PER_BATCH)
    blocks = source.blocks(records, f.col("timestamp"), f.length("value").alias("num_bytes"))
    place = settings.spark_checkpoint.with_name("archive-checkpoint")

    def write(batch: DataFrame, batch_id: int) -> None:
        one = batch.select(*archive.SCHEMA.names).coalesce(1)  # one task, hence one file for each packet
        name = f"{checkpoint.query_id(place)}-{batch_id:08}-{checkpoint.plan(place, batch_id)}"
        for row in one.mapInArrow(_task(folder, name), APPENDED).collect():
            metrics.archived(row.blocks, row.num_bytes)
        archive.compact(folder, datetime.now(UTC).date())

    return (
        blocks.writeStream.queryName("archive")
        .foreachBatch(write)
        .option("checkpointLocation", str(place))
        .trigger(processingTime=f"{settings.spark_archive_trigger_s} seconds")
        .start()
    )


def _task(folder: Path, name: str) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    return partial(append, folder, name)


def append(folder: Path, name: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One task of a batch; runs in a Python worker."""
    written = archive.append(folder, name, batches)
    yield pa.RecordBatch.from_pylist([written._asdict()])
