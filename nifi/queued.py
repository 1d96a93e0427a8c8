"""What waits in the flow's queues, block by block."""

import time
from typing import Any

from nipyapi.nifi import FlowFileQueuesApi
from nipyapi.nifi.rest import ApiException

from nifi import connection, group
from nifi.connection import Entity
from nifi.errors import FlowError
from nifi.status import connections, snapshot
from pitlane.settings import NifiSettings

LISTED_WITHIN_S = 20
POLL_S = 0.1


def queued(settings: NifiSettings) -> dict[str, Any]:
    """Looks into every queue that holds something.

    Returns {"blocks": {block.id: block.count}, "unknown": FlowFiles}. NiFi lists the first hundred FlowFiles of a queue,
    and none that a processor has in hand or that moved on meanwhile: those are `unknown`. Raises FlowError.
    """
    with connection.to(settings):
        return _queued(group.get())


def _queued(found_group: Entity) -> dict[str, Any]:
    blocks: dict[str, int] = {}
    unknown = 0
    for queue in connections(snapshot(found_group)):
        if not queue.flow_files_queued:
            continue
        found = [_attributes(queue.id, each) for each in _listed(queue.id)]
        named = [each for each in found if each and "block.id" in each]
        blocks |= {each["block.id"]: int(each.get("block.count", "1")) for each in named}
        unknown += max(len(found), queue.flow_files_queued) - len(named)
    return {"blocks": blocks, "unknown": unknown}


def _listed(connection_id: str) -> list[Entity]:
    """Summaries of the FlowFiles at the head of a queue; NiFi makes the list in the background."""
    api = FlowFileQueuesApi()
    request = api.create_flow_file_listing(connection_id).listing_request
    deadline = time.monotonic() + LISTED_WITHIN_S
    try:
        while not request.finished:
            if time.monotonic() > deadline:
                raise FlowError(f"NiFi does not list its queues within {LISTED_WITHIN_S} s")
            time.sleep(POLL_S)
            request = api.get_listing_request(connection_id, request.id).listing_request
    finally:
        api.delete_listing_request(connection_id, request.id)
    return list(request.flow_file_summaries or ())


def _attributes(connection_id: str, summary: Entity) -> dict[str, str] | None:
    """None when the FlowFile has left the queue since it was listed."""
    where = {"cluster_node_id": summary.cluster_node_id} if summary.cluster_node_id else {}
    try:
        flow_file = FlowFileQueuesApi().get_flow_file(connection_id, summary.uuid, **where).flow_file
    except ApiException as error:
        if error.status == 404:
            return None
        raise
    attributes: dict[str, str] = flow_file.attributes
    return attributes
