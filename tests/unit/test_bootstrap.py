"""What a person reads on a machine that lacks something: the bootstrap as a program, on a PATH of our own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pitlane.stack import bootstrap, setup
from pitlane.stack.errors import Missing

REPOSITORY = Path(__file__).resolve().parents[2]


def run(tmp_path, *arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PITLANE_", "JAVA_HOME"))}
    return subprocess.run(
        [
            sys.executable,
            "-S",
            "-m",
            "pitlane.stack.bootstrap",
            *arguments,
        ],  # -S: no site-packages, as on a plain machine
        cwd=REPOSITORY,
        env=kept | {"PITLANE_HOME": str(tmp_path / "home")} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_that_is_missing_is_said_at_once_with_how_to_get_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(tmp_path, "--ports", PATH=str(tmp_path), PITLANE_KAFKA_PORT=str(port))
    assert ended.returncode == 1
    assert "Maven is missing" in ended.stderr
    assert "apt-get install maven" in ended.stderr
    assert f"TCP port {port} is taken" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "home" / "uv").exists(), "nothing is installed before everything is there"


@pytest.mark.parametrize(("user", "said"), [(0, True), (1000, False)])
def test_root_needs_setpriv_for_postgres(monkeypatch, tmp_path, user, said):
    monkeypatch.setattr(bootstrap, "HOME", tmp_path)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: user)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert any("setpriv is missing" in str(found) for found in bootstrap.problems(with_ports=False)) is said


def test_too_little_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap, "HOME", tmp_path)
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 3.2e9})())
    (problem,) = [found for found in bootstrap.problems(with_ports=False) if "disk" in str(found)]
    assert "has 3.2 GB of free disk, and 9 GB are needed" in str(problem)
    (tmp_path / "superset-venv").mkdir()
    (tmp_path / "superset-venv" / ".installed").touch()
    assert not [found for found in bootstrap.problems(with_ports=False) if "disk" in str(found)]


@pytest.mark.parametrize(("version", "suits"), [((3, 10), False), ((3, 11), True), ((3, 12), True), ((3, 13), False)])
def test_a_python_out_of_range_is_left_to_uv_to_find(monkeypatch, version, suits):
    monkeypatch.setattr(bootstrap.sys, "version_info", version)
    assert (bootstrap._interpreter(">=3.11,<3.13") == sys.executable) is suits


def test_a_part_that_there_is_not_is_said_before_anything_is_installed():
    with pytest.raises(Missing, match="Kafak"):
        setup.install(Console(quiet=True), ["Kafak", "NiFi"])
    setup.install(Console(quiet=True), [])
