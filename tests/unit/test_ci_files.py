"""The ready files for GitHub and GitLab: against those two's own schemas, and what they run against what there is."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pitlane.cli import app
from pitlane.settings import REPOSITORY

FOLDER = REPOSITORY / "docs" / "ci"
GITHUB, GITLAB = FOLDER / "github-actions.yml", FOLDER / "gitlab-ci.yml"


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    told = yaml.safe_load(file.read_text("utf-8"))
    if file == GITHUB:
        return told["jobs"]
    return {name: each for name, each in told.items() if isinstance(each, dict) and "script" in each}


def commands(job: dict[str, Any]) -> Iterator[str]:
    yield from (step["run"] for step in job.get("steps", ()) if "run" in step)
    yield from job.get("script", ())


@pytest.mark.parametrize(("file", "schema"), [(GITHUB, "github-workflows"), (GITLAB, "gitlab-ci")])
def test_a_file_is_what_its_service_reads(file: Path, schema: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    if schema == "gitlab-ci":
        command[3:3] = ["--data-transform", "gitlab-ci"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=lambda file: file.stem)
def test_what_it_runs_exists(file: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.M))
    known = typer.main.get_command(app)
    ran = [command.split() for job in jobs(file).values() for command in commands(job)]
    for words in ran:
        if words[0] == "make":
            assert set(words[1:]) <= targets
        elif words[0] == ".pitlane/venv/bin/pitlane":
            assert words[2] in known.commands[words[1]].commands  # type: ignore[attr-defined]
        else:
            assert words == ["python3", "-m", "pitlane.stack.bootstrap", "--only"]
    assert ["make", "flow-check"] in ran
    assert [".pitlane/venv/bin/pitlane", "flow", "diff"] in ran


def test_what_it_caches_by_and_watches_is_there() -> None:
    told = yaml.safe_load(GITHUB.read_text("utf-8"))
    patterns = re.findall(r"'([^']+)'", GITHUB.read_text("utf-8").partition("hashFiles(")[2].partition(")")[0])
    # YAML takes the key "on" for true.
    patterns += [each for each in told[True]["pull_request"]["paths"] if not each.startswith(".github/")]
    patterns += yaml.safe_load(GITLAB.read_text("utf-8"))[".pitlane"]["cache"]["key"]["files"]
    assert len(patterns) > 8
    for pattern in patterns:
        assert next(REPOSITORY.glob(pattern), None), pattern


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=lambda file: file.stem)
def test_no_password_stands_in_it(file: Path) -> None:
    for line in file.read_text("utf-8").splitlines():
        if match := re.search(r"(?:PASSWORD|TOKEN): (.+)", line):
            assert match[1].startswith("${{ secrets.")
