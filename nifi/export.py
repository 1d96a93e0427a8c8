"""Writes the flow as it is on the canvas to a file."""

from pathlib import Path
from typing import Any

from nifi import build, definition, group
from pitlane.settings import NifiSettings


def export(settings: NifiSettings, flow_file: Path = build.FLOW_FILE) -> dict[str, Any]:
    """Brings `flow_file` to what NiFi has; parameters keep the values they have in the file, which are nobody's own.

    Returns {"group": id, "file": path, "changed": bool}. Raises `Unreachable` and `NotDeployed`.
    """
    group.connect(settings)
    found = group.get()
    flow = group.read(found)
    before = ""
    if flow_file.exists():
        before = flow_file.read_text(encoding="utf-8")
        flow = definition.with_parameters(flow, definition.parameters(definition.read(flow_file)))
    after = definition.text(flow)
    if after != before:
        flow_file.parent.mkdir(parents=True, exist_ok=True)
        flow_file.write_text(after, encoding="utf-8")
    return {"group": found.id, "file": str(flow_file), "changed": after != before}
