"""Dead letters on a NiFi and a Kafka of their own: how each kind comes to be, what the command says, and back again."""

import json
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    ConfigResourceType,
    ResourcePattern,
    ResourceType,
)
from kafka.consumer.fetcher import ConsumerRecord
from typer.testing import CliRunner, Result

from nifi.deploy import deploy
from nifi.parked import parked
from pitlane import topics
from pitlane.cli_dead_letters import app
from pitlane.dead_letters import NoLetter
from pitlane.settings import NifiSettings
from pitlane.stack.broker import Broker
from pitlane.stack.stack import TOOLS, Stack
from tests.datagrams import datagram
from tests.integration.test_nifi_flow import FlowFile, post
from tests.integration.test_stack import pitlane
from tests.stacks import started

ARRIVAL = 1_750_000_000_000_000_001


class GuardedBroker(Broker):
    """Kafka that asks who may do what: everybody, where nothing is written down."""

    def prepare(self) -> None:
        super().prepare()
        with self._properties.open("a") as properties:
            properties.write("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n")
            properties.write("allow.everyone.if.no.acl.found=true\n")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """NiFi with the flow, and a Kafka that can be told to refuse."""
    stack = Stack.ephemeral(tmp_path_factory.mktemp("dlq") / "stack")
    stack.kafka = GuardedBroker(stack.home, TOOLS / "broker", stack.ports.kafka, stack.ports.kafka_controller)
    with started(stack, "Flow"):
        yield stack


@pytest.fixture
def admin(own: Stack) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=own.kafka.address)
    yield client
    client.close()


def block(packet_id: str, datagrams: list[bytes], shard: int = 0, **more: str) -> FlowFile:
    """As the gateway posts it."""
    entries = [struct.pack("<Q16s", ARRIVAL + n, b"rig-7") + raw for n, raw in enumerate(datagrams)]
    attributes = {
        "packet.format": "2025",
        "packet.id": packet_id,
        "packet.name": {"6": "car_telemetry", "0": "motion", "none": "rejected"}.get(packet_id, "unknown"),
        "block.id": f"{secrets.token_hex(8)}-00000000",
        "block.count": str(len(datagrams)),
        "block.bytes": str(len(entries[0])),
        "block.first_arrival_ns": str(ARRIVAL),
        "shard": str(shard),
    }
    return attributes | {name.replace("_", "."): value for name, value in more.items()}, b"".join(entries)


def first(settings: NifiSettings, topic: str, is_it: Callable[[ConsumerRecord], bool]) -> ConsumerRecord:
    """The first such record in the topic, as soon as it is there."""
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    deadline = time.monotonic() + 60
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(settings.shards)])
        while time.monotonic() < deadline:
            for batch in consumer.poll(timeout_ms=200).values():
                for record in batch:
                    if is_it(record):
                        return record
    finally:
        consumer.close()
    raise AssertionError(f"{topic} has no such record")


def arrived(settings: NifiSettings, topic: str, flow_file: FlowFile) -> ConsumerRecord:
    wanted = ("block.id", flow_file[0]["block.id"].encode())
    return first(settings, topic, lambda record: wanted in record.headers)


def letter_of(settings: NifiSettings, flow_file: FlowFile) -> ConsumerRecord:
    return arrived(settings, topics.dead_letter(), flow_file)


def headers(record: ConsumerRecord) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


def where(record: ConsumerRecord) -> str:
    return f"{record.partition}:{record.offset}"


def dlq(own: Stack, *arguments: str) -> Result:
    """The command in this process, which spares the seconds that a new one takes to load."""
    return CliRunner().invoke(app, arguments, env=own.values)


def listed(own: Stack, *options: str) -> dict[str, dict[str, object]]:
    """`pitlane dlq list --json` by name."""
    ended = dlq(own, "list", "--json", *options)
    assert ended.exit_code == 0, ended.output
    return {each["where"]: each for each in json.loads(ended.stdout)["dead_letters"]}


def test_a_topic_without_dead_letters_is_no_error(own: Stack) -> None:
    ended = pitlane(own, "dlq", "list")
    assert (ended.returncode, ended.stdout) == (0, "0 open, 0 sent again\n"), ended.stderr
    ended = pitlane(own, "dlq", "redrive", "--all")
    assert (ended.returncode, ended.stdout) == (0, "0 sent again, 0 left as they are\n")


