"""Jars and builds through Maven, the machine's own `mvn` on a JDK that suits. Standard library only."""

import shutil
import subprocess
from pathlib import Path

from pitlane.stack import jdks, tools
from pitlane.stack.errors import InstallFailed, Missing

POMS = Path(__file__).parent / "poms"
# Pinned, as Maven's own default differs from version to version.
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def program() -> str:
    """The path of `mvn`; `Missing` when there is none."""
    if path := shutil.which("mvn"):
        return path
    raise Missing("Maven is missing", "Debian and Ubuntu: apt-get install maven, macOS: brew install maven")


def run(pom: Path, *arguments: str, log: Path) -> None:
    """`mvn -f POM ARGUMENTS…` in batch mode; its output goes to `log`. `InstallFailed` names the log and the reason.

    Builds of one user take turns: Maven 3 does not guard its local repository against another Maven.
    """
    command = [program(), "--batch-mode", "--no-transfer-progress", "-f", str(pom), *arguments]
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = jdks.jdk("the NAR build").environment()
    with tools.lock(Path.home() / ".m2" / ".pitlane.lock"), log.open("w") as output:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False
        )
    if ended.returncode:
        errors = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("[ERROR]")]
        detail = errors[0].removeprefix("[ERROR]").strip() if errors else f"mvn ended with {ended.returncode}"
        raise InstallFailed(f"{pom.name}: {detail}", f"the whole output is in {log}; a second run goes on from here")


def copy_dependencies(pom: Path, into: Path, *arguments: str, log: Path) -> list[Path]:
    """Copies the runtime dependencies of `pom` to the folder `into`; returns their paths, sorted."""
    # Absolute: Maven takes a relative path from the folder of the pom.
    target = f"-DoutputDirectory={into.absolute()}"
    run(pom, COPY_DEPENDENCIES, target, "-DincludeScope=runtime", *arguments, log=log)
    return sorted(into.glob("*.jar"))
