"""Stops the flow; what is queued stays queued."""

from typing import Any

from nipyapi import canvas

from nifi import connection, group
from nifi.errors import FlowError
from pitlane.settings import NifiSettings


def stop(settings: NifiSettings, name: str = group.NAME) -> dict[str, Any]:
    """Stops every processor and waits for the last task. Returns {"group": id, "queued": FlowFiles}."""
    with connection.to(settings), connection.asked("stop the flow"):
        found = group.get(name)
        if not canvas.schedule_process_group(found.id, False, identifier_type="id"):
            raise FlowError("the flow's tasks did not end in time", "NiFi's canvas can terminate a task")
        return {"group": found.id, "queued": group.get(name).status.aggregate_snapshot.flow_files_queued}
