"""core.lap, core.lap_start, core.stint and core.history: places, tyres and fuel from samples, times and stints from
SessionHistory.

The place at the start of a lap comes from LapPositions.
"""

import numpy as np
import pyarrow as pa

from spark.facts import FACTS
from spark.jobs.blocks import Samples, Sessions
from spark.jobs.frames import CarFrames
from spark.jobs.gaps import gaps_ms
from spark.jobs.missing import none_if_zero
from spark.jobs.order import newest

VALID = {"is_valid": 1, "sector1_valid": 2, "sector2_valid": 4, "sector3_valid": 8}
"""Bits of SessionHistory's `valid_flags`."""
STILL_RUNNING = 255
"""A stint's end lap while the tyres are on the car."""
NO_LAP = 255
"""The lap of a speed trap that a car has not passed yet; a car that is nobody's says 0."""


def lap_place(rows: CarFrames, sessions: Sessions) -> pa.Table:
    """Position, gaps and what the stewards noted, at the last sample of each lap."""
    rows = rows.take(newest((rows.session, rows.car, rows.lap("current_lap_num")), (rows.order,)))
    to_leader, to_ahead = gaps_ms(rows)
    trap_kmh, trap_lap = rows.lap_or_null("speed_trap_fastest_speed_kmh"), rows.lap_or_null("speed_trap_fastest_lap")
    no_trap = np.ma.getmaskarray(trap_lap) | (np.ma.getdata(trap_lap) == NO_LAP)
    return FACTS["lap_place"].rows(
        {
            **lap_key(rows, sessions),
            "position": rows.lap("car_position"),
            "gap_to_leader_ms": to_leader,
            "gap_to_ahead_ms": to_ahead,
            "previous_lap_time_ms": none_if_zero(rows.lap("last_lap_time_ms")),
            "corner_cutting_warnings": rows.lap("corner_cutting_warnings"),
            "total_warnings": rows.lap("total_warnings"),
            "penalties_s": rows.lap("penalties_s"),
            "unserved_drive_throughs": rows.lap("num_unserved_drive_through_pens"),
            "unserved_stop_gos": rows.lap("num_unserved_stop_go_pens"),
            "speed_trap_best_kmh": np.ma.MaskedArray(trap_kmh, no_trap),
            "speed_trap_best_lap": np.ma.MaskedArray(trap_lap, no_trap),
            "overall_frame": rows.order,
        }
    )


def lap_start(rows: CarFrames, sessions: Sessions) -> pa.Table:
    """The fuel at the first sample, of those that came with CarStatus, of each lap behind each flashback."""
    rows = rows.take(np.flatnonzero(rows.has("car_status")))
    rows = rows.take(newest((rows.session, rows.car, rows.lap("current_lap_num"), rows.rewound), (-rows.order,)))
    return FACTS["lap_start"].rows(
        {
            **lap_key(rows, sessions),
            "rewound": rows.rewound,
            "fuel_start_kg": rows.of("car_status", "fuel_in_tank_kg"),
            "start_frame": rows.order,
        }
    )


def lap_status(rows: CarFrames, sessions: Sessions) -> pa.Table:
    """Tyres, fuel and ERS at the last sample of each lap that came with CarStatus."""
    rows = rows.take(np.flatnonzero(rows.has("car_status")))
    rows = rows.take(newest((rows.session, rows.car, rows.lap("current_lap_num")), (rows.order,)))
    return FACTS["lap_status"].rows(
        {
            **lap_key(rows, sessions),
            "actual_compound_id": rows.of("car_status", "actual_tyre_compound"),
            "visual_compound_id": rows.of("car_status", "visual_tyre_compound"),
            "tyre_age_laps": rows.of("car_status", "tyres_age_laps"),
            "fuel_end_kg": rows.of("car_status", "fuel_in_tank_kg"),
            "ers_deployed_j": rows.of("car_status", "ers_deployed_j"),
            "ers_harvested_j": rows.ers_harvested_j,
            "status_frame": rows.order,
        }
    )


def lap_key(rows: CarFrames, sessions: Sessions) -> dict[str, np.ndarray]:
    """The key columns of a fact by car and lap."""
    return {**sessions.key(rows.session), "car_index": rows.car, "lap_number": rows.lap("current_lap_num")}


