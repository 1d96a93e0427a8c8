"""A copy of the flow's versions, which a test's NiFi may commit to without touching the repository."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nifi import repository
from pitlane.stack.stack import Stack


def stack_with_copy(folder: Path) -> tuple[Stack, Path]:
    """A stack that is not started yet, and where its versions lie."""
    flows = folder / "flows"
    shutil.copytree(repository.FOLDER, flows)
    stack = Stack.ephemeral(folder / "stack")
    stack.values["PITLANE_NIFI_FLOWS"] = str(flows)
    return stack, flows


def add_version(flows: Path, change: Callable[[dict[str, Any]], None]) -> int:
    """One more version, as if somebody had pulled it: the newest with `change` made to its flowContents."""
    number = repository.newest(flows)
    flow = repository.read(number, flows)
    change(flow["flowContents"])
    repository.path(number + 1, flows).write_text(json.dumps(flow))
    return number + 1


def named(contents: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """The member of a group's `processors`, `connections` … with that name."""
    found: dict[str, Any] = next(each for each in contents[kind] if each.get("name") == name)
    return found
