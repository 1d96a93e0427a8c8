"""A branch with DecodePackets on a real NiFi: blocks of every packet of every format, as JSON and as CSV, against
`pitlane tap` and an independent decoder; blocks that are none; and the branch as a version, in a second group, and after
NiFi was stopped or killed.
"""

import csv
import io
import json
import math
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest
from kafka.admin import KafkaAdminClient, NewTopic
from nipyapi import canvas
from nipyapi.nifi import FlowApi, FlowFileQueuesApi, ProcessorConfigDTO

from f1_packets import PACKETS, Packet, block
from nifi import connection, group
from nifi.commit import commit
from nifi.deploy import deploy
from nifi.diff import diff
from pitlane import tap, topics
from pitlane.settings import NifiSettings
from pitlane.stack.ports import Ports
from pitlane.stack.stack import Stack
from tests.datagrams import datagram
from tests.flows import stack_with_copy
from tests.integration.test_nifi_flow import FlowFile, post, records
from tests.peers import peer_decoder, values
from tests.stacks import started

UID = 0xFEDCBA9876543210
ARRIVAL = 1_750_000_000_000_000_001
DECODED = "f1.decoded"
WITHIN_S = 60

pytestmark = pytest.mark.timeout(900)


class Branches(NamedTuple):
    """Ids of the connections behind the processors that publish nothing."""

    cars: str
    players: str


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack, _ = stack_with_copy(tmp_path_factory.mktemp("decode"))
    with started(stack, stack.nifi.title, "Topics"):
        admin = KafkaAdminClient(bootstrap_servers=stack.kafka.address)
        admin.create_topics([NewTopic(DECODED, 2, 1)])
        admin.close()
        yield stack


@pytest.fixture(scope="module")
def branches(settings: NifiSettings) -> Branches:
    """The repository's first version with three branches: to a second topic, and into two queues."""
    deploy(settings, 1)
    with connection.to(settings):
        flow = group.get()
        router = find("Route by packet ID")
        every = [each.name for each in router.component.relationships if each.name != "unmatched"]
        dead = find("Publish dead letters")
        publish = add("Publish decoded", "PublishBlocks", properties(find("Publish to Kafka")) | {"Topic": DECODED})
        finish(publish, "success", "rejected")

        datagrams = decoder("Decode datagrams", {"Records": "Datagrams"})
        canvas.create_connection(datagrams, publish, ["success"])
        canvas.create_connection(datagrams, dead, ["failure"])
        queues = []
        for name, wanted in (
            ("Decode cars", {"Output Format": "CSV"}),
            ("Decode players", {"Output Format": "JSON Array", "Records": "Player Cars"}),
        ):
            each = finish(decoder(name, wanted), "failure")
            queues.append(canvas.create_connection(each, canvas.create_funnel(flow.id), ["success"]).id)
            feed(router, each, every)
        feed(router, datagrams, every)
        canvas.schedule_process_group(flow.id, True, identifier_type="id")
    return Branches(*queues)


def find(name: str) -> Any:
    return next(each for each in group.processors(group.get()) if each.component.name == name)


def properties(processor: Any) -> dict[str, str]:
    return dict(processor.component.config.properties)


def add(name: str, kind: str, wanted: dict[str, str]) -> Any:
    """A processor, once NiFi knows its properties: a Python one begins in the background."""
    types = canvas.list_all_processor_types().processor_types
    (chosen,) = (each for each in types if each.type.rpartition(".")[2] == kind)
    canvas.create_processor(group.get(), chosen, (3000.0, 0.0), name=name)
    wait(lambda: bool(properties(find(name))))
    return canvas.update_processor(find(name), ProcessorConfigDTO(properties=wanted))


def decoder(name: str, wanted: dict[str, str]) -> Any:
    return add(name, "DecodePackets", wanted)


def finish(processor: Any, *relationships: str) -> Any:
    return canvas.update_processor(processor, ProcessorConfigDTO(auto_terminated_relationships=list(relationships)))


