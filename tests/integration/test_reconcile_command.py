"""`pitlane reconcile` on a running stack: it closes over what was sent, and names the sum that somebody broke."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from nipyapi import canvas
from nipyapi.nifi import ProcessorConfigDTO

from nifi import connection
from nifi.queued import queued
from pitlane import capture, replay, topics
from pitlane.settings import KafkaSettings, MigrationSettings, NifiSettings
from pitlane.stack.stack import Stack
from pitlane.topic_setup import create
from tests.datagrams import datagram, session
from tests.driving import drive
from tests.integration.test_stack import pitlane
from tests.shared import RACE_2026, needs_recordings


def reconcile(stack: Stack, wait_s: float = 60) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the equations by name."""
    ended = pitlane(stack, "reconcile", "--json", "--wait", str(wait_s))
    assert ended.stdout, ended.stderr
    return ended.returncode, {each["name"]: each for each in json.loads(ended.stdout)["equations"]}


def value(equation: dict[str, Any], side: str, term: str) -> int:
    return int(equation[side][term]["value"])


@pytest.fixture(scope="module")
def driven(stack: Stack) -> int:
    """The stack after a recording, junk, and packets of menus; how many datagrams of them went to Kafka."""
    junk = [b"", b"\x00" * 40, struct.pack("<H", 2025) + bytes(26), b"GET / HTTP/1.1\r\n" * 4]
    menus = [session(uid=0)] * 3 + [datagram(6, uid=0)] * 5
    race = [found.payload for found in capture.read(RACE_2026)]
    everything = [*race[:3000], *junk, *menus, *race[3000:]]
    drive(stack, ((number * 0.001, raw) for number, raw in enumerate(everything)), speed=2.0)
    return sum(raw[6:7] != b"\x01" for raw in race) + len(junk) + 5


@needs_recordings
def test_it_closes_over_a_recording_junk_and_menus(stack: Stack, driven: int) -> None:
    code, found = reconcile(stack)
    assert {name: each["closes"] for name, each in found.items()} == dict.fromkeys(found, True)
    assert (code, list(found)) == (0, ["gateway", "dead letters", "Kafka", "Spark"])
    assert value(found["gateway"], "right", "skipped") >= 3
    assert value(found["dead letters"], "right", "forwarded") >= 4
    in_kafka = value(found["Kafka"], "right", "in Kafka")
    assert in_kafka >= driven
    assert value(found["Spark"], "right", "read by Spark") >= driven - 4
    # What a person sees says the same.
    ended = pitlane(stack, "reconcile")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [line.split()[0] for line in ended.stdout.splitlines() if line[0] != " "] == ["✓"] * 4
    assert f"in Kafka {in_kafka:,} + in NiFi 0" in ended.stdout


@contextmanager
def stray_record(stack: Stack, ledger: str) -> Iterator[str]:
    """A record of 7 datagrams that says it is of this ledger, in a topic that nothing else writes; yields its name.

    The topic is made anew afterwards: a deleted record would stay a doubt.
    """
    settings = stack.settings(KafkaSettings)
    name = topics.topic("session", settings.topic_prefix)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    try:
        producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap)
        headers = [("block.id", f"{ledger}-7fffffff".encode()), ("block.count", b"7")]
        producer.send(name, b"whatever", partition=0, headers=headers).get(timeout=30)
        producer.close()
        yield name
    finally:
        admin.delete_topics([name])
        while name in admin.list_topics():
            time.sleep(0.05)
        create(admin, settings.shards, settings.topic_prefix)
        admin.close()


@needs_recordings
def test_a_record_that_the_gateway_never_sent_is_noticed(stack: Stack, driven: int) -> None:
    with stray_record(stack, stack.gateway.status()["ledger"]):
        code, found = reconcile(stack, wait_s=5)
        assert code == 1
        assert [name for name, each in found.items() if each["closes"] is False] == ["Kafka"]
        assert found["Kafka"]["difference"] == -7
        assert "7 too many" in found["Kafka"]["remarks"]
        ended = pitlane(stack, "reconcile")
    assert ended.returncode == 1
    assert [line.split()[1] for line in ended.stdout.splitlines() if line.startswith("✗")] == ["Kafka"]


