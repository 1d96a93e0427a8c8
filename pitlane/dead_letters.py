"""The dead letters: blocks that no route wanted, that the gateway rejected, or that Kafka refused, as records of one topic.

A record is the block as it was posted; its headers are the block's own and why it is here: `reject.reason`, and of what
Kafka refused also `reject.detail` and `reject.topic`. One that was sent again (pitlane.redrive) is marked by a small
record behind it in its partition. So the topic alone says what is open, and Kafka deletes both together.

DeadLetterError
├── NoTopic    Kafka has no topic of dead letters
├── NoLetter   nothing stands there, or no dead letter
├── KafkaAway  Kafka does not answer
└── pitlane.redrive …
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, KafkaTimeoutError

from f1_packets.block import Entry, entries
from pitlane import topics
from pitlane.errors import PitlaneError
from pitlane.headers import read as read_headers
from pitlane.settings import KafkaSettings

UNROUTED = "unknown_packet"
"""Reason of a record that came without one: from the router, for a packet that no route knows."""

POLL_MS = 100
STALLED_S = 30


class DeadLetterError(PitlaneError):
    reason = "dead_letters"


class NoTopic(DeadLetterError):
    reason = "no_topic"


class NoLetter(DeadLetterError):
    reason = "no_dead_letter"


class KafkaAway(DeadLetterError):
    reason = "kafka_down"


class Where(NamedTuple):
    """The name of a dead letter: 0:17."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Where":
        """Raises NoLetter for what is no such name."""
        partition, _, offset = text.partition(":")
        if partition.isdecimal() and offset.isdecimal():
            return cls(int(partition), int(offset))
        raise NoLetter(f"{text} names no dead letter", "pitlane dlq list shows their names, such as 0:17")

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True)
class DeadLetter:
    where: Where
    time: datetime
    """When it came into the topic."""
    headers: Mapping[str, str]
    bytes: int
    rigs: tuple[str, ...]
    """That its datagrams came from; empty when it is no block."""
    redriven: datetime | None
    """When it was sent again; None while it is open."""

    @property
    def reason(self) -> str:
        return self.headers.get("reject.reason", UNROUTED)

    @property
    def packet(self) -> str:
        """Name and format as the sender said them, or the ID of a packet without a name; "" for what is no packet."""
        packet_id, packet_format = self.headers.get("packet.id", "none"), self.headers.get("packet.format", "")
        if packet_id == "none":
            return ""
        return f"{self.headers.get('packet.name') or packet_id} {packet_format}".rstrip()

    @property
    def datagrams(self) -> int:
        count = self.headers.get("block.count", "")
        return int(count) if count.isdecimal() else 1


def datagrams_of(headers: Mapping[str, str], content: bytes) -> list[Entry]:
    """The datagrams of a dead letter; of one that is no block, nothing."""
    try:
        return list(entries(content, int(headers.get("block.bytes", ""))))
    except ValueError:
        return []


