"""The flow changed on a real NiFi's canvas, through its API as the canvas does it, and back into the repository: each
state is checked by what NiFi itself says of the group's version.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nipyapi import canvas, versioning
from nipyapi.nifi import (
    LabelDTO,
    LabelEntity,
    LabelsApi,
    PositionDTO,
    ProcessorConfigDTO,
    ProcessorDTO,
    ProcessorEntity,
    ProcessorsApi,
    VersionsApi,
)

from nifi import connection, group, repository
from nifi.commit import commit
from nifi.deploy import deploy
from nifi.diff import diff
from nifi.drain import drain
from nifi.errors import Behind, Changed, FlowError, NotRunning, NotVersioned, NoVersion, Refused
from nifi.queued import queued
from nifi.revert import revert
from nifi.start import start
from nifi.status import status
from nifi.stop import stop
from nifi.verify import verify
from nifi.versions import versions
from pitlane import topics
from pitlane.settings import REPOSITORY, NifiSettings
from pitlane.stack.ports import Ports
from pitlane.stack.stack import Stack
from tests.flows import add_version, named, stack_with_copy
from tests.integration.test_nifi_flow import block, post, records
from tests.stacks import started

PUBLISH, BATCH = "Publish to Kafka", "FlowFiles per Batch"
SECOND = "second"
WITHIN_S = 150
"""NiFi looks for newer versions once a minute."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("versions")


@pytest.fixture(scope="module")
def own(folder: Path) -> Iterator[Stack]:
    stack, _ = stack_with_copy(folder)
    with started(stack, stack.nifi.title, "Topics"):
        yield stack


@pytest.fixture(scope="module")
def flows(own: Stack, folder: Path) -> Path:
    return folder / "flows"


@pytest.fixture(scope="module")
def elsewhere(settings: NifiSettings) -> NifiSettings:
    """Those of a second group, which receives on a port of its own."""
    return settings.model_copy(update={"nifi_listen_port": Ports.free().nifi_listen})


@pytest.fixture
def base(own: Stack, flows: Path) -> int:
    """The newest version, which is the first once more: what a test before committed is history."""
    number = repository.newest(flows) + 1
    repository.path(number, flows).write_text(repository.path(1, flows).read_text())
    return number


@pytest.fixture
def deployed(settings: NifiSettings, base: int) -> NifiSettings:
    """The settings of a NiFi that runs `base`."""
    deploy(settings, force=True)
    return settings


def state(settings: NifiSettings, name: str = group.NAME) -> tuple[str, str]:
    """(version, state) in NiFi's words."""
    with connection.to(settings):
        told = VersionsApi().get_version_information(group.get(name).id).version_control_information
        return told.version, told.state


