"""Harm to datagrams: cases worked out by hand, and what must hold for any stream and any chances."""

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitlane.impairment import Fate, Impairment, NoRatio, Suffered, fates, ratio, suffer

FINE = Fate()
LOST = Fate(lost=True)


def arrived(*drawn: Fate) -> tuple[str, Suffered]:
    """What becomes of A, B, C … (one a second)."""
    suffered = Suffered()
    stream = [(float(n), chr(ord("A") + n)) for n in range(len(drawn))]
    return "".join(letter for _, letter in suffer(stream, drawn, suffered)), suffered


@pytest.mark.parametrize(
    ("drawn", "expected", "counts"),
    [
        ([FINE, FINE, FINE], "ABC", Suffered()),
        ([FINE, LOST, FINE], "AC", Suffered(lost=1)),
        ([Fate(late=1), FINE, FINE], "BAC", Suffered(moved=1)),
        ([Fate(late=2), FINE, FINE, FINE], "BCAD", Suffered(moved=1)),
        ([Fate(late=2), Fate(late=1), FINE], "CAB", Suffered(moved=2)),
        ([Fate(late=1), Fate(late=1), FINE], "ACB", Suffered(moved=1)),  # both late alike: nothing overtakes A
        ([Fate(late=1), LOST, FINE], "AC", Suffered(lost=1)),  # late, but nothing overtook it
        ([FINE, Fate(late=5), FINE], "ACB", Suffered(moved=1)),  # the stream ends first
        ([FINE, Fate(late=5)], "AB", Suffered()),
        ([Fate(copy_after=0), FINE], "AAB", Suffered(doubled=1)),
        ([Fate(copy_after=1), FINE, FINE], "ABAC", Suffered(doubled=1)),
        ([Fate(late=1, copy_after=1), FINE, FINE, FINE], "BACAD", Suffered(moved=1, doubled=1)),
        ([Fate(lost=True, late=1, copy_after=1), FINE, FINE], "BC", Suffered(lost=1)),
        ([], "", Suffered()),
    ],
)
def test_by_hand(drawn: list[Fate], expected: str, counts: Suffered) -> None:
    assert arrived(*drawn) == (expected, counts)


def test_what_is_late_goes_with_what_it_follows() -> None:
    drawn = [Fate(late=1, copy_after=9), FINE, FINE]
    assert list(suffer([(0.0, "A"), (0.5, "B"), (2.0, "C")], drawn, Suffered())) == [
        (0.5, "B"), (0.5, "A"), (2.0, "C"), (2.0, "A"),
    ]  # fmt: skip


CHANCES = st.sampled_from([0.0, 0.01, 0.3, 1.0])
IMPAIRMENTS = st.builds(Impairment, CHANCES, CHANCES, CHANCES, st.integers(1, 20), st.integers(0, 99))
STREAMS = st.lists(st.floats(0, 1), max_size=80).map(lambda gaps: [(sum(gaps[: n + 1]), n) for n in range(len(gaps))])


def result(impairment: Impairment, stream: list[tuple[float, int]]) -> tuple[list[tuple[float, int]], Suffered]:
    suffered = Suffered()
    return list(suffer(stream, fates(impairment), suffered)), suffered


@given(STREAMS, st.integers(0, 99), st.integers(1, 20))
def test_no_chance_is_no_harm(stream: list[tuple[float, int]], seed: int, within: int) -> None:
    assert result(Impairment(within=within, seed=seed), stream) == (stream, Suffered())


@given(STREAMS, IMPAIRMENTS)
def test_counts_and_bounds(stream: list[tuple[float, int]], impairment: Impairment) -> None:
    out, suffered = result(impairment, stream)
    assert (out, suffered) == result(impairment, stream), "the same seed, the same harm"
    offsets = [offset for offset, _ in out]
    assert offsets == sorted(offsets)
    copies = Counter(number for _, number in out)
    assert set(copies.values()) <= {1, 2}
    assert len(stream) - len(copies) == suffered.lost
    assert sum(copies.values()) - len(copies) == suffered.doubled
    firsts = list(dict.fromkeys(number for _, number in out))
    assert sum(number < max(firsts[:at], default=0) for at, number in enumerate(firsts)) == suffered.moved
    sent_at = {number: offset for offset, number in stream}
    for offset, number in out:
        latest = stream[min(number + 2 * impairment.within, len(stream) - 1)][0]
        assert sent_at[number] <= offset <= latest


@given(IMPAIRMENTS, st.integers(0, 99))
def test_kinds_of_harm_do_not_mix(impairment: Impairment, seed: int) -> None:
    """Who is lost is the same whatever else happens, and with a higher chance those and more."""

    def lost(chance: float, reorder: float, duplicate: float, within: int) -> set[int]:
        drawn = islice(fates(Impairment(chance, reorder, duplicate, within, seed)), 200)
        return {number for number, fate in enumerate(drawn) if fate.lost}

    other = (impairment.reorder, impairment.duplicate, impairment.within)
    assert lost(0.1, *other) == lost(0.1, 0, 0, 1)
    assert lost(0.1, *other) <= lost(0.2, *other)


def test_chances_are_what_they_say() -> None:
    drawn = list(islice(fates(Impairment(0.01, 0.05, 0.2, 8, seed=3)), 100_000))
    # Five standard deviations of the binomial distribution either way.
    assert 843 < sum(fate.lost for fate in drawn) < 1157
    assert 4656 < sum(fate.late > 0 for fate in drawn) < 5344
    assert 19_368 < sum(fate.copy_after is not None for fate in drawn) < 20_632
    assert {fate.late for fate in drawn} == set(range(9))
    assert {fate.copy_after for fate in drawn} == {None, *range(9)}


@pytest.mark.parametrize(
    ("text", "value"), [("1%", 0.01), ("0.01", 0.01), ("0", 0), ("100%", 1), ("0.5 %", 0.005), ("0%", 0)]
)
def test_ratios(text: str, value: float) -> None:
    assert ratio(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [("1", "write 1%"), ("5", "write 5%"), ("101%", "between"), ("-1%", "between"), ("-0.1", "between"),
     ("nan", "between"), ("inf", "percent"), ("", "no ratio"), ("%", "no ratio"), ("much", "no ratio")],
)  # fmt: skip
def test_what_is_no_ratio_says_so(text: str, says: str) -> None:
    with pytest.raises(NoRatio, match=says):
        ratio(text)