@needs_recordings
def test_another_ledgers_record_is_said_beside(stack: Stack, driven: int) -> None:
    with stray_record(stack, "somebody-elses"):
        code, found = reconcile(stack)
        assert code == 0
        assert any("of other ledgers" in remark for remark in found["Kafka"]["remarks"])


@needs_recordings
def test_what_kafka_has_deleted_is_not_claimed(stack: Stack, driven: int) -> None:
    with stray_record(stack, "somebody-elses") as topic:
        admin = KafkaAdminClient(bootstrap_servers=stack.settings(KafkaSettings).kafka_bootstrap)
        admin.delete_records({TopicPartition(topic, 0): 1})
        admin.close()
        code, found = reconcile(stack, wait_s=0)
    assert (code, found["Kafka"]["closes"], found["Spark"]["closes"]) == (3, None, True)
    assert f"oldest 1 records of {topic};" in found["Kafka"]["remarks"][0]


@needs_recordings
def test_nothing_is_called_wrong_while_datagrams_move(stack: Stack, driven: int) -> None:
    race = list(replay.recorded(RACE_2026))
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(replay.send, race, port=stack.ports.udp, speed=0.5)
        seen = []
        while not sending.done():
            code, found = reconcile(stack, wait_s=0)
            seen.append((code, found["Kafka"]["closes"]))
            assert code in (0, 3), found
            assert (found["gateway"]["closes"], found["Spark"]["closes"]) == (True, True)
    assert (3, None) in seen, "counted while they moved"
    assert reconcile(stack)[0] == 0


@needs_recordings
def test_a_batch_that_the_ledger_lacks_is_noticed(stack: Stack, driven: int) -> None:
    # Once more, so that each topic is in a later batch too.
    drive(stack, replay.recorded(RACE_2026), speed=4.0)
    oldest = "SELECT query_id, batch_id FROM core.ledger WHERE datagrams > 0 ORDER BY written_at LIMIT 1"
    with psycopg.connect(stack.settings(MigrationSettings).conninfo("owner"), autocommit=True) as owner:
        owner.execute(f"CREATE TABLE core.aside AS SELECT * FROM core.ledger WHERE (query_id, batch_id) = ({oldest})")
        ((lacking,),) = owner.execute("SELECT datagrams FROM core.aside").fetchall()
        owner.execute(f"DELETE FROM core.ledger WHERE (query_id, batch_id) = ({oldest})")
        try:
            code, found = reconcile(stack, wait_s=0)
        finally:
            owner.execute("INSERT INTO core.ledger SELECT * FROM core.aside")
            owner.execute("DROP TABLE core.aside")
    assert code == 1
    assert [name for name, each in found.items() if each["closes"] is False] == ["Spark"]
    assert found["Spark"]["difference"] == lacking
    assert f"{lacking:,} missing" in found["Spark"]["remarks"]
    assert reconcile(stack)[0] == 0


@contextmanager
def publishing_stopped(stack: Stack) -> Iterator[NifiSettings]:
    """NiFi takes blocks and keeps them: what publishes does not run."""
    settings = stack.settings(NifiSettings)
    with connection.to(settings):
        publishers = [each for each in canvas.list_all_processors() if each.component.type.endswith("PublishBlocks")]
        assert publishers
        for each in publishers:
            canvas.schedule_processor(each, False)
    try:
        yield settings
    finally:
        with connection.to(settings):
            for each in publishers:
                canvas.schedule_processor(canvas.get_processor(each.id, "id"), True)


