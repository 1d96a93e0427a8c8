"""The flow's versions as files of the repository: FOLDER/BUCKET/FLOW/N.json, N counting from 1.

NiFi reads and writes the same files through its registry client, so a commit on the canvas is a new file here, and
`git diff` shows it.
"""

import re
from datetime import UTC, datetime
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from nifi import definition
from nifi.definition import Json
from nifi.errors import NoVersion
from pitlane.settings import REPOSITORY, NifiSettings

BUCKET = "pitlane"
FLOW = "f1-ingest"

FOLDER = REPOSITORY / "nifi" / "flow"

_FILE = re.compile(r"([1-9][0-9]*)\.json")


def folder(settings: NifiSettings) -> Path:
    """Where this machine reads versions: the folder that NiFi sees, or the repository's where NiFi's is elsewhere."""
    return settings.nifi_flows if settings.nifi_flows.is_dir() else FOLDER


def path(number: int, where: Path = FOLDER) -> Path:
    return where / BUCKET / FLOW / f"{number}.json"


def numbers(where: Path = FOLDER) -> list[int]:
    """All versions in order. Raises `NoVersion` where there is none, or a number is left out."""
    files = path(1, where).parent
    if not files.is_dir():
        raise NoVersion(f"there is no folder {files}", "PITLANE_NIFI_FLOWS names the one above bucket and flow")
    found = sorted(int(match[1]) for file in files.iterdir() if (match := _FILE.fullmatch(file.name)))
    if not found:
        raise NoVersion(f"{files} holds no version of the flow", "git restore brings 1.json back")
    missing = sorted(set(range(1, found[-1])) - set(found))
    if missing:
        raise NoVersion(f"{files} lacks {missing[0]}.json", "versions count without a gap: git restore brings it back")
    return found


def newest(where: Path = FOLDER) -> int:
    return numbers(where)[-1]


def read(number: int, where: Path = FOLDER) -> Json:
    """Version `number` as NiFi wrote it. Raises `NoVersion`."""
    file = path(number, where)
    try:
        flow = definition.read(file)
        flow["flowContents"]["identifier"]
    except FileNotFoundError as error:
        there = ", ".join(map(str, numbers(where)))
        raise NoVersion(f"the flow has no version {number}", f"there are {there}") from error
    except JSONDecodeError as error:
        hint = "git diff shows what happened to it; git restore brings back what was committed"
        raise NoVersion(f"{file} is no JSON: line {error.lineno}: {error.msg}", hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise NoVersion(f"{file} cannot be read: {error}") from error
    except (KeyError, TypeError) as error:
        raise NoVersion(f"{file} is no flow definition: it lacks flowContents") from error
    return flow


def versions(where: Path = FOLDER) -> list[dict[str, Any]]:
    """[{"version", "comment", "author", "time": ISO 8601 or "", "file"}], newest first. Raises `NoVersion`."""
    return [_told(number, where) for number in reversed(numbers(where))]


def _told(number: int, where: Path) -> dict[str, Any]:
    said = read(number, where).get("snapshotMetadata") or {}
    milliseconds = said.get("timestamp")
    return {
        "version": number,
        "comment": said.get("comments") or "",
        "author": said.get("author") or "",
        "time": datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds") if milliseconds else "",
        "file": str(path(number, where)),
    }
