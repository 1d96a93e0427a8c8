"""What the flow does right now."""

from typing import Any

from nipyapi.nifi import FlowApi
from nipyapi.nifi.rest import ApiException

from nifi import connection, group, registry
from nifi.connection import Entity
from nifi.errors import NotVersioned
from nifi.parked import parked_in
from pitlane.settings import NifiSettings


def status(settings: NifiSettings, name: str = group.NAME) -> dict[str, Any]:
    """Version, queues, errors, threads and bulletins of the flow.

    Returns {"nifi", "group", "version", "running", "stopped", "invalid", "disabled", "threads", "queued",
    "queued_bytes", "queues": as `filled`, "parked": as `nifi.parked`,
    "errors": ["component: what is wrong with its configuration"],
    "bulletins": [{"time", "level", "source", "message"}, oldest first; NiFi keeps them for five minutes]}.

    `version` is None for a group that is under no version control, else {"number", "newest" in the folder or None where
    NiFi cannot read it, "state": as `group.Version`, "told": NiFi's words}. Raises `Unreachable` and `NotDeployed`.
    """
    with connection.to(settings) as nifi:
        found = group.get(name)
        numbers = snapshot(found)
        processors = group.processors(found)
        states = [each.status.run_status for each in processors]
        return {
            "nifi": nifi.version,
            "group": found.id,
            "version": _version(found),
            **{state.lower(): states.count(state) for state in ("Running", "Stopped", "Invalid", "Disabled")},
            "threads": numbers.active_thread_count,
            "queued": numbers.flow_files_queued,
            "queued_bytes": numbers.bytes_queued,
            "queues": filled(numbers),
            "parked": parked_in(found),
            "errors": [
                f"{each.component.name}: {problem}"
                for each in [*group.services(found), *processors]
                for problem in each.component.validation_errors or ()
            ],
            "bulletins": _bulletins(found.id),
        }


def snapshot(found: Entity) -> Entity:
    """NiFi's numbers of a group as they are now, inner groups included."""
    return FlowApi().get_process_group_status(found.id, recursive=True).process_group_status.aggregate_snapshot


def filled(numbers: Entity) -> list[dict[str, Any]]:
    """The queues that hold something: [{"name", "queued", "bytes", "percent" of the limit at which back pressure
    begins}], fullest first.
    """
    found = [_queue(each) for each in connections(numbers) if each.flow_files_queued]
    return sorted(found, key=lambda queue: -queue["percent"])


def connections(numbers: Entity) -> list[Entity]:
    """The numbers of each connection in a group and its inner groups."""
    own = [each.connection_status_snapshot for each in numbers.connection_status_snapshots or ()]
    inner = [each.process_group_status_snapshot for each in numbers.process_group_status_snapshots or ()]
    return own + [each for group_numbers in inner for each in connections(group_numbers)]


def _queue(numbers: Entity) -> dict[str, Any]:
    return {
        "name": numbers.name or f"{numbers.source_name} → {numbers.destination_name}",
        "queued": numbers.flow_files_queued,
        "bytes": numbers.bytes_queued,
        "percent": max(numbers.percent_use_count or 0, numbers.percent_use_bytes or 0),
    }


def _version(found: Entity) -> dict[str, Any] | None:
    try:
        version = group.version(found)
    except NotVersioned:
        return None
    try:
        newest = max(registry.versions(version.registry), default=None)
    except ApiException:  # what is wrong with the folder stands in NiFi's words
        newest = None
    return {"number": version.number, "newest": newest, "state": version.state, "told": version.told}


def _bulletins(group_id: str) -> list[dict[str, Any]]:
    board = FlowApi().get_bulletin_board(group_id=group_id).bulletin_board
    told = [entity.bulletin for entity in board.bulletins if entity.bulletin]
    return [
        {"time": each.timestamp, "level": each.level, "source": each.source_name, "message": each.message}
        for each in sorted(told, key=lambda bulletin: bulletin.id)
    ]
