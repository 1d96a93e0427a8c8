"""NiFi's own verification of what the flow is configured to do, before it does it."""

import time
from typing import Any

from nipyapi import canvas

from nifi import connection, group
from nifi.connection import Entity
from nifi.errors import FlowError
from pitlane.settings import NifiSettings

VALIDATED_WITHIN_S = 60
POLL_S = 0.25


def verify(settings: NifiSettings, name: str = group.NAME) -> dict[str, Any]:
    """Has NiFi verify every processor and controller service that does not run; what runs was verified by running.

    Returns {"group": id, "verified": how many, "running": how many others, "failed": [{"component", "kind",
    "problems": ["step: explanation"]}]}. Raises `NotDeployed`.
    """
    with connection.to(settings):
        found = group.get(name)
        return {"group": found.id, **verify_group(found)}


def verify_group(found: Entity) -> dict[str, Any]:
    """As `verify`, within a connection and without the id."""
    services, processors = group.services(found), validated(found)
    idle = [each for each in services if each.component.state == "DISABLED"]
    stopped = [each for each in processors if each.status.run_status != "Running"]
    told = [(each, "controller service", canvas.verify_controller) for each in idle]
    told += [(each, "processor", canvas.verify_processor) for each in stopped]
    failed = []
    for each, kind, ask in told:
        with connection.asked(f"verify {each.component.name}"):
            results = ask(each)
        problems = [
            f"{step.verification_step_name}: {step.explanation}" for step in results if step.outcome == "FAILED"
        ]
        if problems:
            failed.append({"component": each.component.name, "kind": kind, "problems": problems})
    return {"verified": len(told), "running": len(services) + len(processors) - len(told), "failed": failed}


def validated(found: Entity) -> list[Entity]:
    """The group's processors, once NiFi has validated them: it does so in the background."""
    deadline = time.monotonic() + VALIDATED_WITHIN_S
    while True:
        processors = group.processors(found)
        if all(each.component.validation_status != "VALIDATING" for each in processors):
            return processors
        if time.monotonic() > deadline:
            raise FlowError(f"NiFi does not validate the flow within {VALIDATED_WITHIN_S} s")
        time.sleep(POLL_S)
