"""What NiFi tells Prometheus, in a flow that went through everything that the alerts are about."""

import time
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from pitlane.settings import NifiSettings
from pitlane.stack.stack import Stack
from tests import prometheus
from tests.integration.test_nifi_flow import block, post, records
from tests.stacks import started


class Told(NamedTuple):
    """What a NiFi says …"""

    well: list[prometheus.Sample]
    """… after a block went through …"""
    ill: list[prometheus.Sample]
    """… and with blocks refused by Kafka, by the dead-letter topic as well, and then without Kafka."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    stack = Stack.ephemeral(tmp_path_factory.mktemp("metrics") / "stack")
    with started(stack, "Flow"):
        settings = stack.settings(NifiSettings)
        good = block(6)
        assert post(settings, [good]) == 200
        assert records(settings, "f1.car_telemetry", {good[0]["block.id"]})
        well = scraped(stack)
        assert post(settings, [block(6, size=1_500_000), block(6, size=3_000_000), block(99)]) == 200
        wait_for(stack, "BlocksParked")
        stack.kafka.stop()
        while post(settings, [block(2, size=200) for _ in range(100)]) == 200:
            pass
        wait_for(stack, "FlowNotPublishing")
        yield Told(well, scraped(stack))


def scraped(stack: Stack) -> list[prometheus.Sample]:
    """As Prometheus asks."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports.nifi}{prometheus.nifi_path()}", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return prometheus.samples(answer.read().decode())


def expression(alert: str) -> str:
    (found,) = [rule["expr"] for rule in prometheus.rules("pitlane-nifi") if rule["alert"] == alert]
    return found


def wait_for(stack: Stack, alert: str) -> None:
    deadline = time.monotonic() + 60
    while not prometheus.firing(expression(alert), scraped(stack)):
        assert time.monotonic() < deadline, f"{alert} does not fire"
        time.sleep(0.5)


def test_every_documented_metric_is_there_with_its_labels(told: Told) -> None:
    for name, labels in prometheus.documented_of_nifi().items():
        found = [each for each in told.ill if each.name == name]
        assert found, name
        assert all(labels <= each.labels.keys() for each in found), name


@pytest.mark.parametrize(
    ("alert", "labels"),
    [
        ("BlocksParked", {"component_name": "refused even here"}),
        ("DeadLetters", {"processor_name": "Publish to Kafka", "counter_name": "rejected: record_too_large"}),
        ("DeadLetters", {"processor_name": "Publish dead letters", "counter_name": "rejected: record_too_large"}),
        ("FlowNotPublishing", {"processor_name": "Publish to Kafka", "counter_name": "put off: unavailable"}),
        ("BackPressure", {"component_name": "lap_data", "destination_name": "Publish to Kafka"}),
        ("QueueFilling", {"component_name": "lap_data"}),
        ("FlowErrors", {"source_name": "Publish to Kafka"}),
    ],
)
def test_an_alert_fires_when_it_should_and_not_before(told: Told, alert: str, labels: dict[str, str]) -> None:
    assert not prometheus.firing(expression(alert), told.well)
    assert [each for each in prometheus.firing(expression(alert), told.ill) if labels.items() <= each.labels.items()]


def test_numbers_are_those_of_the_flow(told: Told) -> None:
    def value(name: str, **labels: str) -> float:
        (found,) = [each.value for each in told.ill if each.name == name and labels.items() <= each.labels.items()]
        return found

    assert value("nifi_processor_counters", processor_name="Publish to Kafka", counter_name="published") == 1
    assert value("nifi_processor_counters", processor_name="Publish dead letters", counter_name="published") == 2
    assert value("nifi_amount_items_input", component_name="unknown packet") == 1
    assert value("nifi_amount_items_queued", component_name="lap_data") >= 1000
    assert value("nifi_percent_used_count", component_name="lap_data") >= 100
    assert value("nifi_size_content_queued_total", component_name="refused even here") == 3_000_000
    free = value("nifi_content_repo_free_space_bytes") / value("nifi_content_repo_total_space_bytes")
    assert 0 < free < 1
    assert "nifi_content_repo_free_space_bytes / nifi_content_repo_total_space_bytes" in expression("NifiDiskFull")
