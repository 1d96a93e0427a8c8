"""The questions that rules ask: each gives the rows that break a rule, as booleans in the shape of the rows.

None raises, whatever the bytes, and NaN breaks every range.
"""

from collections.abc import Callable

import numpy as np

from spark.jobs.frames import races
from spark.jobs.time_trial import RECORDS
from spark.quality.asked import Rows

Question = Callable[[Rows], np.ndarray]

ROUNDING_MS = 10
"""Sectors are cut to milliseconds one by one: real ones make up to 2 ms less than the lap."""
NO_CODE = np.array([byte not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" for byte in range(256)])


def outside(low: float, high: float, *members: str) -> Question:
    """Whether one of the members, or an element of one, is not within low … high; NaN is not. No `low` is above 0."""

    def broken(rows: Rows) -> np.ndarray:
        parts = rows.parts
        found = np.zeros(parts.shape, bool)
        for member in members:
            if member not in (parts.dtype.names or ()):  # not in this format
                continue
            values = np.ascontiguousarray(parts[member])
            with np.errstate(invalid="ignore"):
                wrong = values > high if values.dtype.kind == "u" else ~((values >= low) & (values <= high))
            if wrong.any():  # hardly ever; asking each row's few elements by themselves would cost the most
                found |= wrong.any(axis=-1) if wrong.ndim > found.ndim else wrong
        return found

    return broken


def sectors_differ(whole_ms: np.ndarray, sectors_ms: list[np.ndarray], at_most_ms: int) -> np.ndarray:
    """Whether sectors, where all are known, make another time than the lap."""
    known = (whole_ms > 0) & np.logical_and.reduce([sector > 0 for sector in sectors_ms])
    total = sum((sector.astype("i8") for sector in sectors_ms), np.zeros(whole_ms.shape, "i8"))
    return known & (np.abs(total - whole_ms) > at_most_ms)


def repeat(places: np.ndarray) -> np.ndarray:
    """(…, cars) → (…): whether two cars have one place; 0 is none, and one beyond 60 is left to other rules."""
    bit = np.where((places > 0) & (places <= 60), np.uint64(1) << (places % 64).astype("u8"), np.uint64(0))
    # Bits that are all different add up to what they make together.
    return np.asarray(bit.sum(axis=-1) != np.bitwise_or.reduce(bit, axis=-1))


def positions_repeat(rows: Rows) -> np.ndarray:
    """Of LapData: whether two cars on a lap have one position. Not every place need be taken: cars retire."""
    cars = rows["cars"]
    return repeat(np.where(races(cars), cars["car_position"], 0))


def lap_goes_back(rows: Rows) -> np.ndarray:
    """Of LapData: whether in the third sector the first two took longer than the lap so far."""
    sectors = [_milliseconds(rows.parts, number).astype("i8") for number in (1, 2)]
    return np.asarray(rows["sector"] == 2) & (
        sectors[0] + sectors[1] > rows["current_lap_time_ms"].astype("i8") + ROUNDING_MS
    )


def history_sum(rows: Rows) -> np.ndarray:
    """Of the laps of SessionHistory: whether the sectors make another time."""
    sectors = [_milliseconds(rows.parts, number) for number in (1, 2, 3)]
    return sectors_differ(rows["lap_time_ms"].astype("i8"), sectors, ROUNDING_MS)


def _milliseconds(laps: np.ndarray, sector: int) -> np.ndarray:
    return laps[f"sector{sector}_ms_part"] + laps[f"sector{sector}_minutes_part"].astype("i4") * 60_000


def stints_go_back(rows: Rows) -> np.ndarray:
    """Of SessionHistory: whether a stint ends no later than the one before it."""
    end = rows["tyre_stints"]["end_lap"].astype("i2")
    both = np.arange(1, end.shape[1]) < rows["num_tyre_stints"][:, None]
    return np.asarray((both & (end[:, 1:] <= end[:, :-1])).any(axis=1))


def records_sum(rows: Rows) -> np.ndarray:
    """Of TimeTrial: whether the sectors of one of its laps make another time."""
    found = np.zeros(rows.parts.shape, bool)
    for record in RECORDS.values():
        lap = rows[record]
        sectors = [lap[f"sector{number}_ms"] for number in (1, 2, 3)]
        found |= sectors_differ(lap["lap_time_ms"].astype("i8"), sectors, ROUNDING_MS)
    return found


def results_repeat(rows: Rows) -> np.ndarray:
    """Of FinalClassification: whether two cars have one place."""
    listed = np.arange(rows["cars"].shape[1]) < rows["num_cars"][:, None]
    return repeat(np.where(listed, rows["cars"]["position"], 0))


def no_code(rows: Rows) -> np.ndarray:
    """Of Event: whether its code is not four letters and digits."""
    return np.asarray(NO_CODE[rows["code"]].any(axis=1))
