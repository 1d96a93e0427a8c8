"""A stack for one task: on free ports, in a folder of its own, stopped at the end and deleted when all went well."""

import os
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from rich.console import Console

from pitlane.settings import HOME
from pitlane.stack.environment import FOLDERS, PREFIX
from pitlane.stack.stack import Stack


def clear(runs: Path) -> None:
    """Stops and deletes what runs that were killed left in `runs`, whose folders are named by process ids."""
    for home in runs.glob("*"):
        if not psutil.pid_exists(int(home.name)):
            delete(Stack.ephemeral(home))


def delete(stack: Stack) -> None:
    """Stops all of it, and its data, logs and passwords are gone."""
    stack.down(Console(quiet=True))
    stack.remove()


@contextmanager
def throwaway(name: str, console: Console, wanted: Collection[str], keep: Collection[str] = ()) -> Iterator[Stack]:
    """A stack with the steps `wanted` (of `Stack.steps`) done; `HOME/NAME/PID` stays, with its logs, when the body raises.

    What PITLANE_… variables say of other servers is none of its business: they are taken out of this process's
    environment, but for those in `keep`. SIGTERM ends it as Ctrl-C does.
    """
    for variable in [each for each in os.environ if each.startswith(PREFIX) and each not in (*FOLDERS, *keep)]:
        del os.environ[variable]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs = HOME / name
    clear(runs)
    stack = Stack.ephemeral(runs / str(os.getpid()))
    try:
        stack.up(console, wanted)
        yield stack
    finally:
        stack.down(Console(quiet=True))
    stack.remove()
