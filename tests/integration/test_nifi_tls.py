"""Who may post blocks to a real NiFi, and what a gateway does that may not."""

import asyncio
import http.client
import shutil
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from rich.console import Console

from nifi import connection, group
from nifi.deploy import deploy
from pitlane import topics
from pitlane.certificates import ensure
from pitlane.settings import CertificateSettings, NifiSettings
from pitlane.stack.stack import Stack
from pitlane.tls import Files, client_context, told
from tests.datagrams import datagram
from tests.gateway import GatewayProcess, gateway_process, send
from tests.stacks import started
from udp_gateway import flowfile


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """NiFi with the flow, and Kafka; ours alone, since these tests change its passwords."""
    stack = Stack.ephemeral(tmp_path_factory.mktemp("tls") / "stack")
    with started(stack, "Flow"):
        yield stack


@pytest.fixture(scope="module")
def ours(own: Stack) -> Files:
    return Files(own.home / "tls")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The certificates of another stack."""
    folder = tmp_path_factory.mktemp("other")
    ensure(CertificateSettings(_env_file=None, tls=folder, nifi_keystore_password="a", nifi_truststore_password="b"))
    return Files(folder)


@pytest.fixture(scope="module")
def expired(own: Stack, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Certificates of our CA, made so long ago that they ended last month."""
    folder = tmp_path_factory.mktemp("expired") / "tls"
    shutil.copytree(own.home / "tls", folder, ignore=shutil.ignore_patterns("gateway.*"))
    ensure(
        own.settings(CertificateSettings).model_copy(update={"tls": folder}), datetime.now(UTC) - timedelta(days=400)
    )
    return Files(folder)


def posted(settings: NifiSettings, context: ssl.SSLContext | None) -> int | str:
    """The status that NiFi answers to a block, or what TLS says against it."""
    scheme = "https" if context else "http"
    request = urllib.request.Request(
        f"{scheme}://127.0.0.1:{settings.nifi_listen_port}/{settings.nifi_listen_path}",
        data=flowfile.pack([({"packet.id": "99"}, b"from somebody")]),
        headers={"Content-Type": flowfile.CONTENT_TYPE},
    )
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return told(error) or "cut off"  # of a POST a client may see the end before it hears why
    except http.client.HTTPException:
        return "no HTTP"


def connected(settings: NifiSettings, context: ssl.SSLContext) -> str | None:
    """The version of TLS; ssl.SSLError when we do not trust NiFi."""
    with (
        socket.create_connection(("127.0.0.1", settings.nifi_listen_port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return secured.version()


def in_kafka(own: Stack, topic: str) -> list[bytes]:
    """Every datagram of a topic, without arrival time and rig (24 bytes)."""
    consumer = KafkaConsumer(bootstrap_servers=own.kafka.address, consumer_timeout_ms=1000)
    found = []
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        for record in consumer:
            length = int(dict(record.headers)["block.bytes"])
            found += [record.value[at + 24 : at + length] for at in range(0, len(record.value), length)]
    finally:
        consumer.close()
    return found


def test_only_the_gateways_certificate_may_post(
    settings: NifiSettings, ours: Files, other: Files, expired: Files
) -> None:
    def of(files: Files, role: str) -> ssl.SSLContext:
        return client_context(ours.ca, files.certificate(role), files.key(role))

    answers = {
        "none": posted(settings, client_context(ours.ca, None, None)),
        "another CA's": posted(settings, of(other, "gateway")),
        "expired": posted(settings, of(expired, "gateway")),
        "NiFi's own, which is for servers": posted(settings, of(ours, "nifi")),
    }
    assert [name for name, answer in answers.items() if isinstance(answer, int)] == []
    assert posted(settings, of(ours, "operator")) == 403
    assert posted(settings, None) == "no HTTP"
    with connection.to(settings):
        snapshot = group.get().status.aggregate_snapshot
    assert (snapshot.flow_files_in, snapshot.flow_files_queued) == (0, 0)

    assert posted(settings, settings.blocks_context()) == 200
    assert connected(settings, settings.blocks_context()) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        connected(settings, client_context(other.ca, ours.certificate("gateway"), ours.key("gateway")))


async def says(gateway: GatewayProcess, error: str) -> dict[str, Any]:
    """The gateway's status once it says `error` of NiFi."""
    async with asyncio.timeout(60):
        while error not in (status := await gateway.status())["nifi"]["last_error"]:
            await asyncio.sleep(0.05)
    return status


async def test_a_gateway_that_is_refused_says_why_and_loses_nothing(
    own: Stack, settings: NifiSettings, ours: Files, other: Files, expired: Files, tmp_path: Path
) -> None:
    mine = Files(tmp_path)

    def take(source: Files, role: str = "gateway", ca: Files = ours) -> None:
        shutil.copy(ca.ca, mine.ca)
        shutil.copy(source.certificate(role), mine.certificate("gateway"))
        shutil.copy(source.key(role), mine.key("gateway"))

    sent = [datagram(6, overall_frame=frame) for frame in range(50)]
    take(other)
    async with gateway_process(
        tmp_path,
        nifi_blocks_url=f"https://127.0.0.1:{settings.nifi_listen_port}/{settings.nifi_listen_path}",
        nifi_blocks_ca=mine.ca,
        nifi_blocks_certificate=mine.certificate("gateway"),
        nifi_blocks_key=mine.key("gateway"),
    ) as gateway:
        await send(gateway, sent)
        status = await says(gateway, "TLS with NiFi fails: it refuses the client certificate")
        assert status["nifi"]["state"] == "down"
        take(ours, "operator")
        await says(gateway, "HTTP 403: it takes no blocks from the owner of this certificate")
        take(ours, ca=other)
        await says(gateway, "TLS with NiFi fails: its certificate is not to be trusted")
        take(expired)
        status = await says(gateway, "TLS with NiFi fails: it refuses the client certificate")
        assert (status["received"], status["forwarded"], status["waiting"]) == (50, 0, 50)
        assert status["spool"]["nifi"]["datagrams"] == 50
        take(ours)
        status = await gateway.settled(50)
        assert (status["forwarded"], status["dropped"]) == (50, {})
        logged = " ".join(event["error"] for event in gateway.events() if event["event"] == "neighbour down")
    for reason in ("refuses the client certificate", "HTTP 403", "is not to be trusted"):
        assert reason in logged
    async with asyncio.timeout(60):
        while len(arrived := await asyncio.to_thread(in_kafka, own, topics.topic("car_telemetry"))) < len(sent):
            pass
    assert sorted(arrived) == sorted(sent)


def test_a_new_password_reaches_nifi(own: Stack, settings: NifiSettings) -> None:
    changed = Stack(own.home, own.values | {"PITLANE_NIFI_KEYSTORE_PASSWORD": "another-password"}, own.env_file)
    changed.up(Console(stderr=True), ["Flow"])
    again = deploy(changed.settings(NifiSettings))
    assert (again["flow"], again["parameters"]) == ("unchanged", [])
    assert posted(settings, settings.blocks_context()) == 200
