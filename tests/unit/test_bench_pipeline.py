"""What benchmarks conclude from what they saw, against cases worked out by hand."""

from typing import Any

import pytest

from benchmarks.load import due_s
from benchmarks.pipeline import Frames, Record, unaccounted
from benchmarks.tables import differences


def test_the_largest_gap_counts_the_ends_of_the_time_too() -> None:
    frames = Frames([(1.0, 1), (10.0, 2), (10.02, 3), (10.08, 4), (10.1, 5), (99.0, 6)])
    assert frames.largest_gap_ms(10.0, 10.1) == pytest.approx(60)
    assert frames.largest_gap_ms(9.9, 10.1) == pytest.approx(100)
    assert frames.largest_gap_ms(10.0, 10.3) == pytest.approx(200)
    assert frames.largest_gap_ms(20.0, 21.0) == pytest.approx(1000)


def test_latency_is_from_when_the_frame_was_due() -> None:
    # the third of four rigs at 20 Hz: its frames leave 50 ms apart, 25 ms after the first rig's
    assert due_s(1000, number=2, rigs=4, rate_hz=20) == pytest.approx(0.025)
    assert due_s(1003, number=2, rigs=4, rate_hz=20) == pytest.approx(0.075)
    frames = Frames([(5.0, 7), (7.030, 1000), (7.081, 1003)])
    latencies = frames.latencies_ms(lambda frame: 7 + due_s(frame, 2, 4, 20), 6, 8)
    assert latencies == pytest.approx([5, 6])


def test_a_record_is_its_datagrams() -> None:
    # arrival as u64 and the rig in 16 bytes, then the datagram: twice 24 bytes and three more
    content = b"\x01" + bytes(7) + b"rig".ljust(16, b"\0") + b"abc" + b"\x00\x01" + bytes(22) + b"xyz"
    record = Record({"block.bytes": "27"}, content, 0)
    assert list(record.datagrams()) == [(1, b"abc"), (256, b"xyz")]


def test_the_equation_of_the_ledger() -> None:
    status: dict[str, Any] = {
        "received": 100, "stored": 3, "skipped": {"no_session": 2}, "forwarded": 80, "waiting": 5,
        "rejected": {"too_short": 1, "wrong_size": 4}, "dropped": {"crash": 5},
    }  # fmt: skip
    assert unaccounted(status) == 0
    assert unaccounted(status | {"received": 107}) == 7


def lap(car: int, number: int, **values: object) -> dict[str, Any]:
    return {"car_index": car, "lap_number": number, "lap_time_ms": 80_000, "fuel_used_kg": 1.5, **values}


def test_every_value_that_differs_is_told() -> None:
    truth = [lap(0, 1), lap(0, 2), lap(1, 1, lap_time_ms=None), lap(1, 2)]
    held = [
        lap(0, 1, fuel_used_kg=1.5000001, coverage=0.9),  # a column beyond the truth, a float of 32 bits
        lap(0, 2, lap_time_ms=80_001, fuel_used_kg=None),
        lap(1, 1, lap_time_ms=None),
        lap(2, 1),
    ]
    found = {text for _, text in differences(held, truth, ("car_index", "lap_number"))}
    assert found == {
        "(0, 2, 0): lap_time_ms is 80001, was 80000",
        "(0, 2, 0): fuel_used_kg is None, was 1.5",
        "(1, 2, 0): is missing",
        "(2, 1, 0): is there and never was",
    }


def test_events_of_one_frame_are_compared_as_a_set() -> None:
    def event(details: dict[str, float]) -> dict[str, Any]:
        return {"overall_frame": 9, "code": "PENA", "details": details}

    truth = [event({"time": 5}), event({"time": 10.000001})]
    held = [event({"time": 10.0}), event({"time": 5})]
    assert not list(differences(held, truth, ("overall_frame", "code")))
    assert len(list(differences(held[:1], truth, ("overall_frame", "code")))) >= 1
