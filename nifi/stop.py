"""Stops the flow; what is queued stays queued."""

from typing import Any

from nipyapi import canvas

from nifi import group
from nifi.errors import FlowError
from pitlane.settings import NifiSettings


def stop(settings: NifiSettings) -> dict[str, Any]:
    """Stops every processor and waits for the last task. Returns {"group": id, "queued": FlowFiles}."""
    group.connect(settings)
    found = group.get()
    if not canvas.schedule_process_group(found.id, False, identifier_type="id"):
        raise FlowError("the flow's tasks did not end in time", "NiFi's canvas can terminate a task")
    found = group.get()
    return {"group": found.id, "queued": found.status.aggregate_snapshot.flow_files_queued}
