"""The first step in a fresh clone: what the machine must have, then uv and Pitlane's own environment.

Runs on a plain `python3` (3.11 or newer) with the standard library, says everything that is missing at once, and
hands over to `pitlane.stack.setup` in the new environment, which installs the rest.

    python3 -m pitlane.stack.bootstrap [--ports] [--only PART …]

`--ports` also asks whether the ports of the demo are free, before minutes go into downloads. `--only` installs these
parts and no others (`pitlane.stack.setup` has their names); without a name, nothing but Pitlane's own environment.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from pitlane.errors import PitlaneError
from pitlane.stack import jdks, maven, tools
from pitlane.stack.errors import InstallFailed, Missing, PortTaken
from pitlane.stack.ports import Ports

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("PITLANE_HOME", REPOSITORY / ".pitlane")).resolve()
STACK_HOME = Path(os.environ.get("PITLANE_STACK_HOME", HOME / "stack")).resolve()

UV_VERSION = "0.13.9"
UV = HOME / "uv" / "bin" / "uv"

FIRST_INSTALL_GB = 9
"""At its peak: environments 2, tools 1, Maven's repository 1, unpacking pyspark 3, and room for a stack."""
RUNNING_GB = 2


def problems(with_ports: bool) -> list[PitlaneError]:
    """Everything that stands between this machine and a running Pitlane."""
    found: list[PitlaneError] = []
    for program in jdks.NEEDS:
        try:
            jdks.jdk(program)
        except Missing as problem:
            found.append(problem)
    try:
        maven.program()
    except Missing as problem:
        found.append(problem)
    if os.geteuid() == 0:
        try:
            setpriv()
        except Missing as problem:
            found.append(problem)
    try:
        import ensurepip  # noqa: F401 (Debian takes it out of python3 and into a package of its own)
    except ImportError:
        found.append(Missing("this Python cannot make virtual environments", "apt-get install python3-venv"))
    needed_gb = RUNNING_GB if (HOME / "superset-venv" / tools.STAMP).exists() else FIRST_INSTALL_GB
    HOME.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(HOME).free / 1e9
    if free_gb < needed_gb:
        found.append(
            Missing(
                f"{HOME} has {free_gb:.1f} GB of free disk, and {needed_gb} GB are needed",
                "free some, or set PITLANE_HOME to a folder on another disk",
            )
        )
    if with_ports and not _stack_runs():
        found += [
            PortTaken(f"{port} is taken", f"find the program with: ss -lptn{'u'} 'sport = :{port.number}', and end it")
            for port in Ports.chosen().all()
            if not port.is_free()
        ]
    return found


def setpriv() -> str:
    """The path of the program by which root runs PostgreSQL as another user; `Missing` when there is none."""
    if path := shutil.which("setpriv"):
        return path
    raise Missing(
        "PostgreSQL does not run as root, and setpriv is missing", "install util-linux, or use an ordinary user"
    )


def _stack_runs() -> bool:
    """Whether the ports may be taken by this clone's own stack."""
    for record in (STACK_HOME / "run").glob("*.json"):
        try:
            os.kill(json.loads(record.read_text())["pid"], 0)
        except ProcessLookupError:
            continue
        except PermissionError:
            return True
        return True
    return False


def make_uv() -> None:
    """uv, pinned, in a virtual environment of its own."""
    stamp = tools.fingerprint(UV_VERSION)
    with tools.lock(HOME / ".uv.lock"):
        if tools.is_installed(HOME / "uv", stamp):
            return
        _say(f"uv {UV_VERSION}")
        venv.create(HOME / "uv", clear=True, with_pip=True)
        _run("uv", str(HOME / "uv" / "bin" / "python"), "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}")
        (HOME / "uv" / tools.STAMP).write_text(stamp)


def make_environment(place: Path, lock: Path, pythons: str, *, editable: bool = False, quiet: bool = False) -> None:
    """The virtual environment `place` with exactly what `lock` names, on a Python of the range `pythons`.

    Unchanged since the last time, it costs a hash. `editable` puts this repository in as well.
    """
    stamp = tools.fingerprint(lock, pythons, *([REPOSITORY / "pyproject.toml"] if editable else []))
    with tools.lock(HOME / f".{place.name}.lock"):
        if tools.is_installed(place, stamp):
            return
        (place / tools.STAMP).unlink(missing_ok=True)
        flags = ["--quiet"] if quiet else []
        python = place / "bin" / "python"
        if not python.exists():
            _run("a Python", str(UV), "venv", "--quiet", "--clear", "--python", _interpreter(pythons), str(place))
        sync = ["pip", "sync", *flags, "--require-hashes", "--python", str(python), str(lock)]
        _run(lock.name, str(UV), *sync)
        if editable:
            install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--python", str(python)]
            _run("Pitlane", str(UV), *install, "--editable", str(REPOSITORY))
        # pyspark comes as sources: unpacked they are six times the wheel that was made of them.
        _run("uv's cache", str(UV), "cache", "prune", "--quiet", "--ci")
        (place / tools.STAMP).write_text(stamp)


def _interpreter(pythons: str) -> str:
    """This Python when it is in the range; else uv looks for one, and downloads it where there is none."""
    oldest, newest = (tuple(map(int, bound.lstrip("<>=").split("."))) for bound in pythons.split(","))
    return sys.executable if oldest <= sys.version_info[:2] < newest else pythons


def _run(what: str, *command: str) -> None:
    """Runs a command and shows its lines as they come, but not one for each of a hundred packages."""
    # The system's certificates, as pip and Maven take them: behind a company's proxy only those fit.
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ, "UV_CACHE_DIR": str(HOME / "cache" / "uv")}
    with subprocess.Popen(
        command, env=environment, cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if not line.startswith((" + ", " - ", " ~ ", " Downloaded")):
                print(f"  {line.strip()}", file=sys.stderr, flush=True)
    if running.returncode:
        raise InstallFailed(f"{what} could not be installed (see above)", "a second run goes on from here")


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def main() -> int:
    options = argparse.ArgumentParser(description="Prepare Pitlane in this clone.")
    options.add_argument("--ports", action="store_true", help="also ask whether the demo's ports are free")
    options.add_argument("--only", nargs="*", metavar="PART", help="install no other parts than these")
    chosen = options.parse_args()
    if found := problems(chosen.ports):
        print("Pitlane cannot be set up on this machine yet:", file=sys.stderr)
        for problem in found:
            print(f"  - {problem}\n    {problem.hint}", file=sys.stderr)
        return 1
    try:
        make_uv()
        environment = HOME / "venv"
        if not (environment / tools.STAMP).exists():
            _say("Pitlane's environment (pyspark alone is 450 MB: some minutes)")
        make_environment(environment, REPOSITORY / "requirements.lock", ">=3.11,<3.14", editable=True)
    except PitlaneError as problem:
        print(f"{problem}: {problem.hint}", file=sys.stderr)
        return 1
    sys.stdout.flush()
    python = str(environment / "bin" / "python")
    only = [] if chosen.only is None else ["--only", *chosen.only]
    os.execv(python, [python, "-m", "pitlane.stack.setup", *only])  # noqa: S606 (the environment that was just made)


if __name__ == "__main__":
    sys.exit(main())
