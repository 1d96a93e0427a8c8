"""Other programs to measure beside, installed by package name when a benchmark first needs them.

They land in `.pitlane/tools/peers/`. Where a program that installs or runs one is missing, its row says "not run".
"""

import os
import shutil
import subprocess
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from pitlane.errors import PitlaneError
from pitlane.settings import HOME
from pitlane.stack import tools

FOLDER = HOME / "tools" / "peers"
SOURCES = Path(__file__).parent


class PeerMissing(PitlaneError):
    """A peer that cannot be had on this machine; the message says what to install."""

    reason = "peer_missing"


def javascript(package: str, version: str) -> Path:
    """The folder of an npm package with all that it needs. Raises PeerMissing."""
    npm = _program("npm", f"{package} {version}", "install Node.js with npm")
    _program("node", f"{package} {version}", "install Node.js")

    def build(place: Path) -> None:
        (place / "package.json").write_text("{}")
        _run([npm, "install", "--no-fund", "--no-audit", "--silent", f"{package}@{version}"], place, package)

    name = package.replace("@", "").replace("/", "-")
    place = tools.install(FOLDER / f"{name}-{version}", tools.fingerprint(package, version), build)
    return place / "node_modules" / package


def rust(name: str) -> Path:
    """The optimised program of `peers/NAME`, built by cargo; its Cargo.toml pins the crate. Raises PeerMissing."""
    cargo = _program("cargo", f"the Rust program {name}", "install Rust with cargo (rustup)")
    sources = [SOURCES / name / "Cargo.toml", *sorted((SOURCES / name / "src").glob("*.rs"))]

    def build(place: Path) -> None:
        shutil.copytree(SOURCES / name, place / "source")
        command = [cargo, "build", "--release", "--quiet", "--target-dir", str(place / "target")]
        _run(command, place / "source", name)
        shutil.copy(place / "target" / "release" / "decode", place / "decode")
        shutil.rmtree(place / "target")

    return tools.install(FOLDER / name, tools.fingerprint(*sources), build) / "decode"


def go(module: str, command: str, version: str, tags: Sequence[str]) -> Path:
    """A Go module's command, built with these tags by `go install`. Raises PeerMissing."""
    tool = _program("go", f"{module} {version}", "install Go")
    name = command.rpartition("/")[2]

    def build(place: Path) -> None:
        cache = place / "cache"
        folders = {"GOBIN": str(place), "GOPATH": str(cache), "GOCACHE": str(cache / "build")}
        # Modules are read-only otherwise, and could not be deleted.
        environment = {**os.environ, **folders, "GOFLAGS": "-modcacherw"}
        _run([tool, "install", "-tags", ",".join(tags), f"{module}/{command}@{version}"], place, module, environment)
        shutil.rmtree(cache)

    place = tools.install(FOLDER / f"{name}-{version}", tools.fingerprint(module, command, version, *tags), build)
    return place / name


def python(package: str, version: str) -> Path:
    """The interpreter of an environment of its own with a package from PyPI in it. Raises PeerMissing."""

    def build(place: Path) -> None:
        venv.create(place / "venv", with_pip=True, symlinks=True)
        pip = [str(place / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, f"{package}=={version}", "numpy"], place, package)

    name = package.partition("[")[0]
    place = tools.install(FOLDER / f"{name}-{version}", tools.fingerprint(package, version), build)
    return place / "venv" / "bin" / "python"


def _program(name: str, wanted: str, hint: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise PeerMissing(f"{wanted} needs {name}, which is not installed", hint)
    return found


def _run(command: Sequence[str], folder: Path, what: str, environment: Mapping[str, str] | None = None) -> None:
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        tail = (ran.stderr.strip().splitlines() or ["no output"])[-1]
        raise PeerMissing(f"{what} could not be installed: {tail}", "is the package registry in reach?")