@needs_recordings
def test_what_waits_in_nifi_is_counted_there(stack: Stack, driven: int) -> None:
    def sent() -> int:
        status = stack.gateway.status()
        return int(status["forwarded"]) + int(status["dead_letter"]["forwarded"])

    with publishing_stopped(stack) as settings:
        before = sent()
        drive_until_nifi_has(stack, [datagram(6, frame=n, overall_frame=n) for n in range(1, 31)] + [b"junk"])
        assert sent() - before == 31
        assert sum(queued(settings)["blocks"].values()) == 31
        code, found = reconcile(stack, wait_s=2)
        assert (code, value(found["Kafka"], "right", "in NiFi")) == (0, 31)
        # More blocks than NiFi lists of a queue: how many datagrams these are cannot be told.
        for n in range(120):
            drive_until_nifi_has(stack, [datagram(6, frame=n, overall_frame=n)])
        code, found = reconcile(stack, wait_s=0)
        assert (code, found["Kafka"]["closes"]) == (3, None)
        assert "blocks that it does not show" in found["Kafka"]["remarks"][0]
    code, found = reconcile(stack)
    assert (code, value(found["Kafka"], "right", "in NiFi")) == (0, 0)


@contextmanager
def small_records_only(stack: Stack) -> Iterator[None]:
    """What publishes takes no block of more than 1 KB: they become dead letters."""

    def allow(size: str) -> str:
        with connection.to(stack.settings(NifiSettings)):
            publisher = canvas.get_processor("Publish to Kafka", greedy=False)
            canvas.schedule_processor(publisher, False)
            before: str = publisher.component.config.properties["Max Request Size"]
            publisher = canvas.get_processor(publisher.id, "id")
            canvas.update_processor(publisher, ProcessorConfigDTO(properties={"Max Request Size": size}))
            canvas.schedule_processor(canvas.get_processor(publisher.id, "id"), True)
        return before

    before = allow("1 KB")
    try:
        yield
    finally:
        allow(before)


def test_a_dead_letter_counts_once_also_when_it_was_sent_again(stack: Stack) -> None:
    code, found = reconcile(stack)
    assert code == 0
    in_kafka, read = value(found["Kafka"], "right", "in Kafka"), value(found["Spark"], "right", "read by Spark")
    with small_records_only(stack):
        drive_until_nifi_has(stack, [datagram(6, uid=7, frame=n, overall_frame=n) for n in range(1, 4)])
        code, found = reconcile(stack)
    assert (code, value(found["Kafka"], "right", "in Kafka")) == (0, in_kafka + 3)
    assert value(found["Spark"], "right", "read by Spark") == read

    ended = pitlane(stack, "dlq", "redrive", "--reason", "record_too_large")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    redriven = "beside these 3 datagrams stand there again, redriven from the dead letters"
    deadline = time.monotonic() + 120
    while True:
        code, found = reconcile(stack)
        assert (code, value(found["Kafka"], "right", "in Kafka")) == (0, in_kafka + 3)
        if redriven in found["Kafka"]["remarks"]:
            break
        assert time.monotonic() < deadline
    assert value(found["Spark"], "right", "read by Spark") == read + 3


def drive_until_nifi_has(stack: Stack, datagrams: list[bytes]) -> None:
    """Sends, and returns when the gateway has handed all of it over."""
    received = stack.gateway.status()["received"] + len(datagrams)
    with socket.socket(type=socket.SOCK_DGRAM) as out:
        for raw in datagrams:
            out.sendto(raw, ("127.0.0.1", stack.ports.udp))
    while True:
        status = stack.gateway.status()
        if status["received"] == received and not status["waiting"] and not status["dead_letter"]["waiting"]:
            return
        time.sleep(0.02)


def test_a_gateway_that_is_away_is_no_answer(stack: Stack) -> None:
    stack.gateway.stop()
    try:
        ended = pitlane(stack, "reconcile")
        assert ended.returncode == 3
        assert "the gateway does not answer" in ended.stderr
    finally:
        stack.gateway.start()
