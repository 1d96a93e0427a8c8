"""What concerns a lap, or a part of one."""

from sqlalchemy import REAL, BigInteger, Boolean, Column, Computed, Index, Integer, SmallInteger, Table

from postgres.columns import FRAME, REWOUND, always, car_key, check, key, metadata, value
from postgres.partitions import BY_SESSION, in_parts

lap = Table(
    "lap",
    metadata,
    *car_key(),
    key("lap_number", SmallInteger, "from 1"),
    value("lap_time_ms", Integer, "of the whole lap; NULL = not complete", group="history"),
    value("sector1_ms", Integer, "of the first sector; NULL = not complete", group="history"),
    value("sector2_ms", Integer, "of the second; NULL = not complete", group="history"),
    value("sector3_ms", Integer, "of the third; NULL = not complete", group="history"),
    value("is_valid", Boolean, "the whole lap counts", group="history"),
    value("sector1_valid", Boolean, "sector 1 counts", group="history"),
    value("sector2_valid", Boolean, "sector 2 counts", group="history"),
    value("sector3_valid", Boolean, "sector 3 counts", group="history"),
    value("history_frame", BigInteger, "order of the SessionHistory packet these times are from", group="history"),
    value("position", SmallInteger, "at the last sample of the lap while racing", group="place"),
    value(
        "gap_to_leader_ms", Integer, "at that sample; 0 = leads, NULL = not sent or not to be trusted", group="place"
    ),
    value("gap_to_ahead_ms", Integer, "to the car one place ahead; NULL likewise, and for who leads", group="place"),
    value("previous_lap_time_ms", Integer, "of the lap before, as shown at that sample; NULL = none", group="place"),
    value("corner_cutting_warnings", SmallInteger, "in the session so far", group="place"),
    value("total_warnings", SmallInteger, "in the session so far", group="place"),
    value("penalties_s", SmallInteger, "added to the car's time so far", group="place"),
    value("unserved_drive_throughs", SmallInteger, "at that sample", group="place"),
    value("unserved_stop_gos", SmallInteger, "at that sample", group="place"),
    value("speed_trap_best_kmh", REAL, "fastest in the session so far; NULL = none yet, or 2023", group="place"),
    value("speed_trap_best_lap", SmallInteger, "the lap it was driven in", group="place"),
    value("overall_frame", BigInteger, "order of the LapData sample that gives the place and the rest", group="place"),
    value("start_position", SmallInteger, "place at the start of the lap; NULL before format 2025", group="line"),
    value("line_frame", BigInteger, "order of the first LapPositions packet that told it", group="line"),
    value("line_rewound", BigInteger, "frames that flashbacks had taken back until then: later ones win", group="line"),
    value("fuel_start_kg", REAL, "at the first sample of the lap; NULL = restricted", group="start"),
    value("start_frame", BigInteger, "order of the CarStatus sample that gives it", group="start"),
    value("actual_compound_id", SmallInteger, "ref.tyre_compound, at the last sample", group="status"),
    value("visual_compound_id", SmallInteger, "ref.visual_compound, at the last sample", group="status"),
    value("tyre_age_laps", SmallInteger, "at the last sample", group="status"),
    value("fuel_end_kg", REAL, "at the last sample; NULL = restricted", group="status"),
    value("ers_deployed_j", REAL, "in this lap until the last sample; NULL = restricted", group="status"),
    value("ers_harvested_j", REAL, "likewise, by MGU-K and MGU-H", group="status"),
    value("status_frame", BigInteger, "order of the CarStatus sample that gives these", group="status"),
    Column(
        "fuel_used_kg",
        REAL,
        Computed("fuel_start_kg - fuel_end_kg", persisted=True),
        comment="between its first and last sample; NULL = restricted",
    ),
    value("is_pit_lap", Boolean, "the car was in the pit lane during it", group="trace"),
    value("top_speed_kmh", SmallInteger, "of all samples on the lap", group="trace"),
    value("active_aero_m", Integer, "driven with open wings, in steps of 10 m; NULL before 2026", group="trace"),
    value("overtake_m", Integer, "driven with overtake in use, in steps of 10 m; NULL before 2026", group="trace"),
    value("coverage", REAL, "share of its 10 m bins that were seen; NULL until the track is known", group="trace"),
    check("lap", "lap_number >= 1"),
    check("position", "position >= 1"),
    check("start_position", "start_position >= 1"),
    check("coverage", "coverage BETWEEN 0 AND 1"),
    schema="core",
    comment=(
        "One row for each car and lap, the running one included. Times and validity from SessionHistory; position, "
        "gaps and penalties from LapData; the place at its start from LapPositions; tyres, fuel and ERS from CarStatus; "
        "the rest from the lap's trace."
    ),
    info={
        "packets": ("session_history", "lap_data", "lap_positions", "car_status", "car_telemetry", "car_telemetry_2")
    },
    postgresql_with={"fillfactor": "60"},  # the running lap changes with every batch: keep its versions on the page
)

Index(
    "lap_without_coverage",
    lap.c.session_uid,
    lap.c.rig,
    postgresql_where=lap.c.coverage.is_(None) & lap.c.is_pit_lap.is_not(None),
)  # of sessions that nobody has told of: every batch asks whether somebody has

