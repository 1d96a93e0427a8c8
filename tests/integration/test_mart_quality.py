"""mart.quality over hand-made rows."""

from datetime import UTC, datetime, timedelta

from tests.integration.rows import UID, History

START = datetime(2031, 5, 1, 14, 5, tzinfo=UTC)


def test_rates_are_by_session_rig_and_rule(history: History) -> None:
    history.insert(
        "session", session_uid=UID, rig="a", packet_format=2025, game_year=25, track_id=4, session_type_id=15,
        started_at=START, last_seen_at=START + timedelta(minutes=4),
    )  # fmt: skip
    for rig, rule, effect, car, frame in (
        ("a", "speed", "out", 3, 10), ("a", "speed", "out", 3, 11), ("a", "speed", "out", 4, 11),
        ("a", "results_differ", "flag", None, 99), ("b", "speed", "out", 3, 10),
    ):  # fmt: skip
        history.insert(
            "quarantine", session_uid=UID, rig=rig, rule=rule, subject=f"{car} {frame}", effect=effect, reason="wrong",
            details="{}", car_index=car, overall_frame=frame, arrived_at=START + timedelta(seconds=frame),
        )  # fmt: skip
    found = history.view("quality", "rig, rule DESC")
    shown = ("rig", "rule", "effect", "reason", "broken", "cars", "per_minute")
    assert [tuple(row[name] for name in shown) for row in found] == [
        ("a", "speed", "out", "wrong", 3, 2, 0.75),
        ("a", "results_differ", "flag", "wrong", 1, 0, 0.25),
        ("b", "speed", "out", "wrong", 1, 1, None),
    ]
    assert found[0]["session_label"] == "Race, Catalunya, 2031-05-01 14:05"
    assert (found[0]["first_at"], found[0]["last_at"]) == tuple(START + timedelta(seconds=s) for s in (10, 11))


def test_a_session_that_nobody_knows_is_shown_all_the_same(history: History) -> None:
    history.insert(
        "quarantine", session_uid=UID, rig="a", rule="speed", subject="x", effect="out", details="{}", arrived_at=START
    )
    (row,) = history.view("quality", "rule")
    assert (row["session_label"], row["per_minute"]) == ("Session fffffffffffffffb", None)