class DeadLetters:
    """A reader of the topic, and who marks what was sent again. Raises DeadLetterError."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._bootstrap = settings.kafka_bootstrap
        self.topic = topics.dead_letter(settings.topic_prefix)
        try:
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap,
                bootstrap_timeout_ms=5000,
                auto_offset_reset="earliest",  # where Kafka deletes what is being read
                enable_auto_commit=False,
            )
        except KafkaError as error:
            raise KafkaAway(f"Kafka does not answer on {self._bootstrap}", "pitlane up") from error
        self._producer: KafkaProducer | None = None

    def __enter__(self) -> "DeadLetters":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()
        if self._producer is not None:
            self._producer.close()

    def letters(self, since: datetime | None = None) -> list[DeadLetter]:
        """Those that the topic holds now, open or not, the oldest first; `since`: those that came then or later."""
        return self._read(self._first(since))

    def letter(self, where: Where) -> DeadLetter:
        """One of them. Raises NoLetter."""
        for each in self._read({self._partition(where): where.offset}):
            if each.where == where:
                return each
        raise self._no_letter(where)

    def content(self, where: Where) -> bytes:
        """The raw bytes of one of them. Raises NoLetter."""
        for record in self._records({self._partition(where): where.offset}):
            if record.offset == where.offset:
                return bytes(record.value or b"")
            break
        raise self._no_letter(where)

    def mark(self, where: Where) -> None:
        """Writes down that this one was sent again; returns when Kafka has it."""
        try:
            if self._producer is None:
                self._producer = KafkaProducer(bootstrap_servers=self._bootstrap, acks="all")
            headers = [(topics.MARK, str(where.offset).encode())]
            self._producer.send(self.topic, b"", headers=headers, partition=where.partition).get(timeout=STALLED_S)
        except KafkaError as error:
            raise KafkaAway(f"{where} was sent again, and Kafka does not write that down: {error}") from error

    def _first(self, since: datetime | None) -> dict[TopicPartition, int]:
        """Where to begin in each partition."""
        partitions = [TopicPartition(self.topic, number) for number in self._numbers()]
        try:
            if since is None:
                return dict(self._consumer.beginning_offsets(partitions))
            found = self._consumer.offsets_for_times(dict.fromkeys(partitions, int(since.timestamp() * 1000)))
        except KafkaError as error:
            raise KafkaAway(f"Kafka does not answer: {error}", "pitlane status") from error
        return {partition: at.offset for partition, at in found.items() if at is not None}

    def _numbers(self) -> list[int]:
        numbers = self._consumer.partitions_for_topic(self.topic)
        if not numbers:
            raise NoTopic(f"Kafka has no topic {self.topic}", "pitlane up creates it")
        return sorted(numbers)

    def _partition(self, where: Where) -> TopicPartition:
        if where.partition not in self._numbers():
            raise self._no_letter(where)
        return TopicPartition(self.topic, where.partition)

    def _no_letter(self, where: Where) -> NoLetter:
        return NoLetter(f"{self.topic} has no dead letter {where}", "pitlane dlq list --all shows those that it has")

    def _read(self, first: Mapping[TopicPartition, int]) -> list[DeadLetter]:
        found: list[DeadLetter] = []
        redriven: dict[tuple[int, str], datetime] = {}
        for record in self._records(first):
            headers = read_headers(record.headers)
            if topics.MARK in headers:
                redriven.setdefault((record.partition, headers[topics.MARK]), _time(record))
            else:
                found.append(_letter(record, headers))
        letters = [replace(each, redriven=redriven.get((each.where[0], str(each.where[1])))) for each in found]
        return sorted(letters, key=lambda each: (each.time, each.where))

    def _records(self, first: Mapping[TopicPartition, int]) -> Iterator[ConsumerRecord]:
        """What stands from there to where the topic ends now."""
        consumer = self._consumer
        try:
            consumer.assign(list(first))
            ends = consumer.end_offsets(list(first))
            for partition, offset in first.items():
                consumer.seek(partition, offset)
            moved = time.monotonic()
            while any(consumer.position(partition) < end for partition, end in ends.items()):
                for records in consumer.poll(POLL_MS).values():
                    moved = time.monotonic()
                    for record in records:
                        if record.offset < ends[TopicPartition(self.topic, record.partition)]:
                            yield record
                if time.monotonic() - moved > STALLED_S:
                    raise KafkaTimeoutError(f"no record came for {STALLED_S} s before the topic's end")
        except KafkaError as error:
            raise KafkaAway(f"Kafka does not answer: {error}", "pitlane status") from error


def _letter(record: ConsumerRecord, headers: Mapping[str, str]) -> DeadLetter:
    content = record.value or b""
    rigs = tuple(dict.fromkeys(entry.rig for entry in datagrams_of(headers, content)))
    return DeadLetter(Where(record.partition, record.offset), _time(record), headers, len(content), rigs, None)


def _time(record: ConsumerRecord) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
