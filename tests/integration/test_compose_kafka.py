"""The Kafka of docker-compose.yml without Docker: its settings through the very program that the image starts with.

The image's launcher is part of Kafka's own jar: it turns KAFKA_… variables into server.properties and formats the
storage. Here it gets the variables of the compose file, with addresses of this machine in place of containers' names.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from pitlane import topics
from pitlane.settings import HOME, REPOSITORY
from pitlane.stack import broker, jdks
from pitlane.stack.ports import Ports

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def jars() -> Path:
    return broker.install(HOME / "tools")


@pytest.fixture
def ports() -> Ports:
    return Ports.free()


@pytest.fixture
def environment(ports, tmp_path) -> dict[str, str]:
    addresses = {
        "://:": "://127.0.0.1:",
        "kafka:": "127.0.0.1:",
        "${PITLANE_KAFKA_PORT:-20783}": str(ports.nifi),
        ":20783": f":{ports.nifi}",
        ":9092": f":{ports.kafka}",
        ":9093": f":{ports.kafka_controller}",
        "/var/lib/kafka/data": str(tmp_path / "data"),
    }
    wanted = dict(COMPOSE["services"]["kafka"]["environment"])
    for name, value in wanted.items():
        for there, here in addresses.items():
            value = value.replace(there, here)
        wanted[name] = value
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "PITLANE_"))}
    return {**inherited, **wanted}


def java(jars: Path, *arguments: str) -> list[str]:
    return [str(jdks.jdk("Kafka").java), "-Xmx512m", "-cp", f"{jars}/*", *arguments]


def test_the_images_launcher_makes_a_broker_of_the_settings(jars, ports, environment, tmp_path):
    for folder in ("default", "mounted", "final"):
        (tmp_path / folder).mkdir()
    (tmp_path / "final" / "server.properties").touch()
    setup = ["kafka.docker.KafkaDockerWrapper", "setup"]
    for option in ("default", "mounted", "final"):
        setup += [f"--{option}-configs-dir", str(tmp_path / option)]
    made = subprocess.run(java(jars, *setup), env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "cluster.id=" + environment["CLUSTER_ID"] in (tmp_path / "data" / "meta.properties").read_text()

    with (tmp_path / "log").open("wb") as log:
        properties = str(tmp_path / "final" / "server.properties")
        process = subprocess.Popen(java(jars, "kafka.Kafka", properties), env=environment, stdout=log, stderr=log)
    try:
        bootstrap = f"127.0.0.1:{ports.kafka}"
        wait_for_broker(process, bootstrap)
        settings = {**environment, "PITLANE_KAFKA_BOOTSTRAP": bootstrap, "PITLANE_ENV_FILE": str(tmp_path / "none")}
        for _ in range(2):  # as the service `topics` does at each start
            subprocess.run([sys.executable, "-m", "pitlane.topic_setup"], cwd=REPOSITORY, env=settings, check=True)
        admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{ports.nifi}")  # the listener for this machine
        try:
            there = set(admin.list_topics())
        finally:
            admin.close()
        assert there == {*topics.packet_topics().values(), topics.dead_letter()}
    finally:
        process.terminate()
        process.wait(30)


def wait_for_broker(process: subprocess.Popen, bootstrap: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, "the broker ended"
        assert time.monotonic() < deadline
        try:
            admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=1000, request_timeout_ms=1500)
            try:
                if admin.describe_cluster()["brokers"]:
                    return
            finally:
                admin.close()
        except (KafkaError, OSError):
            time.sleep(0.2)
