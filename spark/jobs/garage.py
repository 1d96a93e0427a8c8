"""core.setup and core.tyre_set: what a car was driven with."""

from hashlib import blake2b

import numpy as np
import orjson
import pyarrow as pa

from spark.facts import FACTS
from spark.jobs.blocks import Samples, Sessions
from spark.jobs.missing import none_if_zero, optional
from spark.jobs.order import newest

DIGEST_BYTES = 8


def setups(packets: Samples, sessions: Sessions) -> pa.Table:
    """A row for each car and setup, with the first and the last order that showed it; blank ones are left out."""
    cars = np.ascontiguousarray(packets.datagrams["cars"])
    setup_bytes = cars.dtype.itemsize
    row, car = np.nonzero(cars.view("u1").reshape(*cars.shape, setup_bytes).any(axis=2) & packets.sound)

    kind = np.dtype([("session", "i8"), ("car", "i8"), ("setup", f"V{setup_bytes}")])
    shown = np.empty(len(row), kind)
    shown["session"], shown["car"] = packets.session[row], car
    shown["setup"] = cars[row, car].view(f"V{setup_bytes}")
    _, first, group = np.unique(shown.view(f"V{kind.itemsize}"), return_index=True, return_inverse=True)
    group = group.reshape(-1)
    order = packets.order[row]
    first_frame = np.full(len(first), np.iinfo("i8").max)
    last_frame = np.full(len(first), -1, "i8")
    np.minimum.at(first_frame, group, order)
    np.maximum.at(last_frame, group, order)

    setup = cars[row[first], car[first]]
    fact = FACTS["setup"]
    members = [name for name in fact.values if name not in (*fact.greatest, *fact.least)]
    return fact.rows(
        {
            **sessions.key(packets.session[row[first]]),
            "car_index": car[first],
            "digest": np.array([_digest(one) for one in setup], object),
            "first_frame": first_frame,
            "last_frame": last_frame,
            **{name: optional(setup, name) for name in members},
        }
    )


def _digest(setup: np.void) -> str:
    """By names, so that a setup has one digest in all formats that have its members."""
    members = dict(zip(setup.dtype.names or (), setup.item(), strict=True))
    return blake2b(orjson.dumps(members, option=orjson.OPT_SORT_KEYS), digest_size=DIGEST_BYTES).hexdigest()


def tyre_sets(packets: Samples, sessions: Sessions) -> pa.Table:
    """The newest sample of each set of each car. No set is made of compound 0: those are hidden, or not there."""
    sent = packets.datagrams
    row, index = np.nonzero(
        (sent["tyre_sets"]["actual_tyre_compound"] > 0) & (sent["car_index"] < packets.num_cars)[:, None]
    )
    stands = newest((packets.session[row], sent["car_index"][row], index), (packets.order[row],))
    row, index = row[stands], index[stands]
    tyres = sent["tyre_sets"][row, index]
    return FACTS["tyre_set"].rows(
        {
            **sessions.key(packets.session[row]),
            "car_index": sent["car_index"][row],
            "set_index": index,
            "actual_compound_id": tyres["actual_tyre_compound"],
            "visual_compound_id": tyres["visual_tyre_compound"],
            "wear_percent": tyres["wear_percent"],
            "is_available": tyres["available"] == 1,
            "recommended_session_id": none_if_zero(tyres["recommended_session"]),
            "life_span_laps": tyres["life_span_laps"],
            "usable_life_laps": tyres["usable_life_laps"],
            "lap_delta_time_ms": tyres["lap_delta_time_ms"],
            "is_fitted": tyres["fitted"] == 1,
            "overall_frame": packets.order[row],
        }
    )