def test_a_forbidden_topic_then_allowed(own: Stack, settings: NifiSettings, admin: KafkaAdminClient) -> None:
    motion = ResourcePattern(ResourceType.TOPIC, "f1.motion")
    rules = [
        ACL("User:ANONYMOUS", "*", ACLOperation.ALL, ACLPermissionType.ALLOW, motion),
        ACL("User:ANONYMOUS", "*", ACLOperation.WRITE, ACLPermissionType.DENY, motion),
    ]
    admin.create_acls(rules)
    sent = block("0", [datagram(0), datagram(0, frame=701)], shard=1)
    assert post(settings, [sent, other := block("6", [datagram(6)])]) == 200
    letter = letter_of(settings, sent)
    assert letter.value == sent[1]
    assert headers(letter).items() >= sent[0].items()
    assert (headers(letter)["reject.reason"], headers(letter)["reject.topic"]) == ("topic_forbidden", "f1.motion")
    assert arrived(settings, "f1.car_telemetry", other).value == other[1], "others are not held up"

    (found,) = [each for each in listed(own).values() if each["where"] == where(letter)]
    assert found == found | {
        "reason": "topic_forbidden", "packet": "motion 2025", "topic": "f1.motion", "rigs": ["rig-7"],
        "datagrams": 2, "bytes": len(sent[1]), "redriven": None,
    }  # fmt: skip

    # Sent again too early: it comes back, as another one, and nothing else happens.
    ended = dlq(own, "redrive", where(letter))
    assert ended.exit_code == 0, ended.output
    back = wait_for_another(own, letter)
    assert listed(own)[back] == found | {"where": back, "time": listed(own)[back]["time"]}
    assert listed(own, "--all")[where(letter)]["redriven"] is not None
    assert where(letter) not in listed(own)

    admin.delete_acls(rules)
    ended = dlq(own, "redrive", "--reason", "topic_forbidden")
    assert ended.exit_code == 0, ended.output
    assert "1 sent again, 0 left" in ended.stdout
    record = arrived(settings, "f1.motion", sent)
    assert (record.value, record.partition) == (sent[1], 1)
    assert headers(record) == sent[0] | {"block.redrives": "2"}
    assert not listed(own, "--reason", "topic_forbidden")

    # Sent again once more: nothing happens.
    offsets = own.kafka.record_counts()
    ended = dlq(own, "redrive", back, where(letter))
    assert ended.exit_code == 0, ended.output
    assert "0 sent again, 2 left" in ended.stdout
    assert own.kafka.record_counts() == offsets


def wait_for_another(own: Stack, letter: ConsumerRecord) -> str:
    """The name of the newest open one that is not this."""
    deadline = time.monotonic() + 60
    while not (others := [each for each in listed(own) if each != where(letter)]):
        assert time.monotonic() < deadline
    return others[-1]


def test_a_record_too_large_then_taken(own: Stack, settings: NifiSettings, admin: KafkaAdminClient) -> None:
    def allow(size: int) -> None:
        config = {"max.message.bytes": str(size)}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "f1.car_telemetry", config)])

    allow(5000)
    sent = block("6", [secrets.token_bytes(1352) for _ in range(4)])
    assert post(settings, [sent]) == 200
    letter = letter_of(settings, sent)
    assert headers(letter)["reject.reason"] == "record_too_large"
    assert letter.value == sent[1]

    allow(1_000_000)
    ended = dlq(own, "redrive", where(letter), "--json")
    assert json.loads(ended.stdout) == {"sent": [where(letter)], "left": {}}
    record = arrived(settings, "f1.car_telemetry", sent)
    assert (record.value, headers(record)) == (sent[1], sent[0] | {"block.redrives": "1"})


def test_an_unknown_packet_is_told_and_comes_back_once(own: Stack, settings: NifiSettings) -> None:
    raw = struct.pack("<HBBBBB", 2025, 25, 1, 18, 1, 99) + bytes(40)
    sent = block("99", [raw])
    assert post(settings, [sent]) == 200
    letter = letter_of(settings, sent)
    assert letter.value == sent[1]
    assert listed(own)[where(letter)]["reason"] == "unknown_packet"

    shown = dlq(own, "show", where(letter))
    assert shown.exit_code == 0, shown.stderr
    for words in (
        "packet.id",
        "99",
        "rig rig-7",
        "unknown_packet: packet ID 99 of format 2025",
        "e9 07 19 01 12 01 63",
    ):
        assert words in shown.stdout
    assert dlq(own, "redrive", where(letter)).exit_code == 0
    back = wait_for_another(own, letter)
    # What came of it goes nowhere by itself: one posted after it passes through, and nothing beside it.
    assert post(settings, [later := block("99", [raw])]) == 200
    assert set(listed(own)) | {where(letter_of(settings, later))} == {back, where(letter_of(settings, later))}
    told = json.loads(dlq(own, "show", back, "--json").stdout)
    assert told["headers"].items() >= (sent[0] | {"block.redrives": "1"}).items()