def feed(router: Any, processor: Any, relationships: list[str]) -> Any:
    canvas.schedule_processor(router, False)
    return canvas.create_connection(router, processor, relationships)


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def queued(settings: NifiSettings, queue: str, count: int) -> list[FlowFile]:
    """The FlowFiles of a queue, once there are so many; they are taken out."""
    with connection.to(settings):
        flow = FlowApi()

        def waiting() -> int:
            return int(flow.get_connection_status(queue).connection_status.aggregate_snapshot.flow_files_queued)

        wait(lambda: waiting() >= count)
        api = FlowFileQueuesApi()
        asked = api.create_flow_file_listing(queue).listing_request
        while not asked.finished:
            asked = api.get_listing_request(queue, asked.id).listing_request
        found = []
        for each in asked.flow_file_summaries:
            attributes = api.get_flow_file(queue, each.uuid).flow_file.attributes
            url = f"{settings.nifi_url}/flowfile-queues/{queue}/flowfiles/{each.uuid}/content"
            with urllib.request.urlopen(url) as answer:
                found.append((attributes, answer.read()))
        canvas.purge_connection(queue)
        return found


def as_block(packet: Packet, *datagrams: bytes) -> FlowFile:
    attributes = {
        "packet.format": str(packet.format),
        "packet.id": str(packet.id),
        "packet.name": packet.name,
        "block.id": secrets.token_hex(8),
        "block.count": str(len(datagrams)),
        "shard": "1",
    }
    return attributes, b"".join(block.entry(ARRIVAL + n, f"rig-{n}", raw) for n, raw in enumerate(datagrams))


def of_any_bytes(packet: Packet) -> FlowFile:
    """Three datagrams whose headers say what they are, players 1 and 2, and whose bodies are random."""
    rng = np.random.default_rng(packet.format * 100 + packet.id)
    head = packet.format.to_bytes(2, "little") + b"\x19\x01\x00\x01" + bytes([packet.id])
    bodies = (rng.integers(0, 256, packet.size - 29, dtype=np.uint8).tobytes() for _ in range(3))
    middle = UID.to_bytes(8, "little") + bytes(12)
    return as_block(packet, *(head + middle + b"\x01\x02" + body for body in bodies))


def as_tap_prints(flow_file: FlowFile) -> list[bytes]:
    attributes, content = flow_file
    said = [(name, value.encode()) for name, value in attributes.items()]
    return [orjson.dumps(entry) for entry in tap.entries(said, content)]


def as_rows(packet: Packet, flow_file: FlowFile) -> list[dict[str, str]]:
    """What `pitlane tap` prints, as a CSV of cars should have it."""
    found = []
    for line in as_tap_prints(flow_file):
        told = json.loads(line)
        cars = told.pop("cars") if packet.num_cars else [{}]
        for number, car in enumerate(cars):
            index = {"car_index": number} if packet.num_cars else {}
            found.append({name: "" if leaf is None else str(leaf) for name, leaf in leaves({**told, **index, **car})})
    return found


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict | list):
        yield path[1:], value
        return
    for key, member in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(member, f"{path}.{key}")


def as_others_decode(packet: Packet, flow_file: FlowFile) -> list[list[Any]]:
    """Of each datagram another decoder's values in wire order; text, and what is no number, as we write them."""
    found = []
    for start in range(0, len(flow_file[1]), block.entry_bytes(packet.size)):
        raw = flow_file[1][start + block.PREFIX.size :][: packet.size]
        plain: list[Any] = []
        for value in values(peer_decoder(packet.format).resolve(raw)):
            if isinstance(value, bytes):
                plain.append(value.split(b"\0")[0].decode(errors="ignore"))
            else:
                plain.append(None if isinstance(value, float) and not math.isfinite(value) else value)
        found.append(plain)
    return found


