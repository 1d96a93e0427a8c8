"""Stacks of a test module's own, for tests that break their servers or change them."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from pitlane.stack.stack import Stack


@contextmanager
def started(stack: Stack, *titles: str) -> Iterator[Stack]:
    """The stack with these of its steps done; stopped at the end, its logs left where it lies."""
    try:
        stack.up(Console(stderr=True), titles)
        yield stack
    finally:
        stack.down(Console(quiet=True))
