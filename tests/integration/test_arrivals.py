"""What stands in Kafka, counted from real records that came once, twice, from elsewhere, and in no form that we know."""

from collections import Counter

from kafka import KafkaAdminClient, KafkaProducer

from pitlane.arrivals import Arrivals
from pitlane.settings import KafkaSettings
from pitlane.stack.broker import Broker
from pitlane.topic_setup import create

ENTRY = 8 + 16 + 1352
"""Arrival, rig, and CarTelemetry of format 2025 as published."""
CAR_TELEMETRY, MOTION, LETTERS = "counted.car_telemetry", "counted.motion", "counted.dead_letter"
BRANCH = "counted.car_damage_json"
"""A topic of the user's own, for copies of blocks in another form."""


def headers(block_id: str, count: int, packet_id: str = "6") -> list[tuple[str, bytes]]:
    said = {"packet.format": "2025", "packet.id": packet_id, "block.id": block_id, "block.count": str(count)}
    return [(name, value.encode()) for name, value in said.items()]


def test_records_are_counted_once_and_from_where_one_begins(broker: Broker) -> None:
    settings = KafkaSettings(kafka_bootstrap=broker.address, topic_prefix="counted")
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    names = create(admin, settings.shards, settings.topic_prefix)
    admin.create_topics({BRANCH: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    producer = KafkaProducer(bootstrap_servers=broker.address)

    def put(topic: str, partition: int, content: bytes, said: list[tuple[str, bytes]]) -> None:
        producer.send(topic, content, headers=said, partition=partition).get(timeout=30)

    try:
        put(CAR_TELEMETRY, 0, bytes(ENTRY * 3), headers("mine-00000000", 3))
        put(CAR_TELEMETRY, 0, bytes(ENTRY * 3), headers("mine-00000000", 3))  # NiFi's answer was lost
        put(CAR_TELEMETRY, 1, bytes(ENTRY * 5), headers("mine-00000001", 5))
        put(LETTERS, 0, b"whatever", headers("mine-00000002", 2, "none"))
        put(CAR_TELEMETRY, 0, bytes(ENTRY + 1), headers("other-00000000", 1))
        put(MOTION, 0, b"", [])
        put(BRANCH, 0, b"{}", headers("mine-00000001", 5))
        put(BRANCH, 1, b"{}", headers("mine-00000003", 4))
        with Arrivals(settings, whole=True) as whole, Arrivals(settings, whole=False) as new:
            read = whole.read({})
            assert whole.distinct == {
                ("mine", CAR_TELEMETRY): 8, ("mine", LETTERS): 2, ("other", CAR_TELEMETRY): 1, ("", MOTION): 1,
            }  # fmt: skip
            assert whole.by_topic() == {CAR_TELEMETRY: 9, LETTERS: 2, MOTION: 1}
            assert whole.repeated == {"mine": 3}
            assert (whole.has("mine-00000002"), whole.has("mine-00000003"), whole.has("")) == (True, False, False)
            # Dead letters are none of Spark's business; a block that came twice is read twice.
            assert read == (Counter({CAR_TELEMETRY: 4, MOTION: 1}), 13, 0, 0, 0, 0)
            read = whole.read({(CAR_TELEMETRY, 0): 3, (CAR_TELEMETRY, 1): 1})
            assert read == (Counter({MOTION: 1}), 1, 4, 12, 1, 1)
            assert whole.by_topic().total() == 12, "nothing is counted again"

            assert (new.read({}).unread_datagrams, new.distinct) == (0, {})
            put(MOTION, 1, b"", headers("mine-00000003", 4, "0"))
            assert new.read({}).unread == {MOTION: 1}
            assert new.distinct == {("mine", MOTION): 4}
            assert whole.read({}).unread_datagrams == 5
            assert +whole.deleted == {}

            # A dead letter that was sent again: it counts where it was one, also for a meter that began after it.
            again = [*headers("mine-00000002", 2), ("block.redrives", b"1")]
            put(CAR_TELEMETRY, 0, bytes(ENTRY * 2), again)
            put(LETTERS, 0, b"", [("redrive.of", b"0")])
            before = dict(whole.distinct), dict(new.distinct)
            assert (whole.read({}).unread_datagrams, new.read({}).unread_datagrams) == (7, 6)
            assert (whole.distinct, new.distinct) == before
            assert (whole.redriven, new.redriven) == ({"mine": 2}, {"mine": 2})
            assert whole.repeated == {"mine": 3}
    finally:
        producer.close()
        admin.delete_topics([*names, BRANCH])
        admin.close()
