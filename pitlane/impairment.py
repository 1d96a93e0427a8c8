"""What a bad network does to datagrams: loses some, sends some twice, delivers some late. Pure, and the same by seed.

Two parts: `fates` draws what happens to the first, the second … datagram of a stream, `suffer` does it. How late
something comes is counted in datagrams that overtake it, so the result depends on no clock.

Each kind of harm has draws of its own, one for each datagram. So another chance of one kind changes nothing about the
others, and a higher chance harms those that a lower one would, and more.
"""

import heapq
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class NoRatio(ValueError):
    """A text that gives no ratio."""


@dataclass(frozen=True)
class Impairment:
    """Chances from 0 to 1. A datagram that is late or a copy that is sent again comes up to `within` datagrams later."""

    loss: float = 0.0
    reorder: float = 0.0
    duplicate: float = 0.0
    within: int = 16
    """At 60 Hz about as many as a frame has packets."""
    seed: int = 1


class Fate(NamedTuple):
    """What happens to one datagram: lost, or late by so many; its copy, if there is one, so many more after it."""

    lost: bool = False
    late: int = 0
    copy_after: int | None = None


@dataclass
class Suffered:
    """What was done so far. `moved` are those that came after one sent later; being late alone does not count."""

    lost: int = 0
    moved: int = 0
    doubled: int = 0


def fates(impairment: Impairment) -> Iterator[Fate]:
    """One for each datagram, without end."""
    harms = ("loss", "reorder", "duplicate", "late", "copy")
    dice = [random.Random(f"{impairment.seed} {harm}") for harm in harms]  # noqa: S311  # no secrets
    loss, reorder, duplicate, late, copy = (die.random for die in dice)
    within = impairment.within
    while True:
        # Each is drawn every time, or one kind of harm would shift the draws of the next.
        lost, moved, doubled = loss(), reorder(), duplicate()
        by, after = 1 + int(late() * within), int(copy() * (within + 1))
        yield Fate(
            lost < impairment.loss,
            by if moved < impairment.reorder else 0,
            after if doubled < impairment.duplicate else None,
        )


def suffer(
    datagrams: Iterable[tuple[float, T]], drawn: Iterable[Fate], suffered: Suffered
) -> Iterator[tuple[float, T]]:
    """(offset in seconds, datagram) pairs as they arrive, offsets rising as before; counts into `suffered`.

    What is late by n goes out right after the n-th datagram that follows it would (lost ones count too), and with that
    one's offset. At the end, what is still held goes out in its order.
    """
    held: list[tuple[int, bool, int, bool, T]] = []
    """Due at this position, behind the datagram that has it; own position, is a copy."""
    newest, offset_s = -1, 0.0

    def due(position: float) -> Iterator[T]:
        """Those that go out now, counted."""
        nonlocal newest
        while held and held[0][0] <= position:
            _, _, own, is_copy, datagram = heapq.heappop(held)
            if not is_copy:
                suffered.moved += own < newest
                newest = max(newest, own)
            yield datagram

    for position, ((offset_s, datagram), fate) in enumerate(zip(datagrams, drawn, strict=False)):
        if fate.lost:
            suffered.lost += 1
        else:
            at = position + fate.late
            heapq.heappush(held, (at, at > position, position, False, datagram))
            if fate.copy_after is not None:
                suffered.doubled += 1
                at += fate.copy_after
                heapq.heappush(held, (at, at > position, position, True, datagram))
        for arrived in due(position):
            yield offset_s, arrived
    for arrived in due(math.inf):
        yield offset_s, arrived


def ratio(text: str) -> float:
    """0.01 for "1%" and for "0.01". Raises NoRatio."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise NoRatio(f"{text!r} is no ratio: write 1% or 0.01") from None
    if text.endswith("%"):
        value /= 100
    elif value >= 1:
        raise NoRatio(f"{text} could be percent or times: write {text}%, or 1% as 0.01")
    if not 0 <= value <= 1:
        raise NoRatio(f"{text} is not between 0% and 100%")
    return value
