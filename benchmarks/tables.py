"""Tables against a simulated race's manifest, and which differences a lost datagram explains."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import psycopg
from psycopg.rows import dict_row

from f1_packets import signed_uid
from pitlane.settings import PostgresSettings
from pitlane.simulator import Race
from pitlane.simulator.manifest import Manifest
from pitlane.stack.stack import Stack

_OF_A_LAP = ("lap_data", "car_telemetry", "car_status", "car_telemetry_2", "car_damage")
"""What the values of a lap are read from, beside the session history, which comes again and again."""


class Lost(NamedTuple):
    """A datagram that never came."""

    packet: str
    order: int
    """f1_packets.sample_order"""


class Difference(NamedTuple):
    text: str
    explained: bool


def compare(stack: Stack, race: Race, truth: Manifest, lost: Sequence[Lost]) -> list[Difference]:
    """Every value of the tables that is not the manifest's, and whether a lost datagram explains it."""
    lost_frames = np.array([each.order for each in lost if each.packet in _OF_A_LAP], np.int64)
    lost_events = {each.order for each in lost if each.packet == "event"}
    spans = _spans(race)

    def in_lap(row: dict[str, Any]) -> bool:
        first, last = spans[row["car_index"], row["lap_number"]]
        return bool(np.any((lost_frames >= first) & (lost_frames <= last)))

    def never(_: dict[str, Any]) -> bool:
        return False

    with psycopg.connect(stack.settings(PostgresSettings).conninfo("reader"), row_factory=dict_row) as reader:
        tables = (
            ("participant", truth.participants, ("car_index",), never),
            ("lap", truth.laps, ("car_index", "lap_number"), in_lap),
            ("lap_damage", truth.damage, ("car_index", "lap_number"), in_lap),
            ("stint", truth.stints, ("car_index", "stint_number"), never),
            ("result", truth.results, ("car_index",), never),
            (
                "event",
                truth.events,
                ("overall_frame", "code", "car_index", "other_car_index"),
                lambda row: row["overall_frame"] in lost_events,
            ),
        )
        found = []
        for name, rows, key, explains in tables:
            query = f"SELECT * FROM core.{name} WHERE session_uid = %s"
            held = reader.execute(query, [signed_uid(truth.session.session_uid)]).fetchall()
            found += [Difference(f"{name} {text}", explains(row)) for row, text in differences(held, _plain(rows), key)]
        return found


def _plain(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(row) for row in rows]


def differences(
    held: list[dict[str, Any]], truth: list[dict[str, Any]], key: tuple[str, ...]
) -> Iterator[tuple[dict[str, Any], str]]:
    """(row, what differs) for rows missing or too many, and for each value; floats at the game's 32 bits.

    Rows of one key are compared in the order of their other values.
    """

    def keyed(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        numbered: Counter[tuple[Any, ...]] = Counter()
        found = {}
        for row in sorted(rows, key=lambda row: repr(row.get("details"))):
            at = tuple(row[name] for name in key)
            found[*at, numbered[at]] = row
            numbered[at] += 1
        return found

    there, expected = keyed(held), keyed(truth)
    for at in there.keys() - expected.keys():
        yield there[at], f"{at}: is there and never was"
    for at in expected.keys() - there.keys():
        yield expected[at], f"{at}: is missing"
    for at in expected.keys() & there.keys():
        for name, value in expected[at].items():
            if not _same(there[at][name], value):
                yield expected[at], f"{at}: {name} is {there[at][name]!r}, was {value!r}"


def _same(value: Any, truth: Any) -> bool:
    if isinstance(truth, dict) and isinstance(value, dict):
        return value.keys() == truth.keys() and all(_same(value[name], truth[name]) for name in truth)
    if isinstance(truth, float) and isinstance(value, int | float):
        return abs(value - truth) <= 1e-6 * max(1.0, abs(truth))
    return bool(value == truth)


def _spans(race: Race) -> dict[tuple[int, int], tuple[int, int]]:
    """(car, lap) → the first and the last frame that show the car in it."""
    lap, racing = race.samples["lap"], race.samples["racing"]
    found = {}
    for car in range(lap.shape[1]):
        shown = np.where(racing[:, car], lap[:, car], 0)
        for number in np.unique(shown[shown > 0]):
            at = np.flatnonzero(shown == number)
            found[car, int(number)] = int(race.clock.frames[at[0]]), int(race.clock.frames[at[-1]])
    return found
