"""The flow on a NiFi and a Kafka of its own: deployed, changed, fed with blocks of every packet, cut off from Kafka."""

import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from nipyapi import canvas

from f1_packets import PACKET_NAMES
from nifi import connection, definition, group, parameters, repository
from nifi.deploy import deploy
from nifi.errors import InvalidFlow, NotDeployed, Unreachable
from nifi.export import export
from nifi.status import status
from nifi.stop import stop
from pitlane import topics
from pitlane.settings import NifiSettings
from pitlane.stack.stack import Stack
from tests.flows import add_version, named, stack_with_copy
from tests.stacks import started
from udp_gateway import flowfile

FlowFile = tuple[dict[str, str], bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nifi")


@pytest.fixture(scope="module")
def own(folder: Path) -> Iterator[Stack]:
    """An empty NiFi, and Kafka with the topics; ours alone, since these tests stop Kafka and change the flow."""
    stack, _ = stack_with_copy(folder)
    with started(stack, stack.nifi.title, "Topics"):
        yield stack


@pytest.fixture(scope="module")
def deployed(settings: NifiSettings, own: Stack) -> NifiSettings:
    """The settings of a NiFi that runs the repo's first version, whichever test runs first."""
    deploy(settings, 1)
    return settings


def block(packet_id: int | str, shard: int = 0, size: int = 4000) -> FlowFile:
    attributes = {
        "packet.format": "2025",
        "packet.id": str(packet_id),
        "packet.name": PACKET_NAMES.get(packet_id, "unknown") if isinstance(packet_id, int) else "rejected",
        "block.id": secrets.token_hex(8),
        "block.count": "3",
        "shard": str(shard),
    }
    return attributes, secrets.token_bytes(size)


def post(settings: NifiSettings, blocks: list[FlowFile]) -> int:
    """The HTTP status that NiFi answers; over TLS with the gateway's certificate where `settings` have one."""
    is_secured = settings.nifi_blocks_certificate is not None
    request = urllib.request.Request(
        f"http{'s' * is_secured}://127.0.0.1:{settings.nifi_listen_port}/{settings.nifi_listen_path}",
        data=flowfile.pack(blocks),
        headers={"Content-Type": flowfile.CONTENT_TYPE},
    )
    try:
        context = settings.blocks_context() if is_secured else None
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def records(settings: NifiSettings, topic: str, wanted: set[str], timeout_s: float = 120) -> dict[str, ConsumerRecord]:
    """block.id → record for the blocks in `wanted`, as soon as all are in the topic, or what is there at the timeout."""
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    found: dict[str, ConsumerRecord] = {}
    deadline = time.monotonic() + timeout_s
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(settings.shards)])
        while not wanted <= found.keys() and time.monotonic() < deadline:
            for batch in consumer.poll(timeout_ms=200).values():
                for record in batch:
                    block_id = dict(record.headers).get("block.id", b"").decode()
                    assert block_id not in found, "a block stands twice in the topic"
                    found[block_id] = record
    finally:
        consumer.close()
    return {block_id: record for block_id, record in found.items() if block_id in wanted}


def test_a_nifi_that_is_not_there_or_has_no_flow_says_so(settings: NifiSettings) -> None:
    with pytest.raises(Unreachable):
        status(settings.model_copy(update={"nifi_url": "http://127.0.0.1:9/nifi-api"}))
    with pytest.raises(NotDeployed):
        status(settings)


def test_an_empty_nifi_gets_the_flow_and_a_second_run_changes_nothing(
    settings: NifiSettings, own: Stack, tmp_path: Path
) -> None:
    first = deploy(settings)
    assert (first["flow"], first["processors"]) == ("created", 5)
    state = status(settings)
    assert (state["running"], state["stopped"], state["invalid"], state["errors"]) == (5, 0, 0, [])

    # What NiFi says it has is the repository's version.
    exported = tmp_path / "flow.json"
    assert export(settings, exported)["changed"] is True
    version = repository.read(1)
    del version["snapshotMetadata"]
    assert exported.read_text() == definition.text(version)
    assert export(settings, exported)["changed"] is False
    with connection.to(settings):
        on_canvas = definition.parameters(group.read(group.get()))
        versions = [each.revision.version for each in canvas.list_all_processors(first["group"])]
    secret = dict.fromkeys(parameters.sensitive_values(settings), "")
    assert on_canvas == parameters.parameter_values(settings) | secret

    again = deploy(settings)
    assert again == {**first, "flow": "unchanged", "parameters": []}
    with connection.to(settings):
        assert [each.revision.version for each in canvas.list_all_processors(first["group"])] == versions

    # NiFi took the NARs that the install had unpacked, and did not unpack 250 MB for this home.
    for unpacked in (own.nifi.folder / "work/nar").glob("*/nifi-*"):
        assert unpacked.is_symlink(), unpacked


