"""core.lap_trace: a lap as a row for each 10 m of track."""

import numpy as np
import pyarrow as pa

from spark.facts import FACTS
from spark.jobs.blocks import Sessions
from spark.jobs.frames import CarFrames
from spark.jobs.order import newest

BIN_M = 10
BINS = 1000
"""No track is 10 km long; a distance beyond is garbage."""


def on_track(rows: CarFrames) -> tuple[CarFrames, np.ndarray]:
    """The rows that lie on a lap, and the bin of each."""
    distance = rows.lap("lap_distance_m")
    # The distance is negative between the grid, or a time trial's first metres, and the line.
    rows = rows.take(np.flatnonzero((distance >= 0) & (distance < BIN_M * BINS)))
    return rows, (rows.lap("lap_distance_m") // BIN_M).astype("i2")


def lap_trace(rows: CarFrames, sessions: Sessions) -> pa.Table:
    """One row for each (session, rig, car, lap, bin): of its samples since the last flashback the newest complete one."""
    rows, place = on_track(rows)
    lap_number = rows.lap("current_lap_num")
    bins = (rows.session, rows.car, lap_number, place)
    stands = newest(bins, (rows.rewound, rows.is_complete, rows.order))
    speed = rows.of("car_telemetry", "speed_kmh")
    fastest = speed[newest(bins, (rows.rewound, speed.filled(0), rows.order))]
    rows, place = rows.take(stands), place[stands]
    return FACTS["lap_trace"].rows(
        {
            **sessions.key(rows.session),
            "car_index": rows.car,
            "lap_number": rows.lap("current_lap_num"),
            "distance_bin": place,
            "lap_distance_m": rows.lap("lap_distance_m"),
            "current_lap_time_ms": rows.lap("current_lap_time_ms"),
            "speed_kmh": rows.of("car_telemetry", "speed_kmh"),
            "top_speed_kmh": fastest,
            "throttle": rows.of("car_telemetry", "throttle"),
            "brake": rows.of("car_telemetry", "brake"),
            "steer": rows.of("car_telemetry", "steer"),
            "gear": rows.of("car_telemetry", "gear"),
            "engine_rpm": rows.of("car_telemetry", "engine_rpm"),
            "is_drs_open": rows.of("car_telemetry", "drs") > 0,
            "ers_store_j": rows.of("car_status", "ers_store_j"),
            "ers_deploy_mode": rows.of("car_status", "ers_deploy_mode"),
            "ers_deployed_j": rows.of("car_status", "ers_deployed_j"),
            "ers_harvested_j": rows.ers_harvested_j,
            "fuel_in_tank_kg": rows.of("car_status", "fuel_in_tank_kg"),
            "world_x_m": rows.of("motion", "world_position_x_m"),
            "world_y_m": rows.of("motion", "world_position_y_m"),
            "world_z_m": rows.of("motion", "world_position_z_m"),
            "active_aero_mode": rows.of("car_telemetry_2", "active_aero_mode"),
            "is_active_aero_available": rows.of("car_telemetry_2", "active_aero_available") > 0,
            "active_aero_activation_distance_m": rows.of("car_telemetry_2", "active_aero_activation_distance_m"),
            "is_overtake_available": rows.of("car_telemetry_2", "overtake_available") > 0,
            "is_overtake_active": rows.of("car_telemetry_2", "overtake_active") > 0,
            "overtake_activation_distance_m": rows.of("car_telemetry_2", "overtake_activation_distance_m"),
            "is_2026_regulations": rows.of("car_telemetry_2", "has_2026_regulations") > 0,
            "is_wrong_way": rows.of("car_telemetry_2", "driving_wrong_way") > 0,
            "position": rows.lap("car_position"),
            "pit_status": rows.lap("pit_status"),
            "rewound": rows.rewound,
            "overall_frame": rows.order,
            "is_complete": rows.is_complete,
        }
    )