def test_every_packet_arrives_decoded_in_a_second_topic_and_in_a_queue(
    settings: NifiSettings, branches: Branches
) -> None:
    sent = {packet: of_any_bytes(packet) for packet in PACKETS.values()}
    assert post(settings, list(sent.values())) == 200
    by_id = {attributes["block.id"]: packet for packet, (attributes, _) in sent.items()}

    in_topic = records(settings, DECODED, set(by_id))
    assert in_topic.keys() == by_id.keys()
    for block_id, record in in_topic.items():
        packet = by_id[block_id]
        lines = record.value.splitlines()
        assert lines == as_tap_prints(sent[packet]), f"{packet.format} {packet.name}"
        assert record.partition == 1
        if packet.name != "event":  # the other decoder keeps an event's union as bytes
            ours = [[leaf for _, leaf in leaves(json.loads(line))][2:] for line in lines]  # without arrival and rig
            assert ours == as_others_decode(packet, sent[packet]), f"{packet.format} {packet.name}"

    found = queued(settings, branches.cars, len(by_id))
    assert {attributes["block.id"] for attributes, _ in found} == by_id.keys()
    for attributes, content in found:
        packet = by_id[attributes["block.id"]]
        rows = list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))
        assert (attributes["mime.type"], attributes["record.count"]) == ("text/csv", str(len(rows)))
        # Each code of an event has members of its own, and the columns are those of all.
        expected = [dict.fromkeys(rows[0], "") | row for row in as_rows(packet, sent[packet])]
        assert rows == expected, f"{packet.format} {packet.name}"

    players = {
        attributes["block.id"]: content for attributes, content in queued(settings, branches.players, len(by_id))
    }
    for block_id, packet in by_id.items():
        cars = [record["car_index"] for record in json.loads(players[block_id]) if packet.num_cars]
        assert cars == ([1, 2] * 3 if packet.num_cars else []), f"{packet.format} {packet.name}"


def test_what_a_hand_wrote_is_what_arrives(settings: NifiSettings, branches: Branches) -> None:
    # CarDamageData 2025: tyres wear f32[4] at 0, front left wing damage u8 at 28
    pokes = {0: ("f", 12.5), 4: ("f", math.nan), 8: ("f", math.inf), 28: ("B", 99)}
    wanted = as_block(PACKETS[2025, 10], datagram(10, pokes, car=19, player=19, uid=UID))
    assert post(settings, [wanted]) == 200
    ((attributes, content),) = queued(settings, branches.players, 1)
    assert (attributes["mime.type"], attributes["record.count"]) == ("application/json", "1")
    (record,) = json.loads(content, parse_constant=pytest.fail)  # NaN and Infinity are no JSON
    assert (record["arrival_ns"], record["rig"], record["header"]["session_uid"]) == (ARRIVAL, "rig-0", UID)
    assert (record["car_index"], record["front_left_wing_damage"]) == (19, 99)
    assert record["tyres_wear_percent"] == [12.5, None, None, 0.0]
    ((_, content),) = queued(settings, branches.cars, 1)
    row = list(csv.DictReader(io.StringIO(content.decode(), newline="")))[19]
    assert [row[f"tyres_wear_percent.{wheel}"] for wheel in range(4)] == ["12.5", "", "", "0.0"]
    assert row["header.session_uid"] == str(UID)


def test_what_is_no_block_goes_on_as_it_came_and_says_why(settings: NifiSettings, branches: Branches) -> None:
    packet = PACKETS[2025, 10]
    good = datagram(10)
    damaged = {
        "wrong_size": as_block(packet, good, good[:-1]),
        "too_short": (as_block(packet)[0], b"short"),
        "unknown_format": as_block(packet, b"\xe6\x07" + good[2:]),
        "unknown_packet": as_block(packet, good[:6] + b"\x63" + good[7:]),
        "mixed_packets": as_block(packet, good, good[:6] + b"\x06" + good[7:]),
    }
    assert post(settings, list(damaged.values())) == 200
    found = records(settings, topics.dead_letter(), {attributes["block.id"] for attributes, _ in damaged.values()})
    for reason, (attributes, content) in damaged.items():
        record = found[attributes["block.id"]]
        assert record.value == content
        headers = {name: value.decode() for name, value in record.headers}
        assert headers == attributes | {"reject.reason": reason}
    # It waits nowhere and is not tried again; the next good block is decoded.
    after = as_block(packet, good)
    assert post(settings, [after]) == 200
    (block_id,) = {after[0]["block.id"]}
    assert records(settings, DECODED, {block_id})[block_id].value.splitlines() == as_tap_prints(after)
    queued(settings, branches.cars, 1)
    queued(settings, branches.players, 1)