def test_every_packet_arrives_in_its_topic_byte_for_byte(deployed: NifiSettings) -> None:
    sent = {packet_id: [block(packet_id, shard) for shard in (0, 1)] for packet_id in PACKET_NAMES}
    assert post(deployed, [each for blocks in sent.values() for each in blocks]) == 200

    for packet_id, blocks in sent.items():
        wanted = {attributes["block.id"] for attributes, _ in blocks}
        found = records(deployed, topics.packet_topics()[packet_id], wanted)
        for attributes, content in blocks:
            record = found[attributes["block.id"]]
            assert record.value == content
            assert record.key is None
            assert record.partition == int(attributes["shard"])
            assert {key: value.decode() for key, value in record.headers} == attributes


def test_what_waits_goes_to_all_topics_in_step(deployed: NifiSettings) -> None:
    names = {0: "motion", 2: "lap_data"}
    waiting = {packet_id: [block(packet_id) for _ in range(60)] for packet_id in names}
    with connection.to(deployed):
        publisher = canvas.get_processor("Publish to Kafka", greedy=False)
        canvas.schedule_processor(publisher, False)
    try:
        for blocks in waiting.values():
            assert post(deployed, blocks) == 200
        deadline = time.monotonic() + 20
        while {q["name"]: q["queued"] for q in status(deployed)["queues"]} != dict.fromkeys(names.values(), 60):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        with connection.to(deployed):
            canvas.schedule_processor(canvas.get_processor(publisher.id, "id"), True)

    sent_at = {}
    for packet_id, blocks in waiting.items():
        ids = [attributes["block.id"] for attributes, _ in blocks]
        found = records(deployed, topics.packet_topics()[packet_id], set(ids))
        assert list(found) == ids, "in the order in which they were posted"
        sent_at[packet_id] = [found[each].timestamp for each in ids]
    # A batch has twelve of a topic: whichever topic comes first, the other begins before its third batch.
    assert sent_at[0][0] <= sent_at[2][24]
    assert sent_at[2][0] <= sent_at[0][24]


def test_what_has_no_topic_or_is_refused_goes_to_the_dead_letters_with_its_reason(deployed: NifiSettings) -> None:
    unknown = block(99)
    rejected = block("none")
    rejected[0]["reject.reason"] = "too_short"
    nameless: FlowFile = ({"block.id": secrets.token_hex(8)}, b"from somebody else")
    no_partition = block(6, shard=7)
    too_large = block(6, size=1_500_000)
    reasons = {
        "partition_invalid": no_partition,
        "record_too_large": too_large,
        "too_short": rejected,
        "unknown_packet": unknown,
        "unknown_packet ": nameless,
    }
    assert post(deployed, list(reasons.values())) == 200

    wanted = {attributes["block.id"] for attributes, _ in reasons.values()}
    found = records(deployed, topics.dead_letter(), wanted)
    for reason, (attributes, content) in reasons.items():
        record = found[attributes["block.id"]]
        headers = {key: value.decode() for key, value in record.headers}
        assert record.value == content
        assert headers["reject.reason"] == reason.strip()
        assert datetime.fromisoformat(headers["reject.time"]).tzinfo is not None
        if reason in ("partition_invalid", "record_too_large"):
            assert (headers["reject.topic"], bool(headers["reject.detail"])) == (topics.topic("car_telemetry"), True)
            assert abs(datetime.fromisoformat(headers["reject.time"]).timestamp() - time.time()) < 3600
        assert headers.items() >= attributes.items()
    assert not records(deployed, topics.topic("car_telemetry"), {no_partition[0]["block.id"]}, timeout_s=1)


