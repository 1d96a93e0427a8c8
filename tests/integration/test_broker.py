import os
import struct
import time

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import MessageSizeTooLargeError

from pitlane.settings import KafkaSettings
from pitlane.tap import TapError, tap

NAMES = [
    "motion",
    "session",
    "lap_data",
    "event",
    "participants",
    "car_setups",
    "car_telemetry",
    "car_status",
    "final_classification",
    "lobby_info",
    "car_damage",
    "session_history",
    "tyre_sets",
    "motion_ex",
    "time_trial",
    "lap_positions",
    "car_telemetry_2",
    "dead_letter",
]


@pytest.fixture
def producer(broker):
    producer = KafkaProducer(bootstrap_servers=broker.address, acks="all", max_request_size=8 * 1024 * 1024)
    yield producer
    producer.close()


def test_a_topic_for_each_packet_with_a_partition_for_each_shard(broker):
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    topics = {t["name"]: len(t["partitions"]) for t in admin.describe_topics() if not t["name"].startswith("__")}
    admin.close()
    assert {name: topics.get(f"f1.{name}") for name in NAMES} == dict.fromkeys(NAMES, 2)
    before = broker.record_counts()
    broker.create_topics(2)
    assert broker.record_counts() == before, "a second time changes nothing"


def test_more_shards_give_more_partitions(broker):
    """A block goes to the partition of its shard: one that is not there would be refused for good."""
    for shards, partitions in ((1, {0}), (3, {0, 1, 2}), (2, {0, 1, 2})):
        topics = broker.create_topics(shards, "wide")
        consumer = KafkaConsumer(bootstrap_servers=broker.address)  # a new one: it remembers what it was told
        assert {topic: consumer.partitions_for_topic(topic) for topic in topics} == dict.fromkeys(topics, partitions)
        consumer.close()


def test_the_largest_block_fits(broker, producer):
    block = os.urandom(256 * 1024 + 4096)
    where = producer.send("f1.lobby_info", block, partition=1).get(timeout=10)
    consumer = KafkaConsumer(bootstrap_servers=broker.address, consumer_timeout_ms=10_000)
    partition = TopicPartition(where.topic, where.partition)
    consumer.assign([partition])
    consumer.seek(partition, where.offset)
    assert next(consumer).value == block
    consumer.close()
    with pytest.raises(MessageSizeTooLargeError):
        producer.send("f1.lobby_info", os.urandom(3 * 1024 * 1024)).get(timeout=10)


def test_a_mistyped_topic_is_not_made(broker):
    consumer = KafkaConsumer("f1.lap_dota", bootstrap_servers=broker.address)
    consumer.poll(1000)  # asks the broker for a topic of that name
    assert "f1.lap_dota" not in consumer.topics()
    consumer.close()


def test_tap_prints_what_a_topic_holds(broker, producer):
    header = struct.pack("<HBBBBBQfIIBB", 2025, 25, 1, 7, 1, 3, 0xAA, 1.5, 7, 7, 0, 255)
    event = header + b"SSTA" + bytes(12)
    entries = b"".join(struct.pack("<Q16s", arrival, b"tapped") + event for arrival in (1, 2))
    said = [("packet.format", b"2025"), ("packet.id", b"3"), ("packet.name", b"event"), ("block.count", b"2")]
    producer.send("f1.event", entries, partition=0, headers=said).get(timeout=10)

    settings = KafkaSettings(kafka_bootstrap=broker.address)
    found = [d for d in tap("event", settings, from_beginning=True, follow=False) if d["rig"] == "tapped"]
    assert [(d["topic"], d["shard"], d["arrival_ns"], d["code"]) for d in found] == [
        ("f1.event", 0, 1, "SSTA"),
        ("f1.event", 0, 2, "SSTA"),
    ]
    with pytest.raises(TapError) as missing:
        next(tap("f1.lap_dota", settings, from_beginning=True, follow=False))
    assert missing.value.reason == "no_topic"
    assert "f1.lap_data" in missing.value.hint


def test_tap_says_that_kafka_does_not_answer():
    begun = time.monotonic()
    with pytest.raises(TapError) as down:
        next(tap("event", KafkaSettings(kafka_bootstrap="127.0.0.1:9"), from_beginning=True, follow=False))
    assert down.value.reason == "kafka_down"
    assert time.monotonic() - begun < 10
