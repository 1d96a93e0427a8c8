"""The second step in a fresh clone: every server's programs, in Pitlane's own environment. A second run takes a second.

Maven's downloads take turns among themselves (`maven.run`) and run beside Superset's environment.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from nifi.runtime import home as nifi
from pitlane.errors import PitlaneError
from pitlane.settings import HOME, REPOSITORY
from pitlane.stack import bootstrap, broker, postgres, spark
from pitlane.stack.steps import Say, Step, run

TOOLS = HOME / "tools"
SUPERSET_ENVIRONMENT = HOME / "superset-venv"
SUPERSET_PYTHONS = ">=3.11,<3.13"
"""Superset 6.1 ends at 3.12, and its lock is compiled for 3.11 and newer."""


def install(console: Console) -> None:
    """Installs what is missing; raises `Missing` or `InstallFailed`."""

    def program(title: str, install_it: Callable[[Path], Path], *needs: str) -> Step:
        def action(_: Say) -> None:
            install_it(TOOLS)

        return Step(title, action, needs)

    def install_nifi(say: Say) -> None:
        nifi.install(TOOLS, say)

    def superset(_: Say) -> None:
        lock = REPOSITORY / "superset" / "requirements.lock"
        bootstrap.make_environment(SUPERSET_ENVIRONMENT, lock, SUPERSET_PYTHONS, quiet=True)

    chain = [
        program("PostgreSQL", postgres.install),
        program("Kafka", broker.install, "PostgreSQL"),
        program("Spark's Kafka connector", spark.install, "Kafka"),
        Step("NiFi", install_nifi, ("Spark's Kafka connector",)),
    ]
    run([*chain, Step("Superset", superset)], console)


def main() -> int:
    console = Console(stderr=True)
    console.print("[bold]Setup[/]")
    try:
        install(console)
    except PitlaneError as error:
        console.print(f"[red]{error}[/]\n{error.hint}", highlight=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