def test_what_was_published_and_refused_is_counted_in_nifis_metrics(deployed: NifiSettings) -> None:
    accepted, refused = block(6), block(6, shard=7)
    assert post(deployed, [accepted, refused]) == 200
    assert records(deployed, topics.topic("car_telemetry"), {accepted[0]["block.id"]})
    assert records(deployed, topics.dead_letter(), {refused[0]["block.id"]})

    def counted(publisher: str) -> set[str]:
        with urllib.request.urlopen(f"{deployed.nifi_url}/flow/metrics/prometheus", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        ours = [line for line in lines if line.startswith("nifi_processor_counters") and publisher in line]
        return {name for line in ours for name in ("published", "rejected: partition_invalid") if f'"{name}"' in line}

    deadline = time.monotonic() + 20
    while counted("Publish to Kafka") != {"published", "rejected: partition_invalid"}:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert counted("Publish dead letters") == {"published"}


PARKED = {"refused even here": 1}


def test_what_even_the_dead_letters_refuse_waits_where_a_person_sees_it(deployed: NifiSettings) -> None:
    assert post(deployed, [block(6, size=3_000_000)]) == 200
    deadline = time.monotonic() + 20
    while (queues := {queue["name"]: queue["queued"] for queue in status(deployed)["queues"]}) != PARKED:
        assert time.monotonic() < deadline, queues
        time.sleep(0.2)


def test_another_place_has_other_parameters(deployed: NifiSettings) -> None:
    other = deploy(deployed.model_copy(update={"topic_prefix": "race"}))
    assert (other["flow"], other["parameters"]) == ("unchanged", ["topic.prefix"])
    back = deploy(deployed)
    assert (back["flow"], back["parameters"]) == ("unchanged", ["topic.prefix"])
    assert status(deployed)["queued"] == 1, "what was queued before stays"


def test_a_version_that_cannot_run_is_refused_in_words_and_the_one_before_runs_again(
    deployed: NifiSettings, folder: Path
) -> None:
    def break_it(contents: dict[str, Any]) -> None:
        named(contents, "processors", "Publish to Kafka")["properties"]["acks"] = "0"

    number = add_version(folder / "flows", break_it)
    with pytest.raises(InvalidFlow, match=r"Publish to Kafka.*acks"):
        deploy(deployed)
    assert status(deployed)["invalid"] == 1
    assert deploy(deployed, number - 1)["flow"] == "downgraded"
    assert post(deployed, [block(2)]) == 200


def test_a_flow_without_tls_is_upgraded_to_one_that_wants_certificates(deployed: NifiSettings, folder: Path) -> None:
    def open_it(contents: dict[str, Any]) -> None:
        contents["controllerServices"] = []
        receive = named(contents, "processors", "Receive blocks")
        del receive["properties"]["SSL Context Service"], receive["propertyDescriptors"]["SSL Context Service"]
        named(contents, "processors", "Publish to Kafka")["properties"].pop("acks", None)

    number = add_version(folder / "flows", open_it)
    plain = deployed.model_copy(update={"nifi_blocks_certificate": None})
    assert deploy(plain, number)["flow"] == "upgraded"
    assert post(plain, [block(2)]) == 200
    assert deploy(deployed, 1)["flow"] == "downgraded"
    assert post(deployed, [block(2)]) == 200


def test_a_stopped_flow_starts_again(deployed: NifiSettings) -> None:
    stop(deployed)
    assert status(deployed)["stopped"] == 5
    assert deploy(deployed, 1)["flow"] == "unchanged"
    assert status(deployed)["running"] == 5


def test_without_kafka_nifi_fills_answers_503_and_loses_nothing_even_when_killed(
    deployed: NifiSettings, own: Stack
) -> None:
    own.kafka.stop()
    accepted: set[str] = set()
    code = 200
    while code == 200:
        blocks = [block(2, shard, size=200) for shard in (0, 1) for _ in range(50)]
        code = post(deployed, blocks)
        if code == 200:
            accepted |= {attributes["block.id"] for attributes, _ in blocks}
        assert len(accepted) < 20_000, "back pressure never came"
    assert code == 503
    full = status(deployed)["queues"]
    assert {queue["name"] for queue in full if queue["percent"] >= 100} == {"blocks", "lap_data"}

    process = own.nifi.process()
    assert process is not None
    process.kill()
    own.nifi.stop()  # what a killed server leaves to clean up
    own.kafka.start()
    own.nifi.start()  # NiFi starts its flow again by itself
    found = records(deployed, topics.topic("lap_data"), accepted)
    assert found.keys() == accepted
    assert post(deployed, [block(2)]) == 200
