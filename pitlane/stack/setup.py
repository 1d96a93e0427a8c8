"""The second step in a fresh clone: every server's programs, in Pitlane's own environment. A second run takes a second.

Maven's downloads take turns among themselves (`maven.run`) and run beside Superset's environment.
"""

import argparse
import sys
from collections.abc import Callable, Collection
from itertools import pairwise
from pathlib import Path

from rich.console import Console

from nifi.runtime import home as nifi
from pitlane.errors import PitlaneError
from pitlane.settings import HOME, REPOSITORY
from pitlane.stack import bootstrap, broker, postgres, spark
from pitlane.stack.errors import Missing
from pitlane.stack.steps import Say, Step, run

TOOLS = HOME / "tools"
SUPERSET_ENVIRONMENT = HOME / "superset-venv"
SUPERSET_PYTHONS = ">=3.11,<3.13"
"""Superset 6.1 ends at 3.12, and its lock is compiled for 3.11 and newer."""


def install(console: Console, only: Collection[str] | None = None) -> None:
    """Installs what is missing; raises `Missing` or `InstallFailed`. `only` are titles of parts; None means all."""

    def program(title: str, install_it: Callable[[Path], Path]) -> Step:
        def action(_: Say) -> None:
            install_it(TOOLS)

        return Step(title, action)

    def install_nifi(say: Say) -> None:
        nifi.install(TOOLS, say)

    def superset(_: Say) -> None:
        lock = REPOSITORY / "superset" / "requirements.lock"
        bootstrap.make_environment(SUPERSET_ENVIRONMENT, lock, SUPERSET_PYTHONS, quiet=True)

    by_maven = [
        program("PostgreSQL", postgres.install),
        program("Kafka", broker.install),
        program("Spark's Kafka connector", spark.install),
        Step("NiFi", install_nifi),
    ]
    others = [Step("Superset", superset)]
    if only is not None:
        if unknown := set(only) - {step.title for step in by_maven + others}:
            raise Missing(f"there is no part {', '.join(sorted(unknown))} to install", "PostgreSQL, Kafka, NiFi …")
        by_maven, others = ([step for step in steps if step.title in only] for steps in (by_maven, others))
    in_turn = [step._replace(needs=(before.title,)) for before, step in pairwise(by_maven)]
    run([*by_maven[:1], *in_turn, *others], console)


def main() -> int:
    options = argparse.ArgumentParser(description="Install the servers' programs.")
    options.add_argument("--only", nargs="*", metavar="PART", help="no other parts than these")
    console = Console(stderr=True)
    console.print("[bold]Setup[/]")
    try:
        install(console, options.parse_args().only)
    except PitlaneError as error:
        console.print(f"[red]{error}[/]\n{error.hint}", highlight=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
