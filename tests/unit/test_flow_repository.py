"""Versions of the flow as files: what is there, what is broken, and what a person is told to do."""

import json
from pathlib import Path

import pytest

from nifi import repository
from nifi.errors import NoVersion
from pitlane.settings import NifiSettings

FLOW = {"flowContents": {"identifier": "a"}}


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """Ten versions, and beside them what a killed commit or an editor leaves."""
    folder = tmp_path / "pitlane" / "f1-ingest"
    folder.mkdir(parents=True)
    for number in range(1, 11):
        said = {"author": "ayrton", "comments": f"Number {number}", "timestamp": 1_795_525_200_000, "version": "77"}
        (folder / f"{number}.json").write_text(json.dumps(FLOW | ({"snapshotMetadata": said} if number > 1 else {})))
    for name in (".11.json.tmp", "011.json", "12.json~", "0.json", "notes.md"):
        (folder / name).touch()
    return tmp_path


def test_versions_are_numbers_in_order(flows: Path) -> None:
    assert repository.numbers(flows) == list(range(1, 11))
    assert repository.newest(flows) == 10
    newest, *_, oldest = repository.versions(flows)
    assert newest == {
        "version": 10,
        "comment": "Number 10",
        "author": "ayrton",
        "time": "2026-11-24T13:00:00+00:00",
        "file": str(flows / "pitlane" / "f1-ingest" / "10.json"),
    }
    assert {**oldest, "file": ""} == {"version": 1, "comment": "", "author": "", "time": "", "file": ""}


def test_what_is_missing_is_named(flows: Path) -> None:
    with pytest.raises(NoVersion, match="no version 11") as missing:
        repository.read(11, flows)
    assert "1, 2, 3" in missing.value.hint
    repository.path(4, flows).unlink()
    with pytest.raises(NoVersion, match=r"lacks 4\.json"):
        repository.newest(flows)
    for number in range(1, 11):
        repository.path(number, flows).unlink(missing_ok=True)
    with pytest.raises(NoVersion, match="no version of the flow"):
        repository.versions(flows)
    with pytest.raises(NoVersion, match="no folder") as gone:
        repository.numbers(flows / "elsewhere")
    assert "PITLANE_NIFI_FLOWS" in gone.value.hint


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{\n  "flowContents": {\n', r"3\.json is no JSON: line 3"),
        (b"", r"3\.json is no JSON: line 1"),
        (b"\xff\xfe", r"3\.json cannot be read"),
        (b"[]", r"3\.json is no flow definition"),
        (b"{}", r"3\.json is no flow definition"),
        (b'{"flowContents": {}}', r"3\.json is no flow definition"),
    ],
)
def test_what_is_broken_is_named(flows: Path, content: bytes, told: str) -> None:
    repository.path(3, flows).write_bytes(content)
    with pytest.raises(NoVersion, match=told):
        repository.read(3, flows)
    with pytest.raises(NoVersion, match=told):
        repository.versions(flows)


def test_where_nifis_folder_is_elsewhere_the_repositorys_is_read(flows: Path, tmp_path: Path) -> None:
    def settings(folder: Path) -> NifiSettings:
        return NifiSettings(_env_file=tmp_path / "none", nifi_flows=folder)

    assert repository.folder(settings(flows)) == flows
    assert repository.folder(settings(Path("/opt/pitlane/no-such-flow"))) == repository.FOLDER
    assert repository.folder(NifiSettings(_env_file=tmp_path / "none")) == repository.FOLDER
