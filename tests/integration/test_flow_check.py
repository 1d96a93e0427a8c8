"""`pitlane flow check`: well on what the repository has, and not when a packet loses its way or the canvas drifts."""

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from nipyapi import canvas
from nipyapi.nifi import ProcessorConfigDTO

from nifi import connection, group, repository
from nifi.check import Finding, check
from nifi.deploy import deploy
from nifi.revert import revert
from pitlane.settings import HOME, REPOSITORY, NifiSettings
from pitlane.stack.stack import Stack
from tests.flows import add_version, named, stack_with_copy
from tests.integration.test_stack import pitlane
from tests.stacks import started


def flow_check(**environment: str) -> subprocess.CompletedProcess[str]:
    """The command as CI runs it."""
    command = [sys.executable, "-m", "pitlane.cli", "flow", "check"]
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True, timeout=500, check=False
    )


def test_what_the_repository_has_is_well() -> None:
    # Settings of other servers in the shell are not those that are tried.
    ended = flow_check(PITLANE_NIFI_URL="https://production/nifi-api", PITLANE_KAFKA_BOOTSTRAP="production:9092")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    packets = 14 + 15 + 16 + 17  # as published for the formats 2023 to 2026
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert f"✓ published {packets} of {packets} packets arrive in their topics, byte for byte" in lines
    assert f"✓ deployed version {repository.newest()} in NiFi 2.3.0" in lines
    assert [line.split()[1] for line in lines if re.match("[✓✗] [a-z]", line)] == [
        "deployed", "verified", "started", "published", "set", "unchanged", "at",
    ]  # fmt: skip
    assert not list((HOME / "flow-check").glob("*")), "nothing is left"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """NiFi that runs the flow, its folder of versions a copy, and Kafka."""
    stack, _ = stack_with_copy(tmp_path_factory.mktemp("check"))
    with started(stack, "Flow"):
        yield stack


@pytest.fixture
def changed(settings: NifiSettings) -> Iterator[NifiSettings]:
    """A canvas that a test may change."""
    yield settings
    revert(settings)


def found(settings: NifiSettings, *, running: bool = True) -> dict[str, Finding]:
    return {each.step: each for each in check(settings, running=running)}


def set_property(settings: NifiSettings, processor: str, name: str, value: str | None) -> None:
    with connection.to(settings):
        (there,) = [each for each in group.processors(group.get()) if each.component.name == processor]
        canvas.schedule_processor(there, False)
        there = canvas.get_processor(there.id, "id")
        canvas.update_processor(there, ProcessorConfigDTO(properties={name: value}))
        canvas.schedule_processor(canvas.get_processor(there.id, "id"), True)


def test_a_flow_that_runs_is_well(own: Stack) -> None:
    ended = pitlane(own, "flow", "check", "--running", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    findings = json.loads(ended.stdout)
    assert {each["step"]: each["problems"] for each in findings} == {"verified": [], "published": [], "unchanged": []}


def test_a_route_that_is_not_taken_loses_its_packet_and_is_drift(own: Stack, changed: NifiSettings) -> None:
    set_property(changed, "Route by packet ID", "lap_data", "${packet.id:equals('200')}")
    ended = pitlane(own, "flow", "check", "--running")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    for year in (2023, 2024, 2025, 2026):
        assert f"lap_data {year} is in f1.dead_letter and not in f1.lap_data" in ended.stdout
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert [line.split()[:2] for line in lines if line[0] in "✓✗"] == [
        ["✓", "verified"],
        ["✗", "published"],
        ["✗", "unchanged"],
    ]
    assert any("Route by packet ID (processor) changed: lap_data: " in line for line in lines)
    # Not even a new deployment of it: the canvas is not what the repository says.
    problems = found(changed, running=False)
    assert problems["deployed"].problems
    assert "lap_data" in problems["deployed"].problems[0] or "Route by packet ID" in problems["deployed"].problems[0]


def test_packets_that_change_or_go_astray_are_named(own: Stack, changed: NifiSettings) -> None:
    set_property(changed, "Publish to Kafka", "Partition", "1")
    problems = found(changed)["published"].problems
    assert "is in partition 1 of f1." in problems[0]
    assert 0 < len(problems) < 40, "only those whose partition is another"
    revert(changed)
    set_property(changed, "Publish to Kafka", "Header Attribute Pattern", r"block\..+|shard")
    problems = found(changed)["published"].problems
    assert all("its headers lack packet.format=" in each for each in problems)
    revert(changed)
    set_property(changed, "Publish to Kafka", "Topic", "#{topic.prefix}.${RouteOnAttribute.Route:replace('_ex', '')}")
    problems = found(changed)["published"].problems
    assert problems == [
        f"motion_ex {year} is in f1.motion and not in f1.motion_ex" for year in (2023, 2024, 2025, 2026)
    ]


def test_what_waits_is_not_lost_but_not_there_either(
    own: Stack, settings: NifiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nifi import delivery

    monkeypatch.setattr(delivery, "WITHIN_S", 3)
    with connection.to(settings):
        (publisher,) = [each for each in group.processors(group.get()) if each.component.name == "Publish to Kafka"]
        canvas.schedule_processor(publisher, False)
    try:
        problems = found(settings)["published"].problems
        assert problems
        assert all(each.endswith("waits in NiFi") for each in problems)
    finally:
        with connection.to(settings):
            canvas.schedule_processor(canvas.get_processor(publisher.id, "id"), True)


def test_a_branch_publishes_to_a_topic_that_nobody_made(own: Stack, settings: NifiSettings) -> None:
    def branch(contents: dict[str, Any]) -> None:
        publisher = copy.deepcopy(named(contents, "processors", "Publish to Kafka"))
        publisher |= {"identifier": str(uuid4()), "name": "Publish again"}
        publisher["properties"]["Topic"] = "#{topic.prefix}.lap_data_again"
        publisher["autoTerminatedRelationships"] = ["rejected", "success"]
        line = copy.deepcopy(named(contents, "connections", "lap_data"))
        line |= {"identifier": str(uuid4()), "name": "again"}
        line["destination"] |= {"id": publisher["identifier"], "name": publisher["name"]}
        contents["processors"].append(publisher)
        contents["connections"].append(line)

    number = add_version(settings.nifi_flows, branch)
    try:
        findings = found(settings, running=False)
        assert [problem for each in findings.values() for problem in each.problems] == []
        assert "at rest" in findings
        assert own.kafka.record_counts()["f1.lap_data_again"] == 4, "of each format one"
    finally:
        deploy(settings, number - 1)
        repository.path(number, settings.nifi_flows).unlink()


def test_a_version_that_nifi_cannot_run_ends_the_check(own: Stack, settings: NifiSettings) -> None:
    file = repository.path(2, settings.nifi_flows)
    flow = json.loads(repository.path(repository.newest(settings.nifi_flows), settings.nifi_flows).read_text())
    (publisher,) = [each for each in flow["flowContents"]["processors"] if each["name"] == "Publish to Kafka"]
    publisher["properties"]["Max Request Size"] = "a lot"
    file.write_text(json.dumps(flow))
    findings = list(check(settings))
    assert [each.step for each in findings] == ["deployed"]
    assert "Publish to Kafka" in findings[0].problems[0]


def test_without_a_nifi_it_says_so() -> None:
    nowhere = NifiSettings(nifi_url="http://127.0.0.1:9/nifi-api", _env_file=None)  # type: ignore[call-arg]
    (finding,) = check(nowhere, running=True)
    assert "no NiFi answers" in finding.problems[0]
