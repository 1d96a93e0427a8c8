"""Writes the flow as it is on the canvas to a file, which any NiFi imports ("Import from file")."""

from pathlib import Path
from typing import Any

from nifi import connection, definition, group, repository
from pitlane.settings import NifiSettings


def export(settings: NifiSettings, file: Path, name: str = group.NAME) -> dict[str, Any]:
    """Brings `file` to what NiFi has, in the form of a version: unchanged, it is one.

    Parameters have the values of the repository's newest version, which are nobody's own. Returns {"group": id, "file":
    path, "changed": bool}. Raises `NotDeployed`, `NoVersion`.
    """
    with connection.to(settings):
        found = group.get(name)
        flow = group.read(found)
    where = repository.folder(settings)
    after = definition.text(definition.as_of(flow, repository.read(repository.newest(where), where)))
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if after != before:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(after, encoding="utf-8")
    return {"group": found.id, "file": str(file), "changed": after != before}