lap_start = Table(
    "lap_start",
    metadata,
    *car_key(),
    key("lap_number", SmallInteger, "from 1"),
    key("rewound", Integer, "frames that flashbacks had taken back until the sample"),
    value("fuel_start_kg", REAL, "in the tank; NULL = restricted"),
    always("start_frame", BigInteger, "order of the first sample of the lap that is behind so many"),
    schema="core",
    comment=(
        "Where each lap may start: its first sample, and the first one behind each flashback within it. core.lap has "
        "the first that no later flashback undid: one that went back to before it."
    ),
    info={"packets": ("lap_data", "car_status")},
)
Index(
    "lap_start_rewound",
    lap_start.c.session_uid,
    lap_start.c.rig,
    lap_start.c.car_index,
    postgresql_where=lap_start.c.rewound > 0,
)  # few laps are behind a flashback, and every batch asks for them

lap_trace = Table(
    "lap_trace",
    metadata,
    *car_key(),
    key("lap_number", SmallInteger, "from 1"),
    key("distance_bin", SmallInteger, "lap distance in steps of 10 m: bin n is [10 n, 10 n + 10)"),
    always("lap_distance_m", REAL, "of the sample"),
    always("current_lap_time_ms", Integer, "since the start of the lap, at the sample"),
    value("speed_kmh", SmallInteger, "of the sample; NULL = no CarTelemetry of this frame"),
    value("top_speed_kmh", SmallInteger, "highest of all samples in the bin since the last flashback"),
    value("throttle", REAL, "0 … 1; NULL = no CarTelemetry of this frame, as with the five below"),
    value("brake", REAL, "0 … 1"),
    value("steer", REAL, "-1 left … 1 right"),
    value("gear", SmallInteger, "-1 reverse, 0 neutral"),
    value("engine_rpm", Integer, "revolutions a minute"),
    value("is_drs_open", Boolean, "the flap of the rear wing is open"),
    value("ers_store_j", REAL, "charge of the battery; NULL = no CarStatus of this frame, or restricted"),
    value("ers_deploy_mode", SmallInteger, "0 none, 1 medium, 2 hotlap, 3 overtake (2026: boost)"),
    value("ers_deployed_j", REAL, "in this lap so far"),
    value("ers_harvested_j", REAL, "in this lap so far, by MGU-K and MGU-H"),
    value("fuel_in_tank_kg", REAL, "at the sample; NULL = no CarStatus of this frame, or restricted"),
    value("world_x_m", REAL, "place on the map, x and z horizontal; NULL = no Motion of this frame"),
    value("world_y_m", REAL, "height; NULL as world_x_m"),
    value("world_z_m", REAL, "place on the map; NULL as world_x_m"),
    value(
        "active_aero_mode", SmallInteger, "0 closed (corners), 1 open (straights); NULL = no CarTelemetry2: before 2026"
    ),
    value("is_active_aero_available", Boolean, "the wings may be opened"),
    value("active_aero_activation_distance_m", Integer, "to where it becomes available; 0 = it does not"),
    value("is_overtake_available", Boolean, "overtake may be used"),
    value("is_overtake_active", Boolean, "overtake is in use"),
    value("overtake_activation_distance_m", Integer, "to where it becomes available; 0 = it does not"),
    value("is_2026_regulations", Boolean, "the car has active aero and overtake at all"),
    value("is_wrong_way", Boolean, "driving against the direction of the track"),
    always("position", SmallInteger, "place in the race at the sample"),
    always("pit_status", SmallInteger, "0 none, 1 pitting, 2 in the pit area"),
    value("rewound", Integer, REWOUND),
    always("overall_frame", BigInteger, FRAME),
    always("is_complete", Boolean, "all four packets of the frame were there"),
    check("bin", "distance_bin >= 0"),
    schema="core",
    info={"packets": ("lap_data", "car_telemetry", "car_status", "motion", "car_telemetry_2")},
    comment=(
        "One row for each car, lap and 10 m of track, while the car is on track and racing. LapData joined with "
        "CarTelemetry, CarStatus and Motion of the same frame, and with CarTelemetry2 where it has one; of a bin's "
        "samples since the last flashback the newest that has the first four wins."
    ),
    postgresql_partition_by=BY_SESSION,
)
in_parts(lap_trace, fillfactor=95)  # a bin is written once or twice, then never again

stint = Table(
    "stint",
    metadata,
    *car_key(),
    key("stint_number", SmallInteger, "from 1"),
    always("start_lap", SmallInteger, "first lap on these tyres"),
    value("end_lap", SmallInteger, "last lap on them; NULL = running, or driven to the flag"),
    value("actual_compound_id", SmallInteger, "ref.tyre_compound"),
    value("visual_compound_id", SmallInteger, "ref.visual_compound"),
    always("overall_frame", BigInteger, FRAME),
    schema="core",
    comment="One row for each car and set of tyres driven. From the newest SessionHistory packet of the car.",
    info={"packets": ("session_history",)},
    postgresql_with={"fillfactor": "60"},
)

history = Table(
    "history",
    metadata,
    *car_key(),
    key("num_laps", SmallInteger, "laps that the packet listed"),
    always("overall_frame", BigInteger, "order of the newest SessionHistory packet that listed so many"),
    schema="core",
    comment=(
        "What SessionHistory packets said of a car's laps. A sample of lap n that is older than a packet listing "
        "fewer than n laps was undone by a flashback; this is how a late one is told."
    ),
    info={"packets": ("session_history",)},
    postgresql_with={"fillfactor": "60"},
)
