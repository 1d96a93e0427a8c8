"""Deploys the flow into a NiFi, new or not, and waits until blocks can be posted."""

import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nipyapi import canvas

from nifi import build, definition, group
from nifi.errors import InvalidFlow, NotRunning
from pitlane import tls
from pitlane.settings import NifiSettings

POLL_S = 0.25


def deploy(settings: NifiSettings, flow_file: Path = build.FLOW_FILE, timeout_s: float = 60) -> dict[str, Any]:
    """Makes the NiFi at `settings.nifi_url` run the flow in `flow_file`; a second run changes nothing.

    A NiFi without the flow gets it; one that has another version of it is brought to this one in place, and queued
    blocks stay. Parameters take their values from `settings`.

    Returns {"nifi": version, "group": id, "flow": "created" | "updated" | "unchanged", "parameters": [names changed],
    "processors": number running, "blocks_url": where to post}. Raises `Unreachable`, `InvalidFlow`, `NotRunning`.
    """
    version = group.connect(settings)
    flow = definition.with_parameters(definition.read(flow_file), build.parameter_values(settings))
    flow = definition.normal(flow)
    found = group.find(flow["flowContents"]["name"])
    if found is None:
        found, action = group.bring_in(flow), "created"
    elif group.read(found)["flowContents"] != flow["flowContents"]:
        group.replace(found, flow)
        action = "updated"
    else:
        action = "unchanged"
    changed = group.set_parameters(flow, build.sensitive_values(settings))
    _enable_services(found.id, timeout_s)
    running = _start(found.id, timeout_s)
    url = _blocks_url(settings)
    _wait_listening(url, settings, timeout_s)
    return {
        "nifi": version,
        "group": found.id,
        "flow": action,
        "parameters": changed,
        "processors": running,
        "blocks_url": url,
    }


def _enable_services(group_id: str, timeout_s: float) -> None:
    """Enables the flow's controller services, without which processors are invalid, and waits until they are."""
    deadline = time.monotonic() + timeout_s
    asked = False
    while True:
        services = group.services(group_id)
        waiting = [each for each in services if each.component.state != "ENABLED"]
        if not waiting:
            return
        if not any(each.component.validation_status == "VALIDATING" for each in waiting):
            _refuse_invalid(waiting)
            if not asked:
                canvas.schedule_all_controllers(group_id, True)
                asked = True
        if time.monotonic() > deadline:
            names = ", ".join(f"{each.component.name} is {each.component.state.lower()}" for each in waiting)
            raise NotRunning(f"the flow's services do not run after {timeout_s:.0f} s: {names}")
        time.sleep(POLL_S)


def _start(group_id: str, timeout_s: float) -> int:
    """Starts all processors and waits until they run; returns how many."""
    deadline = time.monotonic() + timeout_s
    started = False
    while True:
        processors = canvas.list_all_processors(group_id)
        waiting = [each for each in processors if each.status.run_status != "Running"]
        if not waiting:
            return len(processors)
        # NiFi validates in the background: what was just brought in is not startable yet.
        validating = any(each.component.validation_status == "VALIDATING" for each in waiting)
        if not started and not validating:
            _refuse_invalid(waiting)
            canvas.schedule_process_group(group_id, True, identifier_type="id")
            started = True
        if time.monotonic() > deadline:
            names = ", ".join(f"{each.component.name} is {each.status.run_status.lower()}" for each in waiting)
            raise NotRunning(f"the flow does not run after {timeout_s:.0f} s: {names}", "NiFi's log and canvas say why")
        time.sleep(POLL_S)


def _refuse_invalid(components: list[Any]) -> None:
    problems = [
        f"{each.component.name}: {problem}" for each in components for problem in each.component.validation_errors or ()
    ]
    if problems:
        raise InvalidFlow("NiFi cannot run the flow: " + "; ".join(problems))


def _blocks_url(settings: NifiSettings) -> str:
    scheme = "https" if settings.nifi_blocks_certificate else "http"
    host = urlsplit(settings.nifi_url).hostname
    return f"{scheme}://{host}:{settings.nifi_listen_port}/{settings.nifi_listen_path}"


def _wait_listening(url: str, settings: NifiSettings, timeout_s: float) -> None:
    """A running ListenHTTP opens its port a little later; it answers HEAD without making a FlowFile."""
    deadline = time.monotonic() + timeout_s
    where = urlsplit(url)
    context = settings.blocks_context() if where.scheme == "https" else None
    while True:
        host, port = where.hostname or "", where.port
        connection = (
            HTTPSConnection(host, port, timeout=2, context=context)
            if context
            else HTTPConnection(host, port, timeout=2)
        )
        try:
            connection.request("HEAD", where.path)
            status = connection.getresponse().status
            if status == 200:
                return
            problem = f"answered {status}"
        except (OSError, HTTPException) as error:
            problem = tls.told(error) or str(error)
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise NotRunning(f"{url} does not accept blocks: {problem}")
        time.sleep(POLL_S)
