"""Undoes what was changed on the canvas since the version that it is based on."""

from typing import Any

from nifi import connection, group
from nifi.diff import diff
from pitlane.settings import NifiSettings


def revert(settings: NifiSettings, name: str = group.NAME) -> dict[str, Any]:
    """Returns {"group": id, "version": number, "undone": the changes that were, as `diff` tells them}.

    Queued blocks stay; NiFi refuses to remove a connection that holds some. Raises `NotDeployed`, `NotVersioned`,
    `Refused`.
    """
    undone = diff(settings, name=name)["changes"]
    with connection.to(settings):
        found = group.get(name)
        if group.changes(found):
            group.revert(found)
        return {"group": found.id, "version": group.version(found).number, "undone": undone}
