"""core.participant and core.result: who drives, and how it ended."""

import numpy as np
import orjson
import pyarrow as pa

from f1_packets import text
from spark.facts import FACTS
from spark.jobs.blocks import Samples, Sessions
from spark.jobs.missing import none_if_greatest, none_if_zero, optional
from spark.jobs.order import newest

TO_THE_FLAG = 255
"""End lap of a stint that ended with the race."""


def participants(packets: Samples, sessions: Sessions) -> pa.Table:
    """Each car as the newest packet tells that has it active. A car is restricted if any packet says so."""
    sent, header = packets.datagrams, packets.header
    cars = sent["cars"]
    index = np.broadcast_to(np.arange(cars.shape[1]), cars.shape)
    is_player = (index == header["player_car_index"][:, None]) | (
        index == header["secondary_player_car_index"][:, None]
    )
    active = index < sent["num_active_cars"][:, None]
    was_restricted = np.zeros((len(sessions.uid), cars.shape[1]), bool)
    np.logical_or.at(was_restricted, packets.session, active & ~is_player & (cars["your_telemetry"] == 0))

    row, car = np.nonzero(active)
    stands = newest((packets.session[row], car), (packets.order[row],))
    row, car = row[stands], car[stands]
    driver = cars[row, car]
    session = packets.session[row]
    return FACTS["participant"].rows(
        {
            **sessions.key(session),
            "car_index": car,
            "name": np.array([text(name) for name in driver["name"].tolist()], object),
            "driver_id": none_if_greatest(driver["driver_id"]),
            "team_id": none_if_greatest(driver["team_id"]),
            "race_number": driver["race_number"],
            "nationality_id": none_if_zero(driver["nationality"]),
            "is_ai": driver["ai_controlled"] == 1,
            "is_player": is_player[row, car],
            "is_telemetry_public": driver["your_telemetry"] == 1,
            "was_restricted": was_restricted[session, car],
            "platform_id": none_if_greatest(driver["platform"]),
            "network_id": none_if_greatest(driver["network_id"]),
            "is_my_team": driver["my_team"] == 1,
            "tech_level": np.ma.masked_equal(optional(driver, "tech_level"), 0),
            "shows_online_name": driver["show_online_names"] == 1,
            "livery_colours": _liveries(driver),
            "overall_frame": packets.order[row],
        }
    )


def _liveries(drivers: np.ndarray) -> pa.Array:
    """A JSON list of #rrggbb each; NULL where the format has none."""
    if "livery_colours" not in (drivers.dtype.names or ()):
        return pa.nulls(len(drivers), pa.string())
    colours = [
        [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in sent[:valid]]
        for sent, valid in zip(drivers["livery_colours"].tolist(), drivers["num_colours"].tolist(), strict=True)
    ]
    return pa.array([orjson.dumps(one).decode() for one in colours], pa.string())


def results(packets: Samples, sessions: Sessions) -> pa.Table:
    """Each classified car as the newest packet tells."""
    sent = packets.datagrams
    cars = sent["cars"]
    row, car = np.nonzero(
        (np.arange(cars.shape[1]) < sent["num_cars"][:, None]) & (cars["position"] > 0) & packets.sound
    )
    stands = newest((packets.session[row], car), (packets.order[row],))
    row, car = row[stands], car[stands]
    end = cars[row, car]
    return FACTS["result"].rows(
        {
            **sessions.key(packets.session[row]),
            "car_index": car,
            "position": end["position"],
            "grid_position": none_if_zero(end["grid_position"]),
            "laps": end["num_laps"],
            "points": end["points"],
            "pit_stops": end["num_pit_stops"],
            "result_status_id": end["result_status"],
            "result_reason_id": optional(end, "result_reason"),
            "best_lap_time_ms": none_if_zero(end["best_lap_time_ms"]),
            "total_time_s": none_if_zero(end["total_race_time_s"]),
            "penalties_s": end["penalties_time_s"],
            "penalties": end["num_penalties"],
            "tyre_stints": pa.array([orjson.dumps(_tyre_stints(one)).decode() for one in end], pa.string()),
            "overall_frame": packets.order[row],
        }
    )


def _tyre_stints(end: np.void) -> list[dict[str, int | None]]:
    names = ("tyre_stints_end_laps", "tyre_stints_actual", "tyre_stints_visual")
    told = zip(*(end[name].tolist() for name in names), strict=True)
    return [
        {
            "end_lap": None if end_lap == TO_THE_FLAG else end_lap,
            "actual_compound_id": actual,
            "visual_compound_id": visual,
        }
        for end_lap, actual, visual in list(told)[: int(end["num_tyre_stints"])]
    ]
