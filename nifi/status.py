"""What the flow does right now."""

from typing import Any

from nipyapi import canvas
from nipyapi.nifi import FlowApi

from nifi import group
from nifi.parked import parked_in
from pitlane.settings import NifiSettings


def status(settings: NifiSettings) -> dict[str, Any]:
    """Queues, errors, threads and bulletins of the flow.

    Returns {"nifi", "group", "running", "stopped", "invalid", "threads", "queued", "queued_bytes",
    "parked": blocks that even the dead-letter topic refused,
    "queues": [{"name", "queued", "bytes", "percent"} of those that hold something, fullest first],
    "errors": ["processor: what is wrong with its configuration"],
    "bulletins": [{"time", "level", "source", "message"}, oldest first; NiFi keeps them for five minutes]}; `percent` is
    of the limit at which back pressure begins. Raises `Unreachable` and `NotDeployed`.
    """
    version = group.connect(settings)
    found = group.get()
    snapshot = FlowApi().get_process_group_status(found.id, recursive=True).process_group_status.aggregate_snapshot
    processors = canvas.list_all_processors(found.id)
    return {
        "nifi": version,
        "group": found.id,
        "running": sum(each.status.run_status == "Running" for each in processors),
        "stopped": sum(each.status.run_status == "Stopped" for each in processors),
        "invalid": sum(each.status.run_status == "Invalid" for each in processors),
        "threads": snapshot.active_thread_count,
        "queued": snapshot.flow_files_queued,
        "queued_bytes": snapshot.bytes_queued,
        "parked": parked_in(found.id),
        "queues": _queues(snapshot),
        "errors": [
            f"{each.component.name}: {problem}"
            for each in processors
            for problem in each.component.validation_errors or ()
        ],
        "bulletins": _bulletins(found.id),
    }


def _queues(snapshot: group.Entity) -> list[dict[str, Any]]:
    queues = []
    for entity in snapshot.connection_status_snapshots or ():
        queue = entity.connection_status_snapshot
        if queue.flow_files_queued:
            queues.append({
                "name": queue.name,
                "queued": queue.flow_files_queued,
                "bytes": queue.bytes_queued,
                "percent": max(queue.percent_use_count or 0, queue.percent_use_bytes or 0),
            })  # fmt: skip
    return sorted(queues, key=lambda queue: -queue["percent"])


def _bulletins(group_id: str) -> list[dict[str, Any]]:
    board = FlowApi().get_bulletin_board(group_id=group_id).bulletin_board
    told = [entity.bulletin for entity in board.bulletins if entity.bulletin]
    return [
        {"time": each.timestamp, "level": each.level, "source": each.source_name, "message": each.message}
        for each in sorted(told, key=lambda bulletin: bulletin.id)
    ]
