"""Deploys a version of the flow into a NiFi, new or not, and starts it."""

from typing import Any

from nifi import connection, group, parameters, registry
from nifi.connection import Entity
from nifi.errors import Changed, NoVersion
from nifi.start import make_ready, start_group
from pitlane.settings import NifiSettings


def deploy(
    settings: NifiSettings,
    version: int | None = None,
    name: str = group.NAME,
    *,
    start: bool = True,
    force: bool = False,
    keep_changes: bool = False,
) -> dict[str, Any]:
    """Makes NiFi run `version` of the flow, the newest where none is named; a second run changes nothing.

    A NiFi without the group gets it; one with another version is brought to this one in place, and queued blocks stay.
    Changes on the canvas that are in no version are refused, undone with `force`, or left alone, with the version that
    they are based on, with `keep_changes`. Parameters take their values from `settings`. A group with another `name`
    than the flow's own has its own parameters, so that both can run, on ports of their own. `start` False: what is
    new stays stopped, and what runs runs on.

    Returns {"nifi": its version, "group": id, "version": number, "flow": "created" | "upgraded" | "downgraded" |
    "reverted" | "kept" | "unchanged", "parameters": [names changed], "processors": number running, 0 when nothing was
    started, "blocks_url": where to post}. Raises `Unreachable`, `Refused`, `NoVersion`, `NotVersioned`, `Changed`,
    `InvalidFlow`, `NotRunning`.
    """
    with connection.to(settings) as nifi:
        client = registry.ensure(settings)
        there = registry.versions(client)
        number = _chosen(version, there, settings)
        found = group.find(name)
        if found is None:
            found, action = group.bring_in(client, number, name), "created"
        else:
            action = _change(found, number, there, force=force, keep_changes=keep_changes)
        changed = parameters.apply(found, settings)
        running = {"processors": 0, "blocks_url": ""}
        if start:
            running = start_group(found, settings, nifi.host)
        else:
            make_ready(found)
        return {
            "nifi": nifi.version,
            "group": found.id,
            "version": group.version(found).number,
            "flow": action,
            "parameters": changed,
            **running,
        }


def _chosen(version: int | None, there: list[int], settings: NifiSettings) -> int:
    if not there:
        raise NoVersion(f"NiFi finds no version of the flow in {settings.nifi_flows}", "PITLANE_NIFI_FLOWS names it")
    if version is None:
        return there[-1]
    if version not in there:
        raise NoVersion(f"the flow has no version {version}", f"there are {', '.join(map(str, there))}")
    return version


def _change(found: Entity, number: int, there: list[int], *, force: bool, keep_changes: bool) -> str:
    before = group.version(found).number
    if before not in there:  # as after a checkout of an older commit: nobody can tell what was changed since
        if keep_changes:
            return "kept"
        hint = "git brings it back; or pitlane flow export and drain, delete the group on the canvas, deploy"
        raise NoVersion(f"the canvas is based on version {before}, which is not there any more", hint)
    changes = group.changes(found)
    if changes and keep_changes:
        return "kept"
    if changes and not force:
        names = ", ".join(sorted({str(each.component_name) for each in changes}))
        raise Changed(
            f"the canvas has changes that are in no version: {names}",
            "pitlane flow diff shows them; commit them, revert them, or deploy with --force, which undoes them",
        )
    if changes:
        group.revert(found)
    if number == before:
        return "reverted" if changes else "unchanged"
    group.change_version(found, number)
    return "upgraded" if number > before else "downgraded"
