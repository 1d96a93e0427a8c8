"""What waits for its partners between two micro-batches, and that it makes no difference where they are cut."""

import random
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spark.jobs.micro_batch import Reduced
from tests.handmade import damage, lap_data, motion, motion_ex, reduced, rows, status, telemetry, telemetry_2, waiting

Make = Callable[[int], bytes]
ALL = (lap_data, telemetry, status, motion, damage, motion_ex)
NAMES = {0: "motion", 2: "lap", 6: "telemetry", 7: "status", 10: "damage", 13: "motion_ex", 16: "telemetry_2"}


def kept(result: Reduced) -> set[tuple[int, str]]:
    return {(row["overall_frame"], NAMES[row["packet_id"]]) for row in rows(result, "pending_datagram")}


def test_of_a_whole_frame_only_the_marks_are_kept() -> None:
    assert kept(reduced(*[make(700) for make in ALL])) == {(700, "damage"), (700, "motion_ex")}


def test_an_incomplete_frame_waits_as_a_whole() -> None:
    result = reduced(lap_data(700), telemetry(700), status(700))
    assert kept(result) == {(700, "lap"), (700, "telemetry"), (700, "status")}
    (row,) = rows(reduced(motion(700), waiting=waiting(result)), "lap_trace")
    assert row["is_complete"]


def test_a_frame_is_given_up_when_the_kind_it_lacks_has_moved_on() -> None:
    later = [make(900) for make in ALL]
    marks = {(900, "damage"), (900, "motion_ex")}
    assert kept(reduced(lap_data(700), telemetry(700), *later)) == marks
    assert kept(reduced(lap_data(700), damage(700), motion_ex(700), *later)) == marks
    late = {(790, "lap"), (790, "telemetry")}
    assert kept(reduced(lap_data(790), telemetry(790), *later)) == marks | late
    motion_is_behind = [make(900) for make in ALL if make is not motion]
    assert kept(reduced(lap_data(700), telemetry(700), *motion_is_behind)) == marks | {
        (frame, kind) for frame in (700, 900) for kind in ("lap", "telemetry")
    } | {(900, "status")}


def test_what_comes_too_late_for_its_lap_data_is_counted_and_what_waited_for_its_damage_is_not() -> None:
    whole = reduced(*[make(frame) for frame in (700, 760) for make in ALL[:4]])
    assert (whole.late, {kind for _, kind in kept(whole)}) == ({}, {"lap"})
    later = reduced(motion(700), *[make(900) for make in ALL], waiting=waiting(whole))
    assert later.late == {}, "its LapData still waits for CarDamage"
    assert reduced(motion(700), telemetry(700), *[make(901) for make in ALL], waiting=waiting(later)).late == {
        "motion": 1,
        "car_telemetry": 1,
    }


def test_lap_data_waits_for_the_sparse_kinds_until_they_have_passed() -> None:
    frames = [make(frame) for frame in (700, 739, 741) for make in ALL[:4]]
    result = reduced(*frames, *[motion_ex(frame) for frame in (700, 739, 741)], damage(780))
    # A CarDamage may be displaced by 40 frames: that of 740 is past, that of 741 may come.
    assert kept(result) == {(741, "lap"), (741, "motion_ex"), (780, "damage")}
    (row,) = rows(reduced(damage(741), waiting=waiting(result)), "lap_damage")
    assert row["overall_frame"] == 741


def test_a_rig_that_never_sends_a_kind_does_not_pile_up() -> None:
    frames = range(700, 1700, 10)
    result = reduced(*[make(frame) for frame in frames for make in ALL[:4]])
    assert {frame for frame, _ in kept(result)} == set(range(1400, 1700, 10))
    assert {kind for _, kind in kept(result)} == {"lap"}


def test_nothing_waits_for_the_car_of_a_spectator() -> None:
    watched = [make(700, player=255) for make in ALL[:5]]
    assert kept(reduced(*watched)) == {(700, "damage")}


def test_a_frame_of_2026_waits_for_its_fifth_packet() -> None:
    whole = [make(700, year=2026) for make in ALL]
    assert {kind for _, kind in kept(reduced(*whole))} == {
        "lap",
        "telemetry",
        "status",
        "motion",
        "damage",
        "motion_ex",
    }
    (row,) = rows(reduced(telemetry_2(700), waiting=waiting(reduced(*whole))), "lap_trace")
    assert (row["is_complete"], row["active_aero_mode"]) == (True, 1)


FRAMES = range(1000, 1240, 2)
KINDS: dict[str, tuple[Make, range]] = {
    **{
        make.__name__: (lambda frame, make=make: make(frame, year=2026), FRAMES)  # type: ignore[misc]
        for make in (telemetry, status, motion, motion_ex)
    },
    "telemetry_2": (telemetry_2, FRAMES),
    "lap_data": (lambda frame: lap_data(frame, {3: {"lap_distance_m": 10.0 * (frame - 1000) + 5}}, year=2026), FRAMES),
    "damage": (lambda frame: damage(frame, year=2026), range(1000, 1240, 12)),
}


@settings(deadline=None)
@given(seed=st.integers(), batches=st.integers(1, 6), displaced=st.integers(0, 30), share=st.floats(0, 0.2))
def test_no_cut_and_no_order_makes_a_difference(seed: int, batches: int, displaced: int, share: float) -> None:
    """Each kind is read unevenly, its packets displaced and some of them twice; each frame has a bin of its own."""
    chance = random.Random(seed)
    cut: list[list[bytes]] = [[] for _ in range(batches)]
    for make, frames in KINDS.values():
        sent = [frame for frame in frames for _ in range(1 + (chance.random() < share))]
        sent.sort(key=lambda frame: frame + chance.uniform(0, displaced))
        # Often a kind is not in a batch at all, or is read to its end at once.
        ends = sorted(chance.choice([0, chance.randint(0, len(sent)), len(sent)]) for _ in range(batches - 1))
        for batch, start, end in zip(cut, [0, *ends], [*ends, None], strict=True):
            batch.extend(make(frame) for frame in sent[start:end])
    best: dict[str, dict[Any, Any]] = {"lap_trace": {}, "player_trace": {}, "lap_damage": {}, "lap_status": {}}
    held = []
    for batch in cut:
        result = reduced(*batch, waiting=held)
        held = waiting(result)
        for name, found in best.items():
            for row in rows(result, name):
                key = row.get("distance_bin")
                rank = (
                    row.get("is_complete", False),
                    row.get("overall_frame", row.get("status_frame")),
                    sum(value is not None for value in row.values()),
                )
                found[key] = max(found.get(key, (rank, row)), (rank, row), key=lambda ranked: ranked[0])

    trace = [row for _, row in best["lap_trace"].values()]
    assert {row["overall_frame"] for row in trace if row["is_complete"] and row["active_aero_mode"] == 1} == set(FRAMES)
    assert {row["overall_frame"] for _, row in best["player_trace"].values()} == set(FRAMES)
    assert best["lap_damage"][None][1]["overall_frame"] == KINDS["damage"][1][-1]
    assert best["lap_status"][None][1]["status_frame"] == FRAMES[-1]
