"""What differs between the canvas and the repository, or between two versions, in words."""

from typing import Any

from nifi import connection, group, repository
from nifi.difference import differences
from pitlane.settings import NifiSettings


def diff(
    settings: NifiSettings, version: int | None = None, other: int | None = None, name: str = group.NAME
) -> dict[str, Any]:
    """The canvas against the version that it is based on, or against `version`; with `other`, two versions, no NiFi.

    Returns {"old": version, "new": version or None for the canvas, "state": NiFi's word for the group's version or "",
    "changes": as `difference.differences`}. Raises `NoVersion`, `NotDeployed`, `NotVersioned`.
    """
    where = repository.folder(settings)
    if version is not None and other is not None:
        old, new = repository.read(version, where), repository.read(other, where)
        return {"old": version, "new": other, "state": "", "changes": differences(old, new, of_places=True)}
    with connection.to(settings):
        found = group.get(name)
        base = group.version(found)
        old_number = version or base.number
        if old_number == base.number and not group.changes(found):
            # NiFi has the last word: it knows which new property only has its default.
            changes = []
        else:
            changes = differences(repository.read(old_number, where), group.read(found))
        return {"old": old_number, "new": None, "state": base.state, "changes": changes}
