"""Posts probes to the flow and looks where they come out."""

import time
from collections import defaultdict
from collections.abc import Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from nifi import blocks_port
from nifi.errors import FlowError
from nifi.probes import Probe
from nifi.queued import queued
from pitlane import headers, topics
from pitlane.settings import NifiSettings

WITHIN_S = 30
POLL_MS = 100


def deliver(settings: NifiSettings, url: str, sent: Sequence[Probe]) -> list[str]:
    """What is wrong with those that do not arrive in their topic, once, as they were sent; empty when all do.

    Raises FlowError when NiFi takes none or Kafka does not answer.
    """
    names = topics.own_topics(settings.topic_prefix)
    try:
        consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, bootstrap_timeout_ms=5000)
        try:
            partitions = [TopicPartition(name, n) for name in names for n in consumer.partitions_for_topic(name) or ()]
            consumer.assign(partitions)
            for partition, end in consumer.end_offsets(partitions).items():
                consumer.seek(partition, end)
            blocks_port.post(url, [(probe.attributes, probe.content) for probe in sent], settings.blocks_context())
            found = _found(consumer, {probe.block_id for probe in sent})
        finally:
            consumer.close()
    except KafkaError as error:
        raise FlowError(f"Kafka does not answer on {settings.kafka_bootstrap}: {error}", "pitlane status") from error
    waiting = queued(settings)["blocks"] if len(found) < len(sent) else {}
    wrong = {probe: _wrong(probe, found.get(probe.block_id, []), probe.block_id in waiting) for probe in sent}
    return [f"{probe.what} {what}" for probe, what in wrong.items() if what]


def _found(consumer: KafkaConsumer, wanted: set[str]) -> dict[str, list[ConsumerRecord]]:
    """block.id → its records, as soon as each has one, or what is there when the time is up."""
    found: defaultdict[str, list[ConsumerRecord]] = defaultdict(list)
    deadline = time.monotonic() + WITHIN_S
    while len(found) < len(wanted) and time.monotonic() < deadline:
        for records in consumer.poll(POLL_MS).values():
            for record in records:
                block_id = headers.read(record.headers).get("block.id", "")
                if block_id in wanted:
                    found[block_id].append(record)
    return found


def _wrong(probe: Probe, records: list[ConsumerRecord], is_waiting: bool) -> str:
    if not records:
        return "waits in NiFi" if is_waiting else "is in no topic"
    record, said = records[0], headers.read(records[0].headers)
    if record.topic != probe.topic:
        reason = said.get("reject.reason", "")
        return f"is in {record.topic} and not in {probe.topic}" + (f": {reason}" if reason else "")
    if len(records) > 1:
        return f"is in {record.topic} {len(records)} times"
    if record.value != probe.content:
        return f"is in {record.topic}, and its bytes are not those that were sent"
    if lacking := sorted(probe.attributes.items() - said.items()):
        return f"is in {record.topic}, and its headers lack {', '.join(f'{name}={value}' for name, value in lacking)}"
    if probe.partition not in (None, record.partition):
        return f"is in partition {record.partition} of {record.topic} and not in {probe.partition}"
    return ""
