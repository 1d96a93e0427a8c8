"""What waits at a dead end of the canvas for a person: blocks that even the dead-letter topic refused."""

from nipyapi import canvas
from nipyapi.nifi.rest import ApiException
from urllib3.exceptions import HTTPError

from nifi import group
from nifi.errors import FlowError
from pitlane.settings import NifiSettings


def parked(settings: NifiSettings) -> int:
    """How many FlowFiles wait at funnels of the flow that lead nowhere. Raises FlowError."""
    group.connect(settings)
    return parked_in(group.get().id)


def parked_in(group_id: str) -> int:
    try:
        connections = canvas.list_all_connections(group_id)
    except (ApiException, HTTPError) as error:
        raise FlowError(f"NiFi does not tell of its queues: {error}") from error
    leads_on = {each.source_id for each in connections}
    return sum(
        each.status.aggregate_snapshot.flow_files_queued
        for each in connections
        if each.destination_type == "FUNNEL" and each.destination_id not in leads_on
    )
