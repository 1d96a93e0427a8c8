"""The registry client in a real NiFi: commits on the canvas are files, and NiFi's own badge tells their state."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from nipyapi import canvas, parameters, versioning
from nipyapi.nifi import (
    PositionDTO,
    ProcessorConfigDTO,
    StartVersionControlRequestEntity,
    VersionedFlowDTO,
    VersionsApi,
)
from nipyapi.nifi.rest import ApiException

import nifi
from nifi import connection
from pitlane.settings import NifiSettings
from pitlane.stack.stack import Stack
from tests.stacks import started

NAME = "pitlane"
BUCKET = "pitlane"
CLIENT = "io.pitlane.nifi.FolderFlowRegistryClient"
# The repository's flow as it is now.
REPOSITORY_FLOW = max(
    (Path(nifi.__file__).parent / "flow" / BUCKET / "f1-ingest").glob("*.json"), key=lambda file: int(file.stem)
)
SECRET = "correct horse battery staple"
TIMEOUT_S = 90

# nipyapi's entities are generated classes without types.
Entity = Any


class Canvas:
    """A NiFi with a registry client on a folder of its own."""

    def __init__(self, server: Stack, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.client = self.add_client(NAME)

    def add_client(self, name: str) -> str:
        client = versioning.ensure_registry_client(
            name, reg_type=CLIENT, description="flows", properties={"Directory": str(self.folder)}
        )
        wait(lambda: versioning.get_registry_client(client.id, "id").component.validation_status, "VALID")
        return str(client.id)

    def restart(self) -> None:
        self.server.nifi.stop()
        self.server.nifi.start()


class Flow:
    """A flow of the canvas's folder whose version 1 is the repository's flow."""

    def __init__(self, on: Canvas, name: str) -> None:
        self.canvas = on
        self.name = name
        self.folder = on.folder / BUCKET / name
        self.folder.mkdir()
        first = json.loads(REPOSITORY_FLOW.read_text(encoding="utf-8"))
        first["snapshotMetadata"] = {"comments": "the repository's", "timestamp": 1, "version": "1"}
        self.file(1).write_text(text(first), encoding="utf-8")

    def file(self, version: int) -> Path:
        return self.folder / f"{version}.json"

    def files(self) -> set[str]:
        return {file.name for file in self.folder.iterdir()}

    def deploy(self, version: int, client: str = "", **options: str) -> str:
        """The id of a new group at that version."""
        group = versioning.deploy_git_registry_flow(
            client or self.canvas.client,
            BUCKET,
            self.name,
            canvas.get_root_pg_id(),
            location=(len(canvas.list_all_process_groups()) * 500.0, 0.0),
            version=str(version),
            **options,
        )
        return str(group.id)

    def commit(self, group: str, comments: str, *, force: bool = False) -> int:
        """Commits also where nothing was changed. Raises ApiException."""
        entity = canvas.get_process_group(group, "id")
        flow = VersionedFlowDTO(
            registry_id=entity.component.version_control_information.registry_id,
            bucket_id=BUCKET,
            flow_id=self.name,
            flow_name=self.name,
            comments=comments,
            action="FORCE_COMMIT" if force else "COMMIT",
        )
        body = StartVersionControlRequestEntity(process_group_revision=entity.revision, versioned_flow=flow)
        answer = VersionsApi().save_to_flow_registry(id=group, body=body)
        return int(answer.version_control_information.version)

    def changes(self, before: int, after: int) -> list[str]:
        """What git shows between two versions, as "-line" and "+line", without what tells of the commit itself."""
        shown = subprocess.run(
            ["git", "diff", "--no-index", "-U0", str(self.file(before)), str(self.file(after))],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        lines = re.findall(r"^([-+])(?![-+]{2} )(.*)$", shown, re.MULTILINE)
        of_commit = re.compile(r' {4}"(author|comments|timestamp|version)"')
        return [sign + line.strip() for sign, line in lines if not of_commit.match(line)]


def text(definition: Any) -> str:
    return json.dumps(definition, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def wait(read: Any, wanted: object) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while (found := read()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def information(group: str) -> Entity:
    return canvas.get_process_group(group, "id").component.version_control_information


def state(group: str) -> str:
    return str(information(group).state)


def processor(group: str, name: str = "Publish to Kafka") -> Entity:
    return next(each for each in canvas.list_all_processors(group) if each.component.name == name)


def set_property(group: str, name: str, value: str) -> None:
    canvas.update_processor(processor(group), ProcessorConfigDTO(properties={name: value}))


@pytest.fixture(scope="module")
def nifi_canvas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canvas]:
    folder = tmp_path_factory.mktemp("registry")
    flows = folder / "flows"
    (flows / BUCKET).mkdir(parents=True)
    stack = Stack.ephemeral(folder / "stack")
    with started(stack, stack.nifi.title), connection.to(stack.settings(NifiSettings)):
        yield Canvas(stack, flows)


@pytest.fixture
def flow(nifi_canvas: Canvas, request: pytest.FixtureRequest) -> Flow:
    return Flow(nifi_canvas, request.node.name)


def test_the_repositorys_flow_is_what_a_commit_of_it_writes(flow: Flow) -> None:
    group = flow.deploy(1)
    assert state(group) == "UP_TO_DATE"
    assert flow.commit(group, "nothing changed") == 2
    assert state(group) == "UP_TO_DATE"

    assert flow.changes(1, 2) == []
    written = flow.file(2).read_text(encoding="utf-8")
    assert written == text(json.loads(written))
    said = json.loads(written)["snapshotMetadata"]
    assert (said["version"], said["comments"]) == ("2", "nothing changed")
    assert abs(said["timestamp"] / 1000 - time.time()) < 3600


def test_a_new_flow_is_put_under_version_control(nifi_canvas: Canvas) -> None:
    root = canvas.get_process_group(canvas.get_root_pg_id(), "id")
    definition = REPOSITORY_FLOW.read_text(encoding="utf-8")
    group = versioning.import_process_group_definition(root, flow_definition=definition, position=(0.0, 900.0))
    saved = versioning.save_git_flow_ver(
        group, registry_client=NAME, bucket=BUCKET, flow_name="new flow", comment="the first"
    )
    assert saved.version_control_information.version == "1"
    assert state(group.id) == "UP_TO_DATE"
    file = nifi_canvas.folder / BUCKET / "new flow" / "1.json"
    written, imported = json.loads(file.read_text(encoding="utf-8")), json.loads(definition)
    for kind in ("processors", "connections", "labels"):
        told = [
            {each["identifier"]: each.get("name") for each in flow["flowContents"][kind]}
            for flow in (written, imported)
        ]
        assert told[0] == told[1]

    # Another group cannot become the same flow by accident.
    other = versioning.import_process_group_definition(root, flow_definition=definition, position=(500.0, 900.0))
    with pytest.raises(ValueError, match="new flow exists already"):
        versioning.save_git_flow_ver(other, registry_client=NAME, bucket=BUCKET, flow_name="new flow", comment="again")
    assert information(other.id) is None


def test_one_changed_property_is_one_changed_line_and_running_it_elsewhere_is_none(flow: Flow) -> None:
    group = flow.deploy(1)
    canvas.schedule_processor(processor(group), scheduled=True)
    moved = {"name": "our ingest", "position": PositionDTO(x=77.0, y=88.0)}
    canvas.update_process_group(canvas.get_process_group(group, "id"), moved)
    assert state(group) == "UP_TO_DATE"
    canvas.schedule_processor(processor(group), scheduled=False)
    set_property(group, "FlowFiles per Batch", "123")
    assert state(group) == "LOCALLY_MODIFIED"
    canvas.schedule_processor(processor(group), scheduled=True)
    assert flow.commit(group, "smaller batches") == 2
    assert state(group) == "UP_TO_DATE"
    canvas.schedule_processor(processor(group), scheduled=False)

    assert flow.changes(1, 2) == ['-"FlowFiles per Batch": "200",', '+"FlowFiles per Batch": "123",']
    assert flow.commit(group, "nothing") == 3
    assert flow.changes(2, 3) == []


def test_an_older_version_is_stale_and_both_and_brought_to_the_newest(flow: Flow) -> None:
    first = flow.deploy(1)
    set_property(first, "FlowFiles per Batch", "123")
    flow.commit(first, "smaller batches")

    second = flow.deploy(1, parameter_context_handling="REPLACE")
    wait(lambda: state(second), "STALE")
    set_property(second, "Delivery Timeout", "7 sec")
    assert state(second) == "LOCALLY_MODIFIED_AND_STALE"
    with pytest.raises(ApiException) as refused:
        flow.commit(second, "behind")
    assert refused.value.status == 409
    assert flow.files() == {"1.json", "2.json"}

    versioning.revert_flow_ver(canvas.get_process_group(second, "id"), wait=True)
    wait(lambda: state(second), "STALE")
    versioning.update_git_flow_ver(canvas.get_process_group(second, "id"), target_version="2")
    wait(lambda: state(second), "UP_TO_DATE")
    properties = processor(second).component.config.properties
    assert (properties["FlowFiles per Batch"], properties["Delivery Timeout"]) == ("123", "20 sec")

    versioning.update_git_flow_ver(canvas.get_process_group(first, "id"), target_version="1")
    wait(lambda: state(first), "STALE")
    assert processor(first).component.config.properties["FlowFiles per Batch"] == "200"


def test_a_commit_by_force_makes_a_version_after_the_newest(flow: Flow) -> None:
    first, second = flow.deploy(1), flow.deploy(1)
    set_property(first, "FlowFiles per Batch", "123")
    assert flow.commit(first, "smaller batches") == 2
    set_property(second, "Delivery Timeout", "7 sec")
    # NiFi looks for newer versions once in a while only; the registry client knows better.
    with pytest.raises(ApiException) as refused:
        flow.commit(second, "behind")
    assert refused.value.status == 409
    assert flow.commit(second, "by force", force=True) == 3
    assert '"FlowFiles per Batch": "200",' in flow.file(3).read_text()
    assert '"FlowFiles per Batch": "123",' in flow.file(2).read_text()


def test_of_two_clients_that_commit_at_once_one_wins(flow: Flow) -> None:
    clients = [flow.canvas.client, flow.canvas.add_client("another")]
    groups = [flow.deploy(1, client) for client in clients]
    for number, group in enumerate(groups):
        set_property(group, "Delivery Timeout", f"{number + 5} sec")
    with ThreadPoolExecutor(len(groups)) as threads:
        commits = [threads.submit(flow.commit, group, "at once") for group in groups]
    lost = [commit.exception() for commit in commits]
    assert sum(error is None for error in lost) == 1
    (error,) = filter(None, lost)
    assert isinstance(error, ApiException)
    assert error.status == 409
    assert "is behind" in error.body

    assert flow.files() == {"1.json", "2.json"}
    winner = lost.index(None)
    assert flow.changes(1, 2) == ['-"Delivery Timeout": "20 sec",', f'+"Delivery Timeout": "{winner + 5} sec",']
    kept = processor(groups[1 - winner]).component.config.properties
    assert kept["Delivery Timeout"] == f"{1 - winner + 5} sec", "the loser's change is still on the canvas"


def test_what_a_place_decides_for_itself_stays_there(flow: Flow) -> None:
    flow.deploy(1)
    elsewhere = flow.deploy(1, parameter_context_handling="REPLACE")
    context = canvas.get_process_group(elsewhere, "id").component.parameter_context.component
    assert re.search(r" \(\d+\)$", context.name)
    entity = parameters.get_parameter_context(context.id, identifier_type="id")
    own = parameters.prepare_parameter("kafka.bootstrap", "broker.of.one.place:9092")
    entity = parameters.upsert_parameter_to_context(entity, own)
    added = parameters.prepare_parameter("batch", "50", "FlowFiles in a batch")
    entity = parameters.upsert_parameter_to_context(entity, added)
    parameters.upsert_parameter_to_context(entity, parameters.prepare_parameter("password", SECRET, sensitive=True))
    set_property(elsewhere, "FlowFiles per Batch", "#{batch}")
    publisher = ProcessorConfigDTO(
        properties={"sasl.jaas.config": SECRET}, sensitive_dynamic_property_names=["sasl.jaas.config"]
    )
    canvas.update_processor(processor(elsewhere), publisher)
    assert flow.commit(elsewhere, "a parameter for batches") == 2

    written = flow.file(2).read_text()
    assert SECRET not in written
    assert "broker.of.one.place" not in written
    assert re.search(r'"name": "[^"]* \(\d+\)"', written) is None
    changes = flow.changes(1, 2)
    assert {'-"FlowFiles per Batch": "200",', '+"FlowFiles per Batch": "#{batch}",', '+"value": "50"'} <= set(changes)
    assert len(changes) < 30, changes

    third = flow.deploy(2, parameter_context_handling="REPLACE")
    assert (state(third), state(elsewhere)) == ("UP_TO_DATE", "UP_TO_DATE")
    assert processor(third).component.config.properties["FlowFiles per Batch"] == "#{batch}"


def test_a_new_branch_adds_lines_and_changes_none(flow: Flow) -> None:
    group = flow.deploy(1)
    entity = canvas.get_process_group(group, "id")
    kinds = {each.type.rsplit(".", 1)[-1]: each for each in canvas.list_all_processor_types().processor_types}
    added = canvas.create_processor(entity, kinds["LogAttribute"], (2400.0, 0.0), name="Look at damage")
    canvas.create_connection(processor(group, "Route by packet ID"), added, ["car_damage"], name="copy")
    assert state(group) == "LOCALLY_MODIFIED"
    assert flow.commit(group, "a branch for car damage") == 2

    changes = flow.changes(1, 2)
    assert '+"name": "Look at damage",' in changes
    assert [line for line in changes if line.startswith("-")] == []
    elsewhere = flow.deploy(2)
    assert state(elsewhere) == "UP_TO_DATE"
    assert processor(elsewhere, "Look at damage").component.position.x == 2400.0


def test_states_survive_a_restart_of_nifi(flow: Flow) -> None:
    groups = {state: flow.deploy(1) for state in ("STALE", "LOCALLY_MODIFIED", "LOCALLY_MODIFIED_AND_STALE")}
    set_property(groups["LOCALLY_MODIFIED"], "FlowFiles per Batch", "123")
    flow.commit(groups["LOCALLY_MODIFIED"], "smaller batches")
    groups["UP_TO_DATE"] = flow.deploy(2)
    set_property(groups["LOCALLY_MODIFIED"], "Delivery Timeout", "7 sec")
    set_property(groups["LOCALLY_MODIFIED_AND_STALE"], "Delivery Timeout", "7 sec")

    flow.canvas.restart()
    # Now NiFi has nothing to compare with but what it reads from the files.
    wait(lambda: {wanted: state(group) for wanted, group in groups.items()}, {wanted: wanted for wanted in groups})


def test_a_bad_state_of_the_folder_is_told_and_costs_nothing(flow: Flow) -> None:
    group = flow.deploy(1)
    set_property(group, "FlowFiles per Batch", "123")
    whole = flow.file(1).read_text()

    def refused(part: str) -> None:
        with pytest.raises(ApiException) as error:
            flow.commit(group, "cannot be")
        assert part in error.value.body
        assert processor(group).component.config.properties["FlowFiles per Batch"] == "123"

    flow.file(1).write_text(whole[: len(whole) // 2])
    refused(f"{BUCKET}/{flow.name}/1.json is no flow: line ")
    with pytest.raises(ValueError, match=r"1\.json is no flow"):
        versioning.list_git_registry_flow_versions(flow.canvas.client, BUCKET, flow.name)
    flow.file(1).write_text(whole)

    flow.file(1).rename(flow.file(3))
    refused("has 3.json and no 1.json")
    flow.file(3).rename(flow.file(1))

    away = flow.canvas.folder.with_name("away")
    flow.canvas.folder.rename(away)
    refused(f"NiFi sees no directory {flow.canvas.folder}")
    away.rename(flow.canvas.folder)

    (flow.folder / ".2.killed.tmp").write_text("half a fl")
    assert flow.commit(group, "now it can") == 2
    assert flow.files() == {"1.json", "2.json", ".2.killed.tmp"}
    assert state(group) == "UP_TO_DATE"


def test_names_that_lead_elsewhere_are_refused(nifi_canvas: Canvas) -> None:
    group = canvas.create_process_group(
        canvas.get_process_group(canvas.get_root_pg_id(), "id"), "somebody's", (0.0, 1800.0)
    )
    for name in ("../escaped", ".hidden", "a/b"):
        with pytest.raises(ValueError, match="cannot name a folder"):
            versioning.save_git_flow_ver(group, registry_client=NAME, bucket=BUCKET, flow_name=name)
    assert not list(nifi_canvas.folder.parent.rglob("*escaped*"))
