"""core.participant and core.result: who drives, and how it ended."""

import numpy as np
import pyarrow as pa

from f1_packets import text
from spark.facts import FACTS
from spark.jobs.blocks import Samples, Sessions
from spark.jobs.order import newest


def participants(packets: Samples, sessions: Sessions) -> pa.Table:
    """The active cars of the newest packet of each session. A car is restricted if any packet says so."""
    sent, header = packets.datagrams, packets.header
    cars = sent["cars"]
    index = np.broadcast_to(np.arange(cars.shape[1]), cars.shape)
    is_player = (index == header["player_car_index"][:, None]) | (
        index == header["secondary_player_car_index"][:, None]
    )
    active = index < sent["num_active_cars"][:, None]
    was_restricted = np.zeros((len(sessions.uid), cars.shape[1]), bool)
    np.logical_or.at(was_restricted, packets.session, active & ~is_player & (cars["your_telemetry"] == 0))

    stands = newest((packets.session,), (packets.order,))
    row, car = np.nonzero(active[stands])
    row = stands[row]
    driver = cars[row, car]
    session = packets.session[row]
    return FACTS["participant"].rows(
        {
            **sessions.key(session),
            "car_index": car,
            "name": np.array([text(name) for name in driver["name"].tolist()], object),
            "driver_id": _id(driver["driver_id"]),
            "team_id": _id(driver["team_id"]),
            "race_number": driver["race_number"],
            "nationality_id": _known(driver["nationality"]),
            "is_ai": driver["ai_controlled"] == 1,
            "is_player": is_player[row, car],
            "is_telemetry_public": driver["your_telemetry"] == 1,
            "was_restricted": was_restricted[session, car],
            "platform_id": _id(driver["platform"]),
            "network_id": _id(driver["network_id"]),
            "overall_frame": packets.order[row],
        }
    )


def results(packets: Samples, sessions: Sessions) -> pa.Table:
    """A row for each classified car of the newest packet of each session."""
    stands = newest((packets.session,), (packets.order,))
    sent = packets.datagrams[stands]
    cars = sent["cars"]
    row, car = np.nonzero((np.arange(cars.shape[1]) < sent["num_cars"][:, None]) & (cars["position"] > 0))
    end = cars[row, car]
    has_reason = "result_reason" in (end.dtype.names or ())
    return FACTS["result"].rows(
        {
            **sessions.key(packets.session[stands][row]),
            "car_index": car,
            "position": end["position"],
            "grid_position": _known(end["grid_position"]),
            "laps": end["num_laps"],
            "points": end["points"],
            "pit_stops": end["num_pit_stops"],
            "result_status_id": end["result_status"],
            "result_reason_id": end["result_reason"] if has_reason else np.ma.masked_all(len(end), "u1"),
            "best_lap_time_ms": _known(end["best_lap_time_ms"]),
            "total_time_s": _known(end["total_race_time_s"]),
            "penalties_s": end["penalties_time_s"],
            "penalties": end["num_penalties"],
            "overall_frame": packets.order[stands][row],
        }
    )


def _id(values: np.ndarray) -> np.ma.MaskedArray:
    """The greatest number that fits means "none": 255, and 65535 where ids have two bytes since 2026."""
    return np.ma.MaskedArray(values, values == np.iinfo(values.dtype).max)


def _known(values: np.ndarray) -> np.ma.MaskedArray:
    return np.ma.MaskedArray(values, values == 0)
