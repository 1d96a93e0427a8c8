"""Makes what was changed on the canvas the next version of the flow, a new file in the repository."""

import time
from typing import Any

from nipyapi import versioning

from nifi import connection, group, registry, repository
from nifi.connection import Entity
from nifi.errors import Behind, FlowError
from pitlane.settings import NifiSettings

POLL_S = 0.5
BEHIND = ("STALE", "LOCALLY_MODIFIED_AND_STALE")


def commit(settings: NifiSettings, message: str, name: str = group.NAME) -> dict[str, Any]:
    """NiFi writes the file, so it and the repository are on one machine, or the folder is mounted.

    Returns {"group": id, "version": number, "changed": False when there was nothing to commit, "file": path}. Raises
    `Behind` when the canvas is based on an older version than the newest, `Refused` when NiFi cannot write, `FlowError`
    for an empty message.
    """
    if not message.strip():
        raise FlowError("a version needs a message", "-m says what was changed and why")
    with connection.to(settings):
        found = group.get(name)
        before = group.version(found)
        changed = bool(group.changes(found))
        if changed:
            newest = max(registry.versions(before.registry), default=0)
            if newest > before.number:
                raise Behind(
                    f"the canvas is based on version {before.number}, and {newest} is the newest",
                    "pitlane flow export keeps your changes; revert, deploy, and make them again",
                )
            _wait_until_nifi_knows(found)
            versioning.save_git_flow_ver(found, comment=message.strip())
        number = group.version(found).number
        file = repository.path(number, repository.folder(settings))
        return {"group": found.id, "version": number, "changed": changed, "file": str(file)}


def _wait_until_nifi_knows(found: Entity) -> None:
    """NiFi looks once a minute which version is the newest: one that git took away is still in its way until then."""
    deadline = time.monotonic() + connection.REQUEST_S
    while group.version(found).state in BEHIND and time.monotonic() < deadline:
        time.sleep(POLL_S)
