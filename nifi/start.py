"""Starts the flow and waits until blocks can be posted."""

import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any

from nipyapi import canvas
from nipyapi.nifi import ActivateControllerServicesEntity, FlowApi

from nifi import connection, group
from nifi.connection import Entity
from nifi.errors import InvalidFlow, NotRunning
from nifi.verify import validated, verify_group
from pitlane import tls
from pitlane.settings import NifiSettings

WITHIN_S = 60
POLL_S = 0.25


def start(settings: NifiSettings, name: str = group.NAME) -> dict[str, Any]:
    """Verifies and starts what does not run.

    Returns {"group": id, "processors": number running, "blocks_url": where to post}. Raises `NotDeployed`,
    `InvalidFlow`, `NotRunning`.
    """
    with connection.to(settings) as nifi:
        found = group.get(name)
        return {"group": found.id, **start_group(found, settings, nifi.host)}


def start_group(found: Entity, settings: NifiSettings, host: str) -> dict[str, Any]:
    """As `start`, within a connection and without the id."""
    make_ready(found)
    _refuse_taken(found, host, settings)
    running = _run(found)
    _wait_listening(host, settings)
    scheme = "https" if settings.nifi_blocks_certificate else "http"
    url = f"{scheme}://{host}:{settings.nifi_listen_port}/{settings.nifi_listen_path}"
    return {"processors": running, "blocks_url": url}


def make_ready(found: Entity) -> None:
    """Verifies, with every controller service on: a processor is not valid before. Raises `InvalidFlow`."""
    if any(each.component.state == "DISABLED" for each in group.services(found)):
        _refuse(verify_group(found)["failed"], "controller service")
        _enable_services(found)
    _refuse(verify_group(found)["failed"], "controller service", "processor")


def _refuse(failed: list[dict[str, Any]], *kinds: str) -> None:
    problems = [f"{each['component']}: {'; '.join(each['problems'])}" for each in failed if each["kind"] in kinds]
    if problems:
        raise InvalidFlow("NiFi cannot run the flow: " + "; ".join(problems), "pitlane flow verify says it again")


def _enable_services(found: Entity) -> None:
    body = ActivateControllerServicesEntity(id=found.id, state="ENABLED")
    FlowApi().activate_controller_services(body=body, id=found.id)
    deadline = time.monotonic() + WITHIN_S
    while waiting := [each.component.name for each in group.services(found) if each.component.state != "ENABLED"]:
        if time.monotonic() > deadline:
            raise NotRunning(f"after {WITHIN_S} s not enabled: {', '.join(waiting)}", "NiFi's log and canvas say why")
        time.sleep(POLL_S)


def _run(found: Entity) -> int:
    """Starts all processors and waits until they run; returns how many. Those that a person disabled stay so."""
    wanted = [each for each in validated(found) if each.status.run_status != "Disabled"]
    if any(each.status.run_status != "Running" for each in wanted):
        canvas.schedule_process_group(found.id, True, identifier_type="id")
    deadline = time.monotonic() + WITHIN_S
    while True:
        running = [each for each in group.processors(found) if each.status.run_status == "Running"]
        if len(running) >= len(wanted):
            return len(running)
        if time.monotonic() > deadline:
            names = ", ".join({each.component.name for each in wanted} - {each.component.name for each in running})
            raise NotRunning(f"after {WITHIN_S} s not running: {names}", "NiFi's log and canvas say why")
        time.sleep(POLL_S)


def _refuse_taken(found: Entity, host: str, settings: NifiSettings) -> None:
    """Somebody listens on the port while nothing of this group runs: the blocks would go there."""
    # In this order, as a NiFi that has just started may be starting the group by itself.
    listened = _answer(host, settings) != ""
    if listened and not any(each.status.run_status == "Running" for each in group.processors(found)):
        raise NotRunning(
            f"port {settings.nifi_listen_port} of {host} is taken, perhaps by another group of the flow",
            "stop that one, or choose another port: PITLANE_NIFI_LISTEN_PORT; deploy --no-start leaves this one stopped",
        )


def _wait_listening(host: str, settings: NifiSettings) -> None:
    """A running ListenHTTP opens its port a little later; it answers HEAD without making a FlowFile."""
    deadline = time.monotonic() + WITHIN_S
    while (answer := _answer(host, settings)) != "200":
        if time.monotonic() > deadline:
            where = f"{host}:{settings.nifi_listen_port}/{settings.nifi_listen_path}"
            raise NotRunning(f"{where} does not accept blocks: {answer or 'nothing listens there'}")
        time.sleep(POLL_S)


def _answer(host: str, settings: NifiSettings) -> str:
    """HTTP status of the place where blocks are posted, "" when nothing listens there, or what went wrong."""
    client = HTTPConnection(host, settings.nifi_listen_port, timeout=2)
    if settings.nifi_blocks_certificate:
        client = HTTPSConnection(host, settings.nifi_listen_port, timeout=2, context=settings.blocks_context())
    try:
        client.request("HEAD", f"/{settings.nifi_listen_path}")
        return str(client.getresponse().status)
    except ConnectionRefusedError:
        return ""
    except (OSError, HTTPException) as error:
        return tls.told(error) or str(error) or type(error).__name__
    finally:
        client.close()
