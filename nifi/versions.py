"""The flow's versions in the repository, and which of them NiFi has."""

from typing import Any

from nifi import connection, group, repository
from nifi.errors import NotDeployed, NotVersioned, Unreachable
from pitlane.settings import NifiSettings


def versions(settings: NifiSettings, name: str = group.NAME) -> list[dict[str, Any]]:
    """`repository.versions`, each with "deployed": whether it is what NiFi has, None where no NiFi answers.

    Raises `NoVersion`.
    """
    found = repository.versions(repository.folder(settings))
    deployed = _deployed(settings, name)
    return [{**each, "deployed": None if deployed is None else each["version"] == deployed} for each in found]


def _deployed(settings: NifiSettings, name: str) -> int | None:
    """0 where NiFi has none of them, None where there is no NiFi."""
    try:
        with connection.to(settings):
            return group.version(group.get(name)).number
    except (NotDeployed, NotVersioned):
        return 0
    except Unreachable:
        return None
