"""The process group of the flow in one running NiFi, over its REST API: found, read as a definition, brought in, replaced.

nipyapi keeps the address of its NiFi in one global place, so a process talks to one NiFi at a time.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nipyapi
from nipyapi import canvas, parameters, security, utils, versioning
from nipyapi.nifi import FlowApi, ProcessGroupsApi
from nipyapi.nifi.rest import ApiException
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from nifi import definition
from nifi.build import GROUP
from nifi.definition import Json
from nifi.errors import LoginRefused, NotDeployed, Unreachable
from pitlane import tls
from pitlane.settings import NifiSettings

# nipyapi's entities are generated classes without types.
Entity = Any


def connect(settings: NifiSettings) -> str:
    """Points nipyapi at the NiFi of `settings` and logs in, by certificate or as a user where one is named.

    Returns NiFi's version. Raises `Unreachable`, `LoginRefused`.
    """
    url = settings.nifi_url
    config = nipyapi.config.nifi_config
    config.host = url
    config.ssl_ca_cert = _path(settings.nifi_certificate)
    config.cert_file = _path(settings.nifi_client_certificate)
    config.key_file = _path(settings.nifi_client_key)
    config.api_client = None  # made for the address before
    security.set_service_auth_token(token=None, service="nifi")
    try:
        if settings.nifi_username:
            _log_in(settings)
        version: str = FlowApi().get_about_info().about.version
    except (HTTPError, OSError, ApiException) as error:
        why = f": {told}" if (told := tls.told(error)) else ""
        raise Unreachable(
            f"no NiFi answers at {url}{why}", "pitlane up starts one, PITLANE_NIFI_URL names another"
        ) from error
    return version


def _path(path: Path | None) -> str | None:
    return str(path) if path else None


def _log_in(settings: NifiSettings) -> None:
    """Asks for a token, which goes with all later calls."""
    if urlsplit(settings.nifi_url).scheme != "https":
        raise LoginRefused(
            f"{settings.nifi_url} takes no log-in", "a log-in needs https, or unset PITLANE_NIFI_USERNAME"
        )
    password = settings.nifi_password.get_secret_value()
    try:
        token = nipyapi.nifi.AccessApi().create_access_token(username=settings.nifi_username, password=password)
    except ApiException as error:
        hint = "PITLANE_NIFI_USERNAME and PITLANE_NIFI_PASSWORD are what NiFi was started with"
        raise LoginRefused(f"NiFi refuses the log-in of {settings.nifi_username}: HTTP {error.status}", hint) from error
    security.set_service_auth_token(token=token, service="nifi")


def find(name: str = GROUP) -> Entity | None:
    """The group of that name on the outermost canvas, None where there is none."""
    groups = ProcessGroupsApi().get_process_groups(canvas.get_root_pg_id()).process_groups
    return next((group for group in groups if group.component.name == name), None)


def get(name: str = GROUP) -> Entity:
    if group := find(name):
        return group
    raise NotDeployed(f"NiFi has no flow {name}", "pitlane flow deploy")


def services(group_id: str) -> list[Entity]:
    """The controller services of the group and what lies in it."""
    found = FlowApi().get_controller_services_from_group(
        group_id, include_ancestor_groups=False, include_descendant_groups=True
    )
    return list(found.controller_services)


def read(group: Entity) -> Json:
    """The group's definition as NiFi has it now, in stable form, parameter values included."""
    return definition.normal(json.loads(versioning.export_process_group_definition(group)))


def bring_in(flow: Json) -> Entity:
    """A new group on the outermost canvas, below whatever is there; stopped."""
    root = canvas.get_process_group(canvas.get_root_pg_id(), "id")
    others = ProcessGroupsApi().get_process_groups(root.id).process_groups
    y = max((group.position.y + 300 for group in others), default=0.0)
    return versioning.import_process_group_definition(root, flow_definition=json.dumps(flow), position=(0.0, y))


def replace(group: Entity, flow: Json, timeout_s: float = 120) -> None:
    """Turns the group into `flow`. NiFi stops what changes and starts it again; other components and all queues stay."""
    api = ProcessGroupsApi()
    group = canvas.get_process_group(group.id, "id")
    body = {"processGroupRevision": group.revision, "versionedFlowSnapshot": flow}
    request = api.initiate_replace_process_group(body=body, id=group.id).request
    utils.wait_for_request(
        lambda: api.get_replace_process_group_request(request.request_id),
        lambda: api.delete_replace_process_group_request(request.request_id),
        nipyapi_delay=0.5,
        nipyapi_max_wait=timeout_s,
    )


def set_parameters(flow: Json, sensitive: Mapping[str, SecretStr]) -> list[str]:
    """Gives every parameter context of `flow` the values it has there; returns the names of the parameters it changed.

    NiFi restarts the processors that refer to one. Sensitive parameters have no value in a flow: theirs are in
    `sensitive`, and those that are not stay as they are.
    """
    changed = []
    for name, wanted in flow["parameterContexts"].items():
        context = parameters.get_parameter_context(name, greedy=False)
        have = {entity.parameter.name: entity.parameter.value for entity in context.component.parameters}
        differing = [p for p in wanted["parameters"] if not p["sensitive"] and have.get(p["name"]) != p["value"]]
        secret = [p for p in wanted["parameters"] if p["sensitive"] and p["name"] in sensitive]
        if differing or secret:
            context.component.parameters = [
                *(parameters.prepare_parameter(p["name"], p["value"], p["description"]) for p in differing),
                *(
                    parameters.prepare_parameter(
                        p["name"], sensitive[p["name"]].get_secret_value(), p["description"], sensitive=True
                    )
                    for p in secret
                ),
            ]
            parameters.update_parameter_context(context)
            changed += [p["name"] for p in differing]
    return changed