def lap_line(packets: Samples, sessions: Sessions) -> pa.Table:
    """The place of each car at the start of each lap, as the first packet since the last flashback says; 0 is no record.

    A packet holds 50 laps from `lap_start` on, so a long race is told by several that do not repeat each other. Within
    those 50 the places come again every second: that the first stands saves writing them as often. How many frames
    flashbacks have taken back is in each header, so that a packet alone tells which flashback it is behind.
    """
    sent = packets.datagrams
    positions = sent["positions"]
    listed = np.arange(positions.shape[1]) < sent["num_laps"][:, None]
    row, lap, car = np.nonzero((positions > 0) & listed[:, :, None])
    lap_number = sent["lap_start"][row].astype("i8") + lap + 1
    rewound = packets.rewound
    stands = newest((packets.session[row], car, lap_number), (rewound[row], -packets.order[row]))
    row, lap, car = row[stands], lap[stands], car[stands]
    return FACTS["lap_line"].rows(
        {
            **sessions.key(packets.session[row]),
            "car_index": car,
            "lap_number": lap_number[stands],
            "start_position": positions[row, lap, car],
            "line_frame": packets.order[row],
            "line_rewound": rewound[row],
        }
    )


def history(packets: Samples, sessions: Sessions) -> pa.Table:
    """What each packet listed: (car, number of laps), the newest of each."""
    sent = packets.datagrams
    at = np.flatnonzero(sent["car_index"] < packets.num_cars)
    at = at[newest((packets.session[at], sent["car_index"][at], sent["num_laps"][at]), (packets.order[at],))]
    return FACTS["history"].rows(
        {
            **sessions.key(packets.session[at]),
            "car_index": sent["car_index"][at],
            "num_laps": sent["num_laps"][at],
            "overall_frame": packets.order[at],
        }
    )


def lap_times(packets: Samples, sessions: Sessions) -> pa.Table:
    """Every lap of each car's newest packet: the packet stands as a whole."""
    packets = newest_of_each_car(packets)
    laps = packets.datagrams["laps"]
    row, index = np.nonzero(np.arange(laps.shape[1]) < packets.datagrams["num_laps"][:, None])
    lap = laps[row, index]
    sectors = {f"sector{n}_ms": none_if_zero(lap[f"sector{n}_ms_part"] + _minutes(lap, n)) for n in (1, 2, 3)}
    return FACTS["lap_times"].rows(
        {
            **sessions.key(packets.session[row]),
            "car_index": packets.datagrams["car_index"][row],
            "lap_number": index + 1,
            "lap_time_ms": none_if_zero(lap["lap_time_ms"]),
            **sectors,
            **{name: lap["valid_flags"] & bit > 0 for name, bit in VALID.items()},
            "history_frame": packets.order[row],
        }
    )


def stints(packets: Samples, sessions: Sessions) -> pa.Table:
    """The stints of each car's newest packet; each starts on the lap after the one before ended on."""
    packets = newest_of_each_car(packets)
    sent = packets.datagrams["tyre_stints"]
    row, index = np.nonzero(np.arange(sent.shape[1]) < packets.datagrams["num_tyre_stints"][:, None])
    stint = sent[row, index]
    before = sent["end_lap"][row, np.maximum(index - 1, 0)].astype("i2")
    end = stint["end_lap"]
    return FACTS["stint"].rows(
        {
            **sessions.key(packets.session[row]),
            "car_index": packets.datagrams["car_index"][row],
            "stint_number": index + 1,
            "start_lap": np.where(index == 0, 1, before + 1),
            "end_lap": np.ma.MaskedArray(end, end == STILL_RUNNING),
            "actual_compound_id": stint["actual_tyre_compound"],
            "visual_compound_id": stint["visual_tyre_compound"],
            "overall_frame": packets.order[row],
        }
    )


def newest_of_each_car(packets: Samples) -> Samples:
    """One SessionHistory packet for each car; of those at session end the latest by the game's clock."""
    car = packets.datagrams["car_index"]
    at = np.flatnonzero(car < packets.num_cars)
    order = packets.order[at], packets.header["session_time_s"][at], packets.datagrams["num_laps"][at]
    at = at[newest((packets.session[at], car[at]), order)]
    _, first = np.unique(packets.session[at].astype("i8") * 256 + car[at], return_index=True)
    return packets.take(at[first])


def _minutes(lap: np.ndarray, sector: int) -> np.ndarray:
    return lap[f"sector{sector}_minutes_part"].astype("i4") * 60_000
