"""core.pit_sample: what of a stop is seen from the pit lane, second by second."""

import numpy as np
import pyarrow as pa

from spark.facts import FACTS
from spark.jobs.blocks import Sessions
from spark.jobs.frames import CarFrames
from spark.jobs.laps import lap_key
from spark.jobs.order import newest


def pit_samples(rows: CarFrames, sessions: Sessions) -> pa.Table:
    """One row for each (session, rig, car, lap, second) with the pit lane timer running: the last sample of each."""
    clock = rows.session_time_s
    rows = rows.take(np.flatnonzero((rows.lap("pit_lane_timer_active") > 0) & (clock >= 0) & (clock < 2**31)))
    second = rows.session_time_s.astype("i8")
    seconds = (rows.session, rows.car, rows.lap("current_lap_num"), second)
    # What the timer of the stop said before it was set back, however soon after.
    stop_ms = rows.lap("pit_stop_timer_ms")
    longest = stop_ms[newest(seconds, (rows.rewound, stop_ms, rows.order))]
    stands = newest(seconds, (rows.order,))
    rows, second = rows.take(stands), second[stands]
    return FACTS["pit_sample"].rows(
        {
            **lap_key(rows, sessions),
            "session_second": second,
            "session_time_s": rows.session_time_s,
            "lane_time_ms": rows.lap("pit_lane_time_in_lane_ms"),
            "stop_time_ms": longest,
            "pit_status": rows.lap("pit_status"),
            "pit_stops": rows.lap("num_pit_stops"),
            "serves_penalty": rows.lap("pit_stop_should_serve_penalty") > 0,
            "actual_compound_id": rows.of("car_status", "actual_tyre_compound"),
            "visual_compound_id": rows.of("car_status", "visual_tyre_compound"),
            "tyre_age_laps": rows.of("car_status", "tyres_age_laps"),
            "rewound": rows.rewound,
            "overall_frame": rows.order,
        }
    )