def test_what_the_gateway_rejected_goes_when_it_is_a_packet_by_now(
    own: Stack, settings: NifiSettings, tmp_path: Path
) -> None:
    junk = block("none", [b"\x00" * 40], reject_reason="unknown_format", packet_format="none")
    late = block("none", [datagram(6), datagram(6, frame=9)], reject_reason="unknown_packet", packet_format="none")
    assert post(settings, [junk, late]) == 200
    letters = {name: where(letter_of(settings, each)) for name, each in {"junk": junk, "late": late}.items()}

    ended = dlq(own, "redrive", *letters.values())
    assert ended.exit_code == 1
    assert "1 sent again, 1 left" in ended.stdout
    assert "unknown_format 1" in ended.stdout
    record = arrived(settings, "f1.car_telemetry", late)
    assert record.value == late[1]
    wanted = late[0] | {
        "packet.format": "2025",
        "packet.id": "6",
        "packet.name": "car_telemetry",
        "block.redrives": "1",
    }
    wanted.pop("reject.reason")
    assert headers(record) == wanted
    assert letters["junk"] in listed(own, "--reason", "unknown_format")
    assert letters["late"] not in listed(own)

    file = tmp_path / "junk.bin"
    shown = dlq(own, "show", letters["junk"], "--raw", str(file), "--json")
    assert file.read_bytes() == junk[1]
    (entry,) = json.loads(shown.stdout)["entries"]
    assert (entry["rig"], entry["datagram"]) == ("rig-7", "00" * 40)
    assert entry["problem"] == "unknown_format: format 0, and known are 2023 to 2026"


def test_what_is_no_block_is_shown_as_it_is(own: Stack, settings: NifiSettings) -> None:
    foreign: FlowFile = ({"block.id": secrets.token_hex(8), "reject.reason": "\x1b[31m[bold]"}, b"from somebody else")
    assert post(settings, [foreign]) == 200
    letter = letter_of(settings, foreign)
    shown = dlq(own, "show", where(letter))
    assert "|from somebody el|" in shown.stdout
    ended = dlq(own, "list")
    assert "[bold]" in ended.stdout
    assert "\x1b" not in shown.stdout + ended.stdout, "nobody's bytes reach the terminal as commands"


def test_list_can_be_narrowed(own: Stack) -> None:
    everything = listed(own, "--all")
    reasons = {each["reason"] for each in everything.values()}
    assert reasons > {"topic_forbidden", "record_too_large", "unknown_packet", "unknown_format"}
    assert list(listed(own, "--all", "--limit", "2")) == list(everything)[-2:]
    times = [str(each["time"]) for each in everything.values()]
    assert times == sorted(times)
    assert list(listed(own, "--all", "--since", times[-1])) == [
        name for name, each in everything.items() if each["time"] == times[-1]
    ]
    assert listed(own, "--all", "--since", "1h") == everything
    assert {each["reason"] for each in listed(own, "--all", "--reason", "unknown_format").values()} == {
        "unknown_format"
    }
    for wrong in (["list", "--since", "soon"], ["redrive"], ["redrive", "0:1", "--all"]):
        assert dlq(own, *wrong).exit_code == 2
    for nothing in (["show", "0:99999"], ["show", "7:0"], ["show", "x"], ["redrive", "0:99999"]):
        assert isinstance(dlq(own, *nothing).exception, NoLetter)


def test_a_mark_is_no_dead_letter(own: Stack, settings: NifiSettings) -> None:
    mark = first(settings, topics.dead_letter(), lambda record: "redrive.of" in headers(record))
    assert where(mark) not in listed(own, "--all")
    assert isinstance(dlq(own, "show", where(mark)).exception, NoLetter)
    ended = pitlane(own, "tap", "dead_letter")
    assert ended.returncode == 0, ended.stderr
    told = list(map(json.loads, ended.stdout.splitlines()))
    assert where(mark) not in {f"{each['shard']}:{each['offset']}" for each in told}
    assert all(each["reject_reason"] for each in told)


def test_what_even_the_dead_letters_refuse_is_told(own: Stack, settings: NifiSettings) -> None:
    assert parked(settings) == 0
    assert post(settings, [block("6", [secrets.token_bytes(1352) for _ in range(2000)])]) == 200
    deadline = time.monotonic() + 60
    while not parked(settings):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for command in (["dlq", "list"], ["flow", "status"]):
        assert "1 refused even as dead letters" in pitlane(own, *command).stdout
    assert json.loads(dlq(own, "list", "--json").stdout)["parked"] == 1


def test_while_nifi_is_away_nothing_is_marked(own: Stack, settings: NifiSettings) -> None:
    sent = block("6", [datagram(6)], shard=9)
    assert post(settings, [sent]) == 200
    name = where(letter_of(settings, sent))
    own.nifi.stop()
    try:
        ended = pitlane(own, "dlq", "redrive", name)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
        assert "NiFi does not answer" in ended.stderr
        assert name in listed(own)
        assert "what waits in NiFi is not known" in dlq(own, "list").stdout
    finally:
        own.nifi.start()
    deploy(settings)
    assert dlq(own, "redrive", name).exit_code == 0
    own.kafka.stop()
    ended = pitlane(own, "dlq", "list")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "kafka down" in ended.stderr
