"""A topic as lines of JSON, for people and other programs: one line a datagram, decoded, names and units as ours.

    {"topic": "f1.event", "shard": 0, "offset": 17, "arrival_ns": …, "rig": "…", "header": {…}, "code": "SEND", …}

A dead letter has `reject_reason`, what the headers say of it, and its bytes in hexadecimal under `datagram`, or under
`content` where it is no block at all.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from f1_packets import PACKETS, Packet, block, records
from pitlane.errors import PitlaneError
from pitlane.headers import read
from pitlane.settings import KafkaSettings
from pitlane.topics import MARK

POLL_MS = 200


class TapError(PitlaneError):
    """`no_topic`, `no_record`, `kafka_down`, or `not_a_block`: a record whose headers and bytes do not fit together."""

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


class Place(NamedTuple):
    """A record of a topic, or one datagram of it: what core.quarantine points to."""

    shard: int
    offset: int
    datagram: int | None = None

    @classmethod
    def of(cls, text: str) -> "Place":
        """From `shard:offset` or `shard:offset:datagram`, as a pointer is written; ValueError for anything else."""
        numbers = [int(part) for part in text.split(":")]
        if not 2 <= len(numbers) <= 3 or min(numbers) < 0:
            raise ValueError(text)
        return cls(*numbers)


def tap(
    topic: str, settings: KafkaSettings, *, from_beginning: bool, follow: bool, at: Place | None = None
) -> Iterator[dict[str, Any]]:
    """Every datagram of a topic as plain Python values, in the order of each partition.

    From the beginning or from now on; without `follow` it ends where the topic ended when it was asked. With `at` it is
    that record alone, or the one datagram. Raises TapError.
    """
    prefix = f"{settings.topic_prefix}."
    name = topic if topic.startswith(prefix) else prefix + topic
    try:
        consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, bootstrap_timeout_ms=5000)
    except KafkaError as error:
        raise TapError("kafka_down", f"Kafka does not answer on {settings.kafka_bootstrap}", "pitlane up") from error
    try:
        known = sorted(topic for topic in consumer.topics() if topic.startswith(prefix))
        if name not in known:
            raise TapError("no_topic", f"there is no topic {name}", f"there are {', '.join(known) or 'none'}")
        partitions = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name))]
        if at is not None:
            yield from _at(consumer, TopicPartition(name, at.shard), at)
            return
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        if from_beginning:
            consumer.seek_to_beginning(*partitions)
        else:
            for partition in partitions:
                consumer.seek(partition, ends[partition])
        while follow or any(consumer.position(partition) < ends[partition] for partition in partitions):
            for batch in consumer.poll(POLL_MS).values():
                for record in batch:
                    if follow or record.offset < ends[TopicPartition(name, record.partition)]:
                        yield from _told(record)
    finally:
        consumer.close()


def _at(consumer: KafkaConsumer, partition: TopicPartition, at: Place) -> Iterator[dict[str, Any]]:
    if at.shard not in consumer.partitions_for_topic(partition.topic):
        raise TapError("no_record", f"{partition.topic} has no partition {at.shard}")
    first, end = consumer.beginning_offsets([partition])[partition], consumer.end_offsets([partition])[partition]
    if not first <= at.offset < end:
        raise TapError("no_record", f"{partition.topic} holds {first} to {end - 1} in partition {at.shard}")
    consumer.assign([partition])
    consumer.seek(partition, at.offset)
    while not (found := consumer.poll(POLL_MS, max_records=1).get(partition)):
        pass
    for index, datagram in enumerate(_told(found[0])):
        if at.datagram in (None, index):
            yield datagram


def _told(record: Any) -> Iterator[dict[str, Any]]:
    where = {"topic": record.topic, "shard": record.partition, "offset": record.offset}
    for entry in entries(record.headers, record.value):
        yield where | entry


def entries(headers: Sequence[tuple[str, bytes]], content: bytes) -> Iterator[dict[str, Any]]:
    """The datagrams of one block, given what the record's headers say of it."""
    said = read(headers)
    packet = _packet(said)
    try:
        if packet is not None:
            yield from records.datagrams(packet, content)
        else:
            yield from _dead_letters(said, content)
    except ValueError as error:
        raise TapError("not_a_block", f"a record that is no block: {error}") from error


def _packet(said: dict[str, str]) -> Packet | None:
    if "reject.reason" in said:
        return None
    try:
        return PACKETS.get((int(said["packet.format"]), int(said["packet.id"])))
    except (KeyError, ValueError):
        return None


def _dead_letters(said: dict[str, str], content: bytes) -> Iterator[dict[str, Any]]:
    if MARK in said:
        return
    about = {
        name.replace(".", "_"): said[name] for name in ("reject.reason", "packet.format", "packet.id") if name in said
    }
    try:
        found = list(block.entries(content, int(said.get("block.bytes", len(content)))))
    except ValueError:
        if "reject.reason" not in said:
            raise
        # Anybody who may post can post anything; that is why it is here.
        yield {**about, "content": content.hex()}
        return
    for each in found:
        yield {"arrival_ns": each.arrival_ns, "rig": each.rig, **about, "datagram": each.datagram.hex()}