def wait_for(wanted: Any, tell: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while (told := tell()) != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    assert told == wanted


def processor(name: str, in_group: str = group.NAME) -> Any:
    return next(each for each in group.processors(group.get(in_group)) if each.component.name == name)


def change(settings: NifiSettings, properties: dict[str, str], in_group: str = group.NAME, **config: Any) -> None:
    """What a person does with the dialog of the publisher."""
    with connection.to(settings):
        config_dto = ProcessorConfigDTO(properties=properties, **config)
        canvas.update_processor(processor(PUBLISH, in_group), config_dto, auto_stop=True)


def publisher(number: int, flows: Path) -> dict[str, Any]:
    return named(repository.read(number, flows)["flowContents"], "processors", PUBLISH)


def test_a_change_goes_from_the_canvas_into_the_repository_to_a_second_group_and_back(
    deployed: NifiSettings, base: int, elsewhere: NifiSettings, flows: Path
) -> None:
    first, then, last = (str(number) for number in range(base, base + 3))
    assert state(deployed) == (first, "UP_TO_DATE")
    assert diff(deployed)["changes"] == []

    change(deployed, {BATCH: "100"})
    assert state(deployed) == (first, "LOCALLY_MODIFIED")
    expected = {
        "component": PUBLISH, "kind": "processor", "group": "", "change": "changed",
        "property": BATCH, "old": "200", "new": "100",
    }  # fmt: skip
    assert diff(deployed)["changes"] == [expected]

    done = commit(deployed, "Smaller batches")
    assert (done["version"], done["changed"]) == (base + 1, True)
    assert state(deployed) == (then, "UP_TO_DATE")
    assert Path(done["file"]) == flows / "pitlane" / "f1-ingest" / f"{then}.json"
    assert publisher(base + 1, flows)["properties"][BATCH] == "100"
    newest, before, *_ = versions(deployed)
    assert (newest["comment"], newest["deployed"], before["deployed"]) == ("Smaller batches", True, False)
    assert diff(deployed, base, base + 1)["changes"] == [expected]
    again = commit(deployed, "Nothing new")
    assert (again["version"], again["changed"]) == (base + 1, False)
    assert repository.newest(flows) == base + 1

    second = deploy(elsewhere, name=SECOND)
    assert (second["flow"], second["version"]) == ("created", base + 1)
    assert state(elsewhere, SECOND) == (then, "UP_TO_DATE")
    sent = block(2)
    assert post(elsewhere, [sent]) == 200
    assert records(deployed, topics.topic("lap_data"), {sent[0]["block.id"]})

    change(deployed, {BATCH: "50"})
    assert state(deployed) == (then, "LOCALLY_MODIFIED")
    undone = revert(deployed)
    assert [(each["old"], each["new"]) for each in undone["undone"]] == [("100", "50")]
    assert state(deployed) == (then, "UP_TO_DATE")
    assert diff(deployed)["changes"] == []
    assert revert(deployed)["undone"] == []

    assert deploy(deployed, base)["flow"] == "downgraded"
    wait_for((first, "STALE"), lambda: state(deployed))
    assert state(elsewhere, SECOND) == (then, "UP_TO_DATE"), "each group has its own version"
    assert deploy(deployed)["flow"] == "upgraded"
    assert state(deployed) == (then, "UP_TO_DATE")

    # Committed from the second group, and only what was changed is in the file.
    change(elsewhere, {BATCH: "70"}, SECOND)
    assert state(elsewhere, SECOND) == (then, "LOCALLY_MODIFIED")
    assert commit(elsewhere, "From the second group", SECOND)["version"] == base + 2
    changed = set(repository.path(base + 2, flows).read_text().splitlines()) - set(
        repository.path(base + 1, flows).read_text().splitlines()
    )
    assert {line.strip().split('"')[1] for line in changed} == {BATCH, "comments", "timestamp", "version"}
    wait_for((then, "STALE"), lambda: state(deployed))
    assert deploy(deployed)["flow"] == "upgraded"
    assert state(deployed) == (last, "UP_TO_DATE")


def test_what_nifi_calls_a_difference_is_one_and_nothing_else(deployed: NifiSettings) -> None:
    with connection.to(deployed):
        found = group.get()
        route = processor("Route by packet ID")
        copy = canvas.create_processor(
            found,
            next(
                each
                for each in canvas.list_all_processor_types().processor_types
                if each.type.endswith(".UpdateAttribute")
            ),
            (2400.0, 300.0),
            "Copy of car damage",
        )
        canvas.create_connection(route, copy, ["car_damage"], name="a branch")
        blocks = next(
            each for each in canvas.list_all_connections(found.id) if each.component.name == "refused even here"
        )
        canvas.update_connection(blocks, name="parked")
        receive = processor("Receive blocks")
        moved = ProcessorDTO(id=receive.id, position=PositionDTO(x=-100.0, y=7.0))
        ProcessorsApi().update_processor(
            body=ProcessorEntity(id=receive.id, revision=receive.revision, component=moved), id=receive.id
        )
        label = canvas.get_flow(found.id).process_group_flow.flow.labels[0]
        LabelsApi().update_label(
            body=LabelEntity(
                id=label.id, revision=label.revision, component=LabelDTO(id=label.id, label="Ours\nin two lines")
            ),
            id=label.id,
        )
    change(deployed, {BATCH: "150"}, yield_duration="3 sec", comments="Ours")
    with connection.to(deployed):
        told = versioning.get_local_modifications(group.get()).component_differences
    nifis = sorted((each.component_type.lower(), len(each.differences)) for each in told)

    ours: dict[tuple[str, str], int] = {}
    for each in diff(deployed)["changes"]:
        key = (each["kind"], each["component"])
        ours[key] = ours.get(key, 0) + 1
    assert sorted((kind, count) for (kind, _), count in ours.items()) == nifis
    assert ours == {
        ("processor", PUBLISH): 3,
        ("processor", "Copy of car damage"): 1,
        ("processor", "Receive blocks"): 1,
        ("connection", "a branch"): 1,
        ("connection", "parked"): 1,
        ("label", "Ours"): 1,
    }
    revert(deployed)
    assert state(deployed)[1] == "UP_TO_DATE"
    assert diff(deployed)["changes"] == []


def test_parameters_and_run_states_are_no_difference(deployed: NifiSettings) -> None:
    assert deploy(deployed.model_copy(update={"topic_prefix": "race"}))["parameters"] == ["topic.prefix"]
    stop(deployed)
    assert state(deployed)[1] == "UP_TO_DATE"
    assert diff(deployed)["changes"] == []
    assert start(deployed)["processors"] == 5


def test_changes_on_the_canvas_are_never_overwritten_silently(
    deployed: NifiSettings, base: int, flows: Path, own: Stack
) -> None:
    change(deployed, {BATCH: "100"})
    add_version(flows, lambda contents: named(contents, "processors", PUBLISH).update(yieldDuration="5 sec"))
    for number in (None, base):
        with pytest.raises(Changed, match=PUBLISH) as refused:
            deploy(deployed, number)
        assert "commit" in refused.value.hint
    with pytest.raises(Behind, match=f"{base + 1} is the newest"):
        commit(deployed, "Too late")
    assert repository.newest(flows) == base + 1
    assert diff(deployed)["changes"][0]["new"] == "100"

    # `pitlane up` goes on with what is there, and says so.
    said = [step.action(lambda _: None) for step in own.steps() if step.title == "Flow"]
    assert f"version {base} with changes that are in no version" in said[0]
    assert diff(deployed)["changes"][0]["new"] == "100"

    assert deploy(deployed, base, force=True)["flow"] == "reverted"
    assert diff(deployed)["changes"] == []
    change(deployed, {BATCH: "100"})
    assert deploy(deployed, force=True)["flow"] == "upgraded"
    assert diff(deployed)["changes"] == []
    with connection.to(deployed):
        config = processor(PUBLISH).component.config
        assert (config.properties[BATCH], config.yield_duration) == ("200", "5 sec")

    deploy(deployed, base)
    said = [step.action(lambda _: None) for step in own.steps() if step.title == "Flow"]
    assert said[0].startswith(f"version {base + 1}, 5 processors"), "unchanged and behind is upgraded"


def test_queued_blocks_survive_an_upgrade_and_a_downgrade(
    deployed: NifiSettings, base: int, flows: Path, own: Stack
) -> None:
    def lengthen(contents: dict[str, Any]) -> None:
        """The publisher, the queue before it and the router, on the way of what is queued."""
        named(contents, "processors", PUBLISH)["properties"][BATCH] = "100"
        named(contents, "processors", "Route by packet ID")["yieldDuration"] = "2 sec"
        named(contents, "connections", "lap_data")["backPressureObjectThreshold"] = 500

    add_version(flows, lengthen)
    own.kafka.stop()
    try:
        blocks = [block(packet_id, shard) for packet_id in (2, 6) for shard in (0, 1) for _ in range(10)]
        assert post(deployed, blocks) == 200
        wanted = {attributes["block.id"] for attributes, _ in blocks}
        wait_for(wanted, lambda: set(queued(deployed)["blocks"]))
        assert deploy(deployed)["flow"] == "upgraded"
        assert status(deployed)["queued"] == len(blocks)
        with connection.to(deployed):
            assert processor(PUBLISH).component.config.properties[BATCH] == "100"
        assert deploy(deployed, base)["flow"] == "downgraded"
        assert status(deployed)["queued"] == len(blocks)
        stuck = drain(deployed, timeout_s=1)
        assert (stuck["drained"], stuck["stopped"]) == (False, ["Receive blocks"])
        assert {each["name"]: each["queued"] for each in stuck["left"]} == {"lap_data": 20, "car_telemetry": 20}
    finally:
        own.kafka.start()
    done = drain(deployed, timeout_s=120)
    assert (done["drained"], done["left"]) == (True, [])
    for packet_id in (2, 6):
        sent = {
            attributes["block.id"]: content
            for attributes, content in blocks
            if attributes["packet.id"] == str(packet_id)
        }
        found = records(deployed, topics.packet_topics()[packet_id], set(sent))
        assert {block_id: record.value for block_id, record in found.items()} == sent
    assert start(deployed)["processors"] == 5
    assert post(deployed, [block(2)]) == 200


def test_a_version_that_would_take_the_queue_from_queued_blocks_is_refused(
    deployed: NifiSettings, base: int, flows: Path, own: Stack
) -> None:
    def disconnect(contents: dict[str, Any]) -> None:
        contents["connections"].remove(named(contents, "connections", "lap_data"))
        named(contents, "processors", "Route by packet ID")["autoTerminatedRelationships"] = ["lap_data"]

    add_version(flows, disconnect)
    own.kafka.stop()
    try:
        sent = block(2)
        assert post(deployed, [sent]) == 200
        wanted = {sent[0]["block.id"]}
        wait_for(wanted, lambda: set(queued(deployed)["blocks"]))
        with pytest.raises(Refused, match="queue") as refused:
            deploy(deployed)
        assert "pitlane flow drain" in refused.value.hint
        wait_for(wanted, lambda: set(queued(deployed)["blocks"]))  # the publisher has it in hand now and then
        assert state(deployed)[0] == str(base)
    finally:
        own.kafka.start()
    assert start(deployed)["processors"] == 5
    assert records(deployed, topics.topic("lap_data"), wanted).keys() == wanted
    assert deploy(deployed)["flow"] == "upgraded"


def test_a_canvas_whose_version_is_gone_is_left_alone(deployed: NifiSettings, base: int, flows: Path) -> None:
    change(deployed, {BATCH: "100"})
    commit(deployed, "Smaller batches")
    file = repository.path(base + 1, flows)
    content = file.read_text()
    file.unlink()
    with pytest.raises(NoVersion, match=f"version {base + 1}, which is not there"):
        deploy(deployed)
    assert deploy(deployed, keep_changes=True)["flow"] == "kept"
    file.write_text(content)
    assert deploy(deployed)["flow"] == "unchanged"


def test_a_second_group_on_the_same_port_is_refused_or_left_stopped(deployed: NifiSettings) -> None:
    with pytest.raises(NotRunning, match="is taken"):
        deploy(deployed, name="third")
    left = deploy(deployed, name="fourth", start=False)
    assert (left["flow"], left["processors"]) == ("created", 0)
    assert (status(deployed, "fourth")["running"], status(deployed, "fourth")["invalid"]) == (0, 0)
    assert verify(deployed, "fourth")["failed"] == []
    for name in ("third", "fourth"):
        with connection.to(deployed):
            canvas.delete_process_group(group.get(name), force=True)


def test_nifi_verifies_what_does_not_run(deployed: NifiSettings) -> None:
    assert verify(deployed)["verified"] == 0
    stop(deployed)
    found = verify(deployed)
    assert (found["verified"], found["failed"]) == (5, [])
    change(deployed, {BATCH: "many"})
    (failed,) = verify(deployed)["failed"]
    assert (failed["component"], failed["kind"]) == (PUBLISH, "processor")
    assert "many" in failed["problems"][0]


def test_a_folder_that_nifi_cannot_use_is_named_and_nothing_is_lost(
    deployed: NifiSettings, base: int, flows: Path, tmp_path: Path
) -> None:
    change(deployed, {BATCH: "100"})
    away = tmp_path / "away"
    flows.rename(away)
    try:
        with pytest.raises(Refused, match="NiFi sees no directory"):
            commit(deployed, "Into nothing")
        with pytest.raises(Refused, match="NiFi sees no directory"):
            deploy(deployed, force=True)
        wait_for("SYNC_FAILURE", lambda: state(deployed)[1])
        told = status(deployed)
        assert told["version"]["newest"] is None
        assert "NiFi sees no directory" in told["version"]["told"]
        assert told["running"] == 5
    finally:
        away.rename(flows)
    broken = repository.path(base + 1, flows)
    broken.write_text("{")
    with pytest.raises(Refused, match=broken.name):
        commit(deployed, "Onto what is broken")
    with pytest.raises(NoVersion, match=f"{broken.name} is no JSON: line 1"):
        versions(deployed)
    broken.unlink()
    with pytest.raises(NoVersion, match="no version 777"):
        deploy(deployed, 777, force=True)
    with pytest.raises(NoVersion, match="no version 777"):
        diff(deployed, 777)
    with pytest.raises(FlowError, match="message"):
        commit(deployed, "  ")
    assert commit(deployed, "Now")["version"] == base + 1
    assert publisher(base + 1, flows)["properties"][BATCH] == "100"


def test_a_group_that_is_no_version_is_left_alone(deployed: NifiSettings) -> None:
    with connection.to(deployed):
        root = canvas.get_process_group(canvas.get_root_pg_id(), "id")
        loose = canvas.create_process_group(root, "loose", (900.0, 900.0))
    for verb in (diff, revert, lambda settings, name: commit(settings, "x", name)):
        with pytest.raises(NotVersioned, match="loose"):
            verb(deployed, name="loose")
    with pytest.raises(NotVersioned, match="loose"):
        deploy(deployed, name="loose")
    assert status(deployed, "loose")["version"] is None
    with connection.to(deployed):
        canvas.delete_process_group(loose)


def pitlane(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as somebody runs it, on this stack."""
    where = {"PITLANE_STACK_HOME": str(stack.home), "PITLANE_ENV_FILE": str(stack.env_file), "COLUMNS": "120"}
    command = [sys.executable, "-m", "pitlane.cli", "flow", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | where, capture_output=True, text=True, timeout=120, check=False
    )


def test_scripts_get_exit_codes_and_json(deployed: NifiSettings, base: int, own: Stack, tmp_path: Path) -> None:
    def told(code: int, *arguments: str) -> Any:
        ended = pitlane(own, *arguments, "--json")
        assert ended.returncode == code, ended.stdout + ended.stderr
        return json.loads(ended.stdout) if ended.stdout else ended.stderr

    assert told(0, "diff") == diff(deployed)
    assert told(0, "status")["version"]["number"] == base
    change(deployed, {BATCH: "100"})
    assert told(3, "diff")["changes"] == diff(deployed)["changes"]
    assert "flow changed: the canvas has changes that are in no version: Publish to Kafka" in told(1, "deploy")
    assert told(0, "deploy", "--keep-changes")["flow"] == "kept"
    assert pitlane(own, "commit").returncode == 2
    assert told(0, "commit", "-m", "Smaller batches")["version"] == base + 1
    assert told(0, "commit", "-m", "Nothing")["changed"] is False
    assert [each["version"] for each in told(0, "versions")][:2] == [base + 1, base]
    assert told(3, "diff", str(base), str(base + 1))["new"] == base + 1
    assert told(0, "revert")["undone"] == []
    assert told(0, "stop")["queued"] == 0
    assert told(1, "status")["stopped"] == 5
    assert told(0, "verify")["verified"] == 5
    change(deployed, {BATCH: "many"})
    assert told(1, "verify")["failed"][0]["component"] == PUBLISH
    assert "flow invalid" in told(1, "start")
    assert told(0, "revert")["undone"][0]["new"] == "many"
    assert told(0, "start")["processors"] == 5
    assert told(0, "export", str(tmp_path / "flow.json"))["changed"] is True
    assert told(0, "drain")["drained"] is True
    assert told(0, "deploy", "--version", str(base))["flow"] == "downgraded"


def test_people_read_what_happened(deployed: NifiSettings, base: int, own: Stack) -> None:
    change(deployed, {BATCH: "100"})
    shown = pitlane(own, "diff")
    assert shown.returncode == 3
    words = " ".join(shown.stdout.split())
    assert f"version {base} → the canvas changed on the canvas" in words
    assert f"~ {PUBLISH} processor {BATCH} 200 → 100" in words
    assert "1 difference" in words
    assert f"version {base} changed on the canvas" in " ".join(pitlane(own, "status").stdout.split())
    assert f"version {base + 1} is committed" in pitlane(own, "commit", "-m", "Smaller batches").stdout
    assert "● in NiFi" in next(line for line in pitlane(own, "versions").stdout.splitlines() if f" {base + 1} " in line)
