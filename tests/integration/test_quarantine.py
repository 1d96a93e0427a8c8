"""Kafka → Spark → Postgres with real servers: what breaks a rule is out of the facts, and its bytes can be read again."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition
from psycopg.rows import dict_row
from pyspark.sql import SparkSession

from pitlane.settings import KafkaSettings, SparkSettings, SupersetSettings
from pitlane.stack.broker import Broker
from pitlane.stack.postgres import PostgresServer
from pitlane.tap import Place, TapError, tap
from spark import backfill
from spark.jobs.blocks import Block
from tests.blocks import blocks
from tests.handmade import lap_data, motion, status, telemetry
from tests.integration.history import Content, content, empty, fresh_database, spark_settings
from tests.integration.test_spark_facts import SHARDS, send, stream_all
from tests.unit.test_quality import LAP, history

pytestmark = pytest.mark.timeout(600)

PREFIX = "quarantine"
RIGS = ("rig", "second rig")
FRAMES = range(700, 820)
LONG = (90_500, *LAP[1:])
BAD = {
    "speed": ("car 3, frame 750", telemetry(750, speed=612)),
    "position": (
        "car 3, frame 760",
        lap_data(760, {3: {"current_lap_num": 1, "lap_distance_m": 605.0, "car_position": 77}}),
    ),
    "sectors_make_the_lap": ("car 3, lap 1", history(LONG)),
    "history_laps": ("car 3, frame 700", history(LAP, num_laps=101)),
}
"""Rule → subject, and the packet that breaks it."""


def sent_by(rig: str) -> list[Block]:
    """A frame for each 10 m, in which two packets are replaced by bad ones, and two histories."""
    datagrams = []
    for frame in FRAMES:
        good = [make(frame) for make in (telemetry, status, motion)]
        good.append(lap_data(frame, {3: {"current_lap_num": 1, "lap_distance_m": 10.0 * (frame - 700) + 5}}))
        if frame == 750:
            good[0] = BAD["speed"][1]
        if frame == 760:
            good[3] = BAD["position"][1]
        if frame == 770:
            good += [BAD["sectors_make_the_lap"][1], BAD["history_laps"][1]]
        datagrams += [(1_750_000_000_000_000_000 + frame * 16_000_000, raw) for raw in good]
    return blocks(datagrams, rig=rig)


@pytest.fixture(scope="module")
def own(
    postgres_server: PostgresServer,
    database: SupersetSettings,
    broker: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SparkSettings]:
    broker.create_topics(SHARDS, PREFIX)
    for shard, rig in enumerate(RIGS):
        send(broker, sent_by(rig), shard, PREFIX)
    with fresh_database(postgres_server, database) as fresh:
        yield spark_settings(
            fresh,
            broker,
            topic_prefix=PREFIX,
            shards=SHARDS,
            spark_checkpoint=tmp_path_factory.mktemp("spark") / "checkpoint",
            spark_trigger_s=0.5,
            spark_max_blocks_per_batch=50,  # several micro-batches, and topics that are read unevenly
        )


@pytest.fixture(scope="module")
def streamed(spark_session: SparkSession, own: SparkSettings) -> Content:
    stream_all(spark_session, own)
    return content(own)


def select(settings: SparkSettings, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(settings.conninfo("reader"), row_factory=dict_row) as reader:
        return reader.execute(query.encode()).fetchall()


def test_what_broke_a_rule_is_in_quarantine(streamed: Content, own: SparkSettings) -> None:
    found = select(own, "SELECT * FROM core.quarantine")
    assert {(row["rig"], row["rule"], row["subject"]) for row in found} == {
        (rig, rule, subject) for rig in RIGS for rule, (subject, _) in BAD.items()
    }
    assert len(select(own, "SELECT 1 FROM core.ledger")) > 2, "the stream must be cut for this to say anything"


def test_the_pointer_leads_to_the_bytes(streamed: Content, own: SparkSettings, broker: Broker) -> None:
    consumer = KafkaConsumer(bootstrap_servers=broker.address)
    for row in select(own, "SELECT * FROM core.quarantine"):
        bad = BAD[row["rule"]][1]
        partition = TopicPartition(row["topic"], row["shard"])
        consumer.assign([partition])
        consumer.seek(partition, row["record_offset"])
        while not (records := consumer.poll(1000, max_records=1).get(partition)):
            pass
        entry = 24 + len(bad)  # arrival time, rig and datagram
        at = entry * row["datagram_index"]
        assert records[0].value[at + 24 : at + entry] == bad
        assert records[0].value[at + 8 : at + 24].rstrip(b"\0").decode() == row["rig"]
    consumer.close()


def test_tap_shows_what_a_pointer_points_to(streamed: Content, own: SparkSettings) -> None:
    query = "SELECT *, shard || ':' || record_offset || ':' || datagram_index AS place FROM core.quarantine"
    (row,) = (row for row in select(own, query) if (row["rule"], row["rig"]) == ("speed", RIGS[1]))
    kafka = KafkaSettings(_env_file=None, kafka_bootstrap=own.kafka_bootstrap, topic_prefix=PREFIX)  # type: ignore[call-arg]
    place = Place.of(row["place"])
    (shown,) = tap(row["topic"], kafka, from_beginning=True, follow=False, at=place)
    assert (shown["rig"], shown["offset"], shown["cars"][3]["speed_kmh"]) == (RIGS[1], row["record_offset"], 612)
    block = list(tap("car_telemetry", kafka, from_beginning=True, follow=False, at=place._replace(datagram=None)))
    assert block[row["datagram_index"]] == shown
    for nowhere in (place._replace(offset=10_000), place._replace(shard=99)):
        with pytest.raises(TapError, match="partition"):
            next(tap("car_telemetry", kafka, from_beginning=True, follow=False, at=nowhere))


def test_what_is_out_is_not_in_the_facts_and_what_is_flagged_is(streamed: Content, own: SparkSettings) -> None:
    trace = select(own, "SELECT rig, distance_bin, speed_kmh, is_complete, position FROM core.lap_trace")
    assert {(row["rig"], row["distance_bin"]) for row in trace} == {
        (rig, place) for rig in RIGS for place in range(len(FRAMES)) if place != 60
    }
    for row in trace:
        bad = row["distance_bin"] == 50
        assert (row["speed_kmh"], row["is_complete"], row["position"]) == (None if bad else 287, not bad, 1)
    laps = select(own, "SELECT rig, lap_number, lap_time_ms, top_speed_kmh FROM core.lap ORDER BY rig")
    assert [tuple(row.values()) for row in laps] == [(rig, 1, LONG[0], 287) for rig in RIGS]


def test_duplicates_and_another_cut_end_in_the_same_tables(
    streamed: Content, spark_session: SparkSession, own: SparkSettings, broker: Broker
) -> None:
    for shard, rig in enumerate(RIGS):
        send(broker, sent_by(rig), shard, PREFIX)
    stream_all(spark_session, own)
    assert content(own) == streamed
    empty(own)
    backfill.write(spark_session, own.model_copy(update={"spark_max_blocks_per_batch": 10_000}), lambda *_: None)
    assert content(own) == streamed
