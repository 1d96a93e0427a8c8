"""The pure part converges: the datagrams of a race with flashbacks in any order, cut anywhere, some of them twice, make
the same rows once each fact's versions are put together as `spark.facts.Fact` says.

What the database does with them on top of that is in tests/integration/test_convergence.py.
"""

import functools
import pickle
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark.facts import FACTS, Fact
from spark.jobs.blocks import Block
from spark.jobs.micro_batch import Reduced, reduce
from tests import flashbacks
from tests.blocks import Timed, blocks
from tests.handmade import waiting

Key = tuple[Any, ...]
Row = dict[str, Any]

LATE_S = 0.5
"""So much later may a datagram come than it was sent, and still find its frame's others in the batches around."""


class Folded:
    """Facts by key, as the database would hold them if nothing were ever undone."""

    def __init__(self) -> None:
        self.facts: dict[str, dict[Key, Row]] = {name: {} for name in FACTS}

    def add(self, result: Reduced) -> None:
        for name, fact in FACTS.items():
            for row in result.tables[name].to_pylist() if name in result.tables else ():
                held = self.facts[name]
                key = tuple(row[column] for column in fact.key)
                held[key] = merged(fact, held[key], row) if key in held else row


def merged(fact: Fact, a: Row, b: Row) -> Row:
    stands, other = (a, b) if rank(fact, a) >= rank(fact, b) else (b, a)
    if fact.since and stands[fact.since] != other[fact.since]:
        return stands
    extremes = {name: choose(stands, other, name, max) for name in fact.greatest}
    return stands | extremes | {name: choose(stands, other, name, min) for name in fact.least}


def choose(a: Row, b: Row, name: str, extreme: Any) -> Any:
    return extreme((row[name] for row in (a, b) if row[name] is not None), default=None)


def rank(fact: Fact, row: Row) -> tuple[Any, ...]:
    free = [row[name] for name in fact.values if name not in (*fact.greatest, *fact.least)]
    order = tuple(_signed(row[name.removeprefix("-")], fact.earliest or name[0] == "-") for name in fact.order)
    return *order, sum(value is not None for value in free), pickle.dumps(free)


def _signed(value: Any, is_least: bool) -> Any:
    number = value.timestamp() if hasattr(value, "timestamp") else value
    return -number if is_least else number


def folded(batches: Iterable[list[Block]]) -> dict[str, dict[Key, Row]]:
    found, held = Folded(), list[Block]()
    for batch in batches:
        result = reduce([*held, *batch], "query")
        held = waiting(result)
        found.add(result)
    return found.facts


def differences(found: dict[str, dict[Key, Row]], expected: dict[str, dict[Key, Row]]) -> list[str]:
    return [
        f"{name} {key}: {column} is {has!r}, in order it was {had!r}"
        for name in FACTS
        for key in sorted(found[name].keys() | expected[name].keys(), key=repr)
        for column in FACTS[name].values
        if (has := found[name].get(key, {}).get(column, "missing"))
        != (had := expected[name].get(key, {}).get(column, "missing"))
    ]


@functools.cache
def driven(packet_format: int) -> list[Timed]:
    return flashbacks.race(packet_format)


@functools.cache
def in_order(packet_format: int) -> dict[str, dict[Key, Row]]:
    return folded([blocks(driven(packet_format))])


def test_the_race_has_what_is_hard() -> None:
    rows = in_order(2026)
    assert {row["rewound"] for row in rows["lap_start"].values()} == {0, 360, 384, 624, 1164, 1464}
    assert any(row["stop_time_ms"] for row in rows["pit_sample"].values())
    assert {row["code"] for row in rows["event"].values()} >= {"SSTA", "FLBK", "RCWN", "SEND"}
    last = {key[2]: row["overall_frame"] for key, row in rows["participant"].items()}
    assert last.pop(flashbacks.QUITTER) < min(last.values()), "who quit is remembered"
    assert {name for name, held in rows.items() if not held} == {"time_trial", "quarantine"}


@pytest.mark.parametrize("packet_format", [2025, 2026])
@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), batches=st.integers(2, 9), is_bounded=st.booleans())
def test_any_order_cuts_and_duplicates_make_the_same_rows(
    packet_format: int, seed: int, batches: int, is_bounded: bool
) -> None:
    """Without bounds to the disorder a frame's packets may miss each other; then a replay brings them together."""
    chance = random.Random(seed)
    late_ns = (LATE_S if is_bounded else 3600) * 1e9
    datagrams = driven(packet_format) + [d for d in driven(packet_format) if chance.random() < 0.1]
    shuffled = [(at, raw) for _, at, raw in sorted((at + chance.random() * late_ns, at, raw) for at, raw in datagrams)]
    ends = sorted(chance.randrange(len(shuffled)) for _ in range(batches - 1))
    cut = [shuffled[a:b] for a, b in zip([0, *ends], [*ends, None], strict=True)]
    replay = [] if is_bounded else [driven(packet_format)]
    found = folded(blocks(batch, interval_ms=chance.choice([10, 100, 5000])) for batch in [*cut, *replay])
    wrong = differences(found, in_order(packet_format))
    assert not wrong, f"{len(wrong)} values differ:\n" + "\n".join(wrong[:20])
