"""core.event: what happened, with every member of the event by our names."""

from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from f1_packets import read_event
from spark.facts import FACTS
from spark.jobs.blocks import Samples, Sessions

LEFT_OUT = b"BUTN"
"""The player's buttons: 98 % of a time trial's events."""
NO_CAR = 255
DIGEST_BYTES = 8


def events(packets: Samples, sessions: Sessions) -> pa.Table:
    """A row for each event; those that came twice are one, at their first arrival."""
    codes = np.ascontiguousarray(packets.datagrams["code"]).view("S4").reshape(-1)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for i in np.flatnonzero(codes != LEFT_OUT):
        row = _row(packets.datagrams[i].tobytes())
        key = (int(packets.session[i]), int(packets.order[i]), row["code"], row["digest"])
        row |= {"at": i, "arrived_at": int(packets.entries["arrival_ns"][i]) // 1000}
        if key not in found or row["arrived_at"] < found[key]["arrived_at"]:
            found[key] = row
    rows = list(found.values())
    at = np.array([row["at"] for row in rows], "i8")
    return FACTS["event"].rows(
        {
            **sessions.key(packets.session[at]),
            "overall_frame": packets.order[at],
            "session_time_s": packets.header["session_time_s"][at],
            "arrived_at": pa.array([row["arrived_at"] for row in rows], pa.timestamp("us", tz="UTC")),
            **{
                name: pa.array([row[name] for row in rows])
                for name in ("code", "digest", "car_index", "other_car_index", "lap_number", "details")
            },
        }
    )


def _row(datagram: bytes) -> dict[str, Any]:
    event = read_event(datagram)
    # Behind the members lies uninitialised memory; of an unknown code all of it is kept, since nobody knows better.
    members = event.members if event.known else {"raw": datagram[-12:].hex()}
    details = orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
    return {
        "code": event.code if event.code.isprintable() else event.code.encode().hex(),
        "digest": blake2b(details, digest_size=DIGEST_BYTES).hexdigest(),
        "car_index": _car(members.get("car_index")),
        "other_car_index": _car(members.get("other_car_index")),
        "lap_number": members.get("lap_num") or None,
        "details": details.decode(),
    }


def _car(index: Any) -> int | None:
    return None if index is None or index == NO_CAR else int(index)
