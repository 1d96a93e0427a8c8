"""core.quarantine: a row for what broke a rule, with what it said and where its bytes lie."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from f1_packets import SESSION_END_ORDER
from spark.facts import FACTS
from spark.jobs.blocks import Decoded, Samples
from spark.quality.rules import Rule

AT_MOST = 100
"""Rows of one rule in one task: a broken rig must not flood the table. The counts go on."""


def quarantined(rule: Rule, broken: np.ndarray, samples: Samples, decoded: Decoded) -> pa.Table:
    """Rows for what is true in `broken`, (n,) or (n, rows of each packet): of too many those that come first.

    What had waited is told again after what has not, under the same keys.
    """
    packet, *within = np.nonzero(broken)
    row = within[0] if within else np.zeros(len(packet), "i8")
    waited = decoded.had_waited(samples)[packet]
    first = np.lexsort((row, samples.order[packet], samples.session[packet], waited))[:AT_MOST]
    packet, row = packet[first], row[first]
    car = _cars(rule, samples, packet, row)
    return FACTS["quarantine"].rows(
        {
            **decoded.sessions.key(samples.session[packet]),
            "rule": np.full(len(packet), rule.slug, object),
            "subject": _subjects(rule, samples, packet, row, car),
            "effect": np.full(len(packet), rule.effect, object),
            "reason": np.full(len(packet), rule.wrong, object),
            "details": np.array(
                [_details(rule, samples, *at) for at in zip(packet.tolist(), row.tolist(), strict=True)], object
            ),
            "car_index": car,
            "packet_format": np.full(len(packet), samples.packet.format),
            "packet_id": np.full(len(packet), samples.packet.id),
            "overall_frame": samples.order[packet],
            "arrived_at": pa.array((samples.entries["arrival_ns"][packet] // 1000).astype("M8[us]")),
            "shard": decoded.sessions.shard[samples.session[packet]],
            **decoded.pointer(samples.origin[packet]),
        }
    )


def _cars(rule: Rule, samples: Samples, packet: np.ndarray, row: np.ndarray) -> np.ma.MaskedArray:
    if rule.of == "cars":
        return np.ma.MaskedArray(row)
    if "car_index" in (samples.packet.dtype.names or ()):
        return np.ma.MaskedArray(samples.datagrams["car_index"][packet].astype("i8"))
    return np.ma.masked_all(len(packet), "i8")


def _subjects(rule: Rule, samples: Samples, packet: np.ndarray, row: np.ndarray, car: np.ma.MaskedArray) -> np.ndarray:
    about = [[] if index is None else [f"car {index}"] for index in car.tolist()]
    if rule.of == "laps":  # told again with each history
        where = [f"lap {number + 1}" for number in row.tolist()]
    else:
        orders = samples.order[packet].tolist()
        where = ["at the end" if order == SESSION_END_ORDER else f"frame {order}" for order in orders]
    return np.array([", ".join([*cars, place]) for cars, place in zip(about, where, strict=True)], object)


def _details(rule: Rule, samples: Samples, packet: int, row: int) -> str:
    said = samples.datagrams[packet]
    said = said[rule.of][row] if rule.of else said
    return orjson.dumps(
        {member: _plain(_member(said, member)) for member in rule.members if _has(said, member)}
    ).decode()


def _has(said: np.void, member: str) -> bool:
    return member.partition(".")[0] in (said.dtype.names or ())


def _member(said: Any, member: str) -> Any:
    for name in member.split("."):
        said = said[name]
    return said


def _plain(value: Any) -> Any:
    """For JSON, which has neither NaN nor infinity."""
    if isinstance(value, np.void):
        return {name: _plain(value[name]) for name in value.dtype.names or ()}
    if isinstance(value, np.ndarray):
        return [_plain(element) for element in value]
    plain = value.item()
    return str(plain) if isinstance(plain, float) and not np.isfinite(plain) else plain