def test_a_field_that_no_packet_has_is_refused_on_the_canvas(settings: NifiSettings, branches: Branches) -> None:
    with connection.to(settings):
        each = finish(
            decoder("Decode nothing", {"Fields": "car_index, speed, header.session_uid"}), "success", "failure"
        )
        feed(find("Route by packet ID"), each, ["car_damage"])
        wait(lambda: bool(find("Decode nothing").component.validation_errors))
        (error,) = find("Decode nothing").component.validation_errors
        assert "no packet has speed in such a record" in error
        canvas.update_processor(
            find("Decode nothing"), ProcessorConfigDTO(properties={"Fields": "car_index, speed_kmh"})
        )
        wait(lambda: find("Decode nothing").component.validation_status == "VALID")
        canvas.delete_processor(find("Decode nothing"), force=True)
        canvas.schedule_process_group(group.get().id, True, identifier_type="id")


def test_a_branch_is_part_of_a_version_and_runs_elsewhere(
    settings: NifiSettings, branches: Branches, own: Stack
) -> None:
    with connection.to(settings):
        before = properties(find("Decode cars"))
        assert before == {"Output Format": "CSV", "Records": "Cars", "Fields": None}
    assert commit(settings, "Decoded packets")["version"] == 2
    assert diff(settings)["changes"] == []

    elsewhere = settings.model_copy(update={"nifi_listen_port": Ports.free().nifi_listen})
    second = deploy(elsewhere, name="second")
    assert (second["flow"], second["version"]) == ("created", 2)
    mine, other = as_block(PACKETS[2025, 10], datagram(10)), as_block(PACKETS[2025, 6], datagram(6))
    assert post(settings, [mine]) == 200
    assert post(elsewhere, [other]) == 200
    wanted = {each[0]["block.id"]: each for each in (mine, other)}
    for block_id, record in records(settings, DECODED, set(wanted)).items():
        assert record.value.splitlines() == as_tap_prints(wanted.pop(block_id))
    assert not wanted
    for queue in branches:
        queued(settings, queue, 1)

    # NiFi made no environment for them, so it asked no pip.
    assert not (own.nifi.folder / "work" / "python" / "extensions").exists()


def test_the_branch_runs_on_after_nifi_was_stopped(settings: NifiSettings, branches: Branches, own: Stack) -> None:
    with connection.to(settings):
        for run in (False, True):
            canvas.schedule_processor(find("Route by packet ID"), run)
    own.nifi.stop()  # at once: NiFi has not written yet that the router runs
    own.nifi.start()
    arrives_once(settings, branches, set())


def test_what_waits_before_the_decoders_arrives_once_after_nifi_was_killed(
    settings: NifiSettings, branches: Branches, own: Stack
) -> None:
    process = own.nifi.process()
    assert process is not None
    for python in process.children():
        python.suspend()
    blocks = [as_block(PACKETS[2025, 10], datagram(10)) for _ in range(20)]
    waiting = {attributes["block.id"] for attributes, _ in blocks}
    assert post(settings, blocks) == 200
    # The router gives a block to its own topic and to the decoders at once.
    assert records(settings, topics.topic("car_damage"), waiting).keys() == waiting
    assert not records(settings, DECODED, waiting, timeout_s=1)

    process.kill()
    own.nifi.stop()  # what a killed server leaves to clean up
    own.nifi.start()
    arrives_once(settings, branches, waiting)


def arrives_once(settings: NifiSettings, branches: Branches, waiting: set[str]) -> None:
    """Those blocks, and one that is posted now, go through all three branches once."""
    block = as_block(PACKETS[2025, 10], datagram(10))
    wait(lambda: accepted(settings, block))
    wanted = waiting | {block[0]["block.id"]}
    assert records(settings, DECODED, wanted).keys() == wanted
    for queue in branches:
        came = [attributes["block.id"] for attributes, _ in queued(settings, queue, len(wanted))]
        assert sorted(came) == sorted(wanted)


def accepted(settings: NifiSettings, flow_file: FlowFile) -> bool:
    try:
        return post(settings, [flow_file]) == 200
    except OSError:  # a NiFi that has just started opens the port a little later
        return False
