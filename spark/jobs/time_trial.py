"""core.time_trial: the laps that a time trial is driven against."""

import numpy as np
import pyarrow as pa

from spark.facts import FACTS
from spark.jobs.blocks import Samples, Sessions
from spark.jobs.missing import none_if_greatest, none_if_zero
from spark.jobs.order import newest

RECORDS = {"session_best": "player_session_best", "personal_best": "personal_best", "rival": "rival"}
"""core.time_trial.record → the packet's data set"""


def records(packets: Samples, sessions: Sessions) -> pa.Table:
    """The newest sample of each record that has a time."""
    return pa.concat_tables(_record(packets, sessions, record, sent) for record, sent in RECORDS.items())


def _record(packets: Samples, sessions: Sessions, record: str, sent: str) -> pa.Table:
    at = np.flatnonzero(packets.datagrams[sent]["lap_time_ms"] > 0)
    at = at[newest((packets.session[at],), (packets.order[at],))]
    lap = packets.datagrams[sent][at]
    return FACTS["time_trial"].rows(
        {
            **sessions.key(packets.session[at]),
            "record": np.full(len(at), record, object),
            "car_index": lap["car_index"],
            "team_id": none_if_greatest(lap["team_id"]),
            "lap_time_ms": lap["lap_time_ms"],
            **{name: none_if_zero(lap[name]) for name in ("sector1_ms", "sector2_ms", "sector3_ms")},
            **{name: lap[name] == 1 for name in ("traction_control", "gearbox_assist", "anti_lock_brakes")},
            "has_equal_cars": lap["equal_car_performance"] == 1,
            "has_custom_setup": lap["custom_setup"] == 1,
            "is_valid": lap["valid"] == 1,
            "overall_frame": packets.order[at],
        }
    )
