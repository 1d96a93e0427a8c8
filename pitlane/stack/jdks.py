"""Finds the JDKs of this machine and picks one for each program by version.

NiFi 2 needs 21 or newer, Spark 4.1 runs on 17 and 21 and dies on 25, Kafka 4 runs on 17 and newer. One JDK 21
serves all; 17 together with 25 does too. Standard library only: the bootstrap asks before there is an environment.
"""

import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pitlane.stack.errors import Missing

HINT = (
    "Debian and Ubuntu: apt-get install openjdk-21-jdk (17 where there is no 21), macOS: brew install openjdk@21, "
    "anywhere: sdk install java 21-tem; a JDK in an unusual folder is found through JAVA_HOME"
)


class Jdk(NamedTuple):
    home: Path
    version: int
    """The feature release: 17, 21, 25 …"""
    has_compiler: bool

    @property
    def java(self) -> Path:
        return self.home / "bin" / "java"

    def environment(self) -> dict[str, str]:
        """This process's environment, for a child that is to run on this JDK."""
        path = f"{self.home / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "JAVA_HOME": str(self.home), "PATH": path}


class Need(NamedTuple):
    oldest: int
    newest: int | None
    compiler: bool
    preferred: int

    def fits(self, jdk: Jdk) -> bool:
        if self.compiler and not jdk.has_compiler:
            return False
        return self.oldest <= jdk.version and (self.newest is None or jdk.version <= self.newest)

    def __str__(self) -> str:
        versions = f"{self.oldest} or newer" if self.newest is None else f"{self.oldest} to {self.newest}"
        return versions + (" with javac" if self.compiler else "")


NEEDS = {
    "NiFi": Need(21, None, False, 21),
    "the NAR build": Need(21, None, True, 21),
    "Spark": Need(17, 21, False, 21),
    "Kafka": Need(17, None, False, 21),
}

_FOLDERS = (
    "/usr/lib/jvm/*",
    "/usr/lib64/jvm/*",
    "/usr/java/*",
    "/usr/local/java/*",
    "/opt/*jdk*",
    "/opt/java/*",
    "/opt/jvm/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/home/linuxbrew/.linuxbrew/opt/openjdk*/libexec",
    "~/.sdkman/candidates/java/*",
    "~/.jdks/*",
    "~/.asdf/installs/java/*",
    "~/.local/share/mise/installs/java/*",
    "~/.jenv/versions/*",
    "~/Library/Java/JavaVirtualMachines/*/Contents/Home",
)


def _candidates() -> Iterator[Path]:
    # GitHub's runners name their JDKs JAVA_HOME_21_X64 and so on.
    for name in sorted(os.environ, key=lambda name: (name != "JAVA_HOME", name)):
        if name.startswith("JAVA_HOME") and os.environ[name]:
            yield Path(os.environ[name])
    if java := shutil.which("java"):
        yield Path(java).resolve().parent.parent
    for pattern in _FOLDERS:
        folder, _, rest = os.path.expanduser(pattern).partition("*")
        root = Path(folder).parent if not folder.endswith("/") else Path(folder)
        prefix = "" if folder.endswith("/") else Path(folder).name
        if root.is_dir():
            yield from sorted(root.glob(f"{prefix}*{rest}"))


def _version(home: Path) -> int | None:
    """The feature release from the `release` file that every JDK since 9 carries; 1.8 counts as 8."""
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', text, re.MULTILINE)
    return int(match.group(1)) if match else None


@cache
def find() -> tuple[Jdk, ...]:
    """Every JDK and JRE of this machine, JAVA_HOME's first, each once."""
    found: dict[Path, Jdk] = {}
    for candidate in _candidates():
        home = candidate.resolve()
        version = _version(home)
        if home not in found and version is not None and os.access(home / "bin" / "java", os.X_OK):
            found[home] = Jdk(home, version, os.access(home / "bin" / "javac", os.X_OK))
    return tuple(found.values())


def choose(program: str, jdks: tuple[Jdk, ...]) -> Jdk:
    """The one of `jdks` for a program of NEEDS: nearest to the preferred version; `Missing` when none fits."""
    need = NEEDS[program]
    fitting = [jdk for jdk in jdks if need.fits(jdk)]
    if not fitting:
        seen = ", ".join(f"{jdk.version} in {jdk.home}" for jdk in jdks) or "none"
        raise Missing(f"{program} needs a JDK {need}; found: {seen}", HINT)
    return min(fitting, key=lambda jdk: abs(jdk.version - need.preferred))


def jdk(program: str) -> Jdk:
    return choose(program, find())
