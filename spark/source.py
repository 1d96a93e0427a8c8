"""The topics as DataFrames of blocks, for the stream and for batch runs alike."""

import re
from collections.abc import Iterable

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from pitlane.settings import KafkaSettings
from pitlane.topics import fact_topics
from spark.jobs.blocks import Block

SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("offset", pa.int64()),
        ("shard", pa.int32()),
        ("packet_format", pa.int32()),
        ("packet_id", pa.int32()),
        ("content", pa.binary()),
        ("waited", pa.list_(pa.int32())),
    ]
)
"""A `Block`. `waited` is NULL but for what waited in Postgres; `topic` and `offset`, for what is not from Kafka."""


def reader_options(settings: KafkaSettings) -> dict[str, str]:
    return {
        "kafka.bootstrap.servers": settings.kafka_bootstrap,
        "includeHeaders": "true",
        # The default of 500 ms is spent waiting on each quiet topic in each micro-batch.
        "kafka.fetch.max.wait.ms": "20",
        # Retention may delete what was never read: going on without it beats never starting again.
        "failOnDataLoss": "false",
    }


def topics(spark: SparkSession, settings: KafkaSettings, at_most: int) -> DataFrame:
    """The records of all topics of facts as a stream, from the oldest that Kafka still has; `at_most` for each batch."""
    return (
        spark.readStream.format("kafka")
        .options(**reader_options(settings))
        # A pattern, because a topic that is not there yet is no error to it.
        .option("subscribePattern", "|".join(map(re.escape, fact_topics(settings.topic_prefix))))
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", at_most)
        .load()
    )


def blocks(records: DataFrame, *more: Column) -> DataFrame:
    """Kafka records as SCHEMA says, and `more` columns; a header that is missing or no number gives NULL."""
    return records.select(
        "topic",
        "offset",
        f.col("partition").alias("shard"),
        _number("packet.format").alias("packet_format"),
        _number("packet.id").alias("packet_id"),
        f.col("value").alias("content"),
        f.lit(None).cast("array<int>").alias("waited"),
        *more,
    )


def waiting_blocks(spark: SparkSession, waiting: Iterable[Block]) -> DataFrame:
    return spark.createDataFrame(pa.Table.from_pylist([block._asdict() for block in waiting], SCHEMA))


def _number(header: str) -> Column:
    value = f.try_element_at(f.filter("headers", lambda each: each["key"] == header), f.lit(1))["value"]
    return value.cast("string").try_cast("int")
