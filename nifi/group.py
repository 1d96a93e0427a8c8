"""The process group of the flow in one running NiFi: found, read as a definition, brought in, changed to a version."""

import json
from typing import Any, NamedTuple

from nipyapi import canvas, utils, versioning
from nipyapi.nifi import ProcessGroupsApi, VersionsApi

from nifi import connection
from nifi.connection import Entity
from nifi.definition import Json
from nifi.errors import NotDeployed, NotVersioned
from nifi.repository import BUCKET, FLOW

NAME = FLOW
"""The group's name, where it is not deployed under another."""

GAP = 300.0
"""From one group to the next on the outermost canvas."""


class Version(NamedTuple):
    number: int
    """What the group is based on."""
    state: str
    """NiFi's: UP_TO_DATE, LOCALLY_MODIFIED, STALE, LOCALLY_MODIFIED_AND_STALE or SYNC_FAILURE. NiFi looks for newer
    versions once a minute."""
    told: str
    """NiFi's words for it."""
    registry: str
    """Id of the registry client."""


def find(name: str = NAME) -> Entity | None:
    """The group of that name on the outermost canvas, None where there is none."""
    groups = ProcessGroupsApi().get_process_groups(canvas.get_root_pg_id()).process_groups
    return next((group for group in groups if group.component.name == name), None)


def get(name: str = NAME) -> Entity:
    if group := find(name):
        return group
    raise NotDeployed(f"NiFi has no flow {name}", "pitlane flow deploy")


def read(group: Entity) -> Json:
    """The group's definition as NiFi has it now, with all that NiFi says."""
    definition: Json = json.loads(versioning.export_process_group_definition(group))
    return definition


def version(group: Entity) -> Version:
    """Raises `NotVersioned`."""
    info = VersionsApi().get_version_information(group.id).version_control_information
    if info is None or (info.bucket_id, info.flow_id) != (BUCKET, FLOW):
        raise NotVersioned(
            f"the group {group.component.name} is no version of {BUCKET}/{FLOW}",
            "pitlane flow export keeps what it has; rename or delete it on the canvas, then pitlane flow deploy",
        )
    return Version(int(info.version), info.state, info.state_explanation or "", info.registry_id)


def changes(group: Entity) -> list[Entity]:
    """What NiFi calls local modifications, component by component; it compares now."""
    return list(versioning.get_local_modifications(group).component_differences or ())


def bring_in(registry: str, number: int, name: str) -> Entity:
    """A new group below whatever is on the outermost canvas, stopped. One of another name has parameters of its own."""
    root = canvas.get_root_pg_id()
    others = ProcessGroupsApi().get_process_groups(root).process_groups
    y = max((group.position.y + GAP for group in others), default=0.0)
    handling = "KEEP_EXISTING" if name == NAME else "REPLACE"
    group = versioning.deploy_git_registry_flow(
        registry, BUCKET, FLOW, root, (0.0, y), str(number), parameter_context_handling=handling
    )
    if group.component.name != name:
        canvas.update_process_group(group, {"name": name})
    return get(name)


def change_version(group: Entity, number: int) -> None:
    """NiFi stops what differs and starts it again; other components and all queues stay."""
    with connection.asked(f"change to version {number}"):
        versioning.update_git_flow_ver(group, str(number))


def revert(group: Entity) -> None:
    """Back to the version that the group is based on; queues stay as long as their connection does."""
    api = VersionsApi()
    request = api.initiate_revert_flow_version(id=group.id, body=api.get_version_information(group.id)).request
    with connection.asked("revert"):
        utils.wait_for_request(
            lambda: api.get_revert_request(request.request_id), lambda: api.delete_revert_request(request.request_id)
        )


def processors(group: Entity) -> list[Entity]:
    found: list[Any] = canvas.list_all_processors(group.id)
    return found


def services(group: Entity) -> list[Entity]:
    """Controller services in the group, those around it left out."""
    found: list[Any] = canvas.list_all_controllers(group.id, include_ancestors=False)
    return found
