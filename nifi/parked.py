"""What waits at a dead end of the canvas for a person: blocks that even the dead-letter topic refused."""

from nipyapi import canvas

from nifi import connection, group
from nifi.connection import Entity
from pitlane.settings import NifiSettings


def parked(settings: NifiSettings) -> int:
    """How many FlowFiles wait at funnels of the flow that lead nowhere. Raises FlowError."""
    with connection.to(settings):
        return parked_in(group.get())


def parked_in(found: Entity) -> int:
    """As `parked`, within a connection."""
    connections = canvas.list_all_connections(found.id)
    leads_on = {each.source_id for each in connections}
    return sum(
        each.status.aggregate_snapshot.flow_files_queued
        for each in connections
        if each.destination_type == "FUNNEL" and each.destination_id not in leads_on
    )
