"""The streaming query: a micro-batch every few seconds until it is told to stop.

What it has read is in the checkpoint, what it has written in the ledger, how it stands in a file (spark.progress).
"""

import signal
import threading
import time

import structlog
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from pitlane.settings import SparkSettings
from spark import checkpoint, progress, source
from spark.archiving import Archiving
from spark.errors import cause
from spark.metrics import QUERY, Metrics
from spark.runtime import session
from spark.sink import Sink
from spark.tasks import process

log = structlog.get_logger()

HEARTBEAT_S = 1.0
RETRY_AFTER_S = 5.0
FINISH_WITHIN_S = 15.0
"""A micro-batch that runs when the application is told to stop may still end; after that it is cut off."""


def run(settings: SparkSettings) -> None:
    """Runs until SIGTERM or SIGINT. A query that fails is started again from its checkpoint, which loses nothing.

    One failure is to be expected: a query that begins with the micro-batch which a crash had cut off ends with a
    NullPointerException in KafkaMicroBatchStream.metrics of Spark 4.1.1, after it has committed that batch.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    progress.write(settings.spark_checkpoint, "starting")
    spark = session(settings, "pitlane-facts")
    metrics = Metrics()
    sink = Sink(settings.conninfo("spark"))
    archiving = Archiving(spark, settings, metrics)
    spark.streams.addListener(metrics)
    server, _ = metrics.serve(settings)
    try:
        while not stop.is_set():
            try:
                query = start(spark, settings, sink, metrics)
                _watch(query, settings, stop, archiving)
            except PySparkException as error:
                message = cause(error)
                log.error("the query failed and is started again", error=message)
                metrics.failed()
                progress.write(settings.spark_checkpoint, "retrying", error=message)
                stop.wait(RETRY_AFTER_S)
    finally:
        archiving.stop()
        server.shutdown()
        sink.close()
        spark.stop()
        progress.write(settings.spark_checkpoint, "stopped")


def start(spark: SparkSession, settings: SparkSettings, sink: Sink, metrics: Metrics) -> StreamingQuery:
    """Starts the query; it goes on where its checkpoint says, or from the oldest record that Kafka still has."""
    checkpoint.set_aside_if_older(settings.spark_checkpoint, sink)
    records = source.topics(spark, settings, settings.spark_max_blocks_per_batch)

    def write(batch: DataFrame, batch_id: int) -> None:
        if written := process(batch, checkpoint.query_id(settings.spark_checkpoint), batch_id, sink, settings.shards):
            metrics.written(written)

    return (
        source.blocks(records)
        .writeStream.queryName(QUERY)
        .foreachBatch(write)
        .option("checkpointLocation", str(settings.spark_checkpoint))
        .trigger(processingTime=f"{settings.spark_trigger_s} seconds")
        .start()
    )


def _watch(query: StreamingQuery, settings: SparkSettings, stop: threading.Event, archiving: Archiving) -> None:
    """Reports until the query fails, which raises, or `stop` is set, which stops it between two micro-batches."""
    while not stop.wait(HEARTBEAT_S):
        if failure := query.exception():
            raise failure
        last = query.lastProgress
        started = last is not None or "Initializing" not in query.status["message"]
        state = "running" if started else "starting"
        batch = progress.of_batch(last) if last else {}
        progress.write(settings.spark_checkpoint, state, query_id=query.id, archive=archiving.tend(), **batch)
    deadline = time.monotonic() + FINISH_WITHIN_S
    while query.status["isTriggerActive"] and query.status["isDataAvailable"] and time.monotonic() < deadline:
        time.sleep(0.05)
    query.stop()
