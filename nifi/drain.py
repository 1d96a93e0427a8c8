"""Empties the flow: stops what receives, and waits until everything is where it belongs."""

import time
from typing import Any

from nipyapi import canvas

from nifi import connection, group
from nifi.connection import Entity
from nifi.status import connections, filled, snapshot
from pitlane.settings import NifiSettings

POLL_S = 0.5


def drain(settings: NifiSettings, name: str = group.NAME, timeout_s: float = 60) -> dict[str, Any]:
    """Stops every processor that gets nothing from another one, and waits until all queues are empty.

    What waits where nothing takes it, such as before a funnel or a stopped processor, is not waited for. `start` makes
    the flow receive again.

    Returns {"group": id, "stopped": [names], "drained": bool, "left": as `status.filled`}. Raises `NotDeployed`.
    """
    with connection.to(settings):
        found = group.get(name)
        lines = canvas.list_all_connections(found.id)
        stopped = _stop_receiving(found, {line.destination_id for line in lines})
        deadline = time.monotonic() + timeout_s
        while True:
            numbers = snapshot(found)
            taking = _taking(found, lines)
            moving = {line.id for line in lines if line.destination_id in taking}
            waits = any(each.flow_files_queued and each.id in moving for each in connections(numbers))
            if not waits or time.monotonic() > deadline:
                left = filled(numbers)
                return {"group": found.id, "stopped": stopped, "drained": not left, "left": left}
            time.sleep(POLL_S)


def _stop_receiving(found: Entity, fed: set[str]) -> list[str]:
    """Names of the processors that ran and are stopped now, their last task ended."""
    receiving = [each for each in group.processors(found) if each.id not in fed and each.status.run_status == "Running"]
    for each in receiving:
        with connection.asked(f"stop {each.component.name}"):
            canvas.schedule_processor(each, False)
    return [each.component.name for each in receiving]


def _taking(found: Entity, lines: list[Entity]) -> set[str]:
    """Ids of what takes FlowFiles out of a queue before it: processors that run, and anything else that leads on."""
    processors = {each.id: each.status.run_status for each in group.processors(found)}
    running = {each for each, state in processors.items() if state == "Running"}
    return running | {line.source_id for line in lines if line.source_id not in processors}
