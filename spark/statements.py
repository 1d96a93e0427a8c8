# ruff: noqa: S608 (every part of these statements is written here)
"""The SQL of a micro-batch beside the upserts (spark.upserts): what is derived inside the database, and its bookkeeping.

All of it is idempotent and independent of the order in which batches come: what a flashback undid is told from what is
kept of SessionHistory and of the starts of laps, whichever came first. Tables are named without their schema, as there.
"""

from sqlalchemy import Boolean

from spark.facts import FACTS, Fact

CREATE_TOUCHED = """
CREATE TEMPORARY TABLE IF NOT EXISTS touched_lap (
    session_uid bigint, rig text, car_index smallint, lap_number smallint
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS touched_car (
    session_uid bigint, rig text, car_index smallint
) ON COMMIT DELETE ROWS
"""

_CARS_OF_THE_BATCH = "(x.session_uid, x.rig, x.car_index) IN (SELECT session_uid, rig, car_index FROM touched_car)"

# Before the upserts, because it asks what was known until now. The laps whose trace may change by more than the rows
# that come in: all laps of a car that turns out to be restricted, laps that SessionHistory no longer lists, and those
# that a flashback went back behind.
TOUCH = """
INSERT INTO touched_lap
SELECT session_uid, rig, car_index, lap_number FROM new_lap_trace
UNION
SELECT l.session_uid, l.rig, l.car_index, l.lap_number
FROM new_participant AS n
LEFT JOIN participant AS p USING (session_uid, rig, car_index)
JOIN lap AS l USING (session_uid, rig, car_index)
WHERE n.was_restricted AND NOT coalesce(p.was_restricted, false)
UNION
SELECT l.session_uid, l.rig, l.car_index, l.lap_number
FROM (
    SELECT session_uid, rig, car_index, min(num_laps) AS num_laps FROM new_history
    GROUP BY session_uid, rig, car_index
) AS h
JOIN lap AS l USING (session_uid, rig, car_index)
WHERE l.lap_number > h.num_laps
UNION
SELECT session_uid, rig, car_index, lap_number FROM new_lap_start
UNION
SELECT s.session_uid, s.rig, s.car_index, s.lap_number
FROM new_lap_start AS n
JOIN lap_start AS s USING (session_uid, rig, car_index)
WHERE s.rewound < n.rewound AND s.lap_number >= n.lap_number
"""
TOUCH_CARS = """
INSERT INTO touched_car
SELECT session_uid, rig, car_index FROM new_history
UNION SELECT session_uid, rig, car_index FROM new_participant WHERE was_restricted
UNION SELECT session_uid, rig, car_index FROM new_lap_place
UNION SELECT session_uid, rig, car_index FROM new_lap_line
"""
_LAP = "session_uid, rig, car_index, lap_number"
COUNT_TOUCHED = f"ANALYZE touched_lap, touched_car, new_lap_trace ({_LAP}), new_player_trace ({_LAP})"
"""Without it Postgres takes them for a thousand rows, and reads the whole history rather than a few cars' laps by key; or
compares every row of a large batch with every lap in it."""

_TOUCHED = "(x.session_uid, x.rig, x.car_index, x.lap_number) = (k.session_uid, k.rig, k.car_index, k.lap_number)"

# A car whose driver hides the telemetry sends zeros. They stay only if the setting was public at that sample.
_OF_RESTRICTED_CARS = """
    p.was_restricted AND (x.session_uid, x.rig, x.car_index) = (p.session_uid, p.rig, p.car_index)
"""
_DAMAGE = [column for column in FACTS["lap_damage"].columns if column.nullable]
HIDE_RESTRICTED = (
    f"""
    UPDATE lap_trace AS x
    SET fuel_in_tank_kg = NULL, ers_store_j = NULL, ers_deploy_mode = NULL, ers_deployed_j = NULL, ers_harvested_j = NULL
    FROM touched_lap AS k, participant AS p
    WHERE {_OF_RESTRICTED_CARS} AND {_TOUCHED}
      AND x.fuel_in_tank_kg = 0 AND x.ers_store_j = 0 AND x.ers_deployed_j = 0 AND x.ers_harvested_j = 0
    """,
    f"""
    UPDATE lap AS x SET fuel_end_kg = NULL, ers_deployed_j = NULL, ers_harvested_j = NULL FROM participant AS p
    WHERE {_OF_RESTRICTED_CARS} AND {_CARS_OF_THE_BATCH}
      AND x.fuel_end_kg = 0 AND x.ers_deployed_j = 0 AND x.ers_harvested_j = 0
    """,
    f"""
    UPDATE lap_damage AS x SET {", ".join(f"{c.name} = NULL" for c in _DAMAGE)} FROM participant AS p
    WHERE {_OF_RESTRICTED_CARS} AND {_CARS_OF_THE_BATCH}
      AND greatest({", ".join(f"{c.name}::int" if isinstance(c.type, Boolean) else c.name for c in _DAMAGE)}) = 0
    """,
)

# SessionHistory is behind: 16 frames after a car crossed the line a packet still left out the new lap.
HISTORY_LAG_FRAMES = 60

# A sample of lap n is undone if a later SessionHistory packet listed fewer than n laps.
_UNDONE_BEFORE = f"""(
    SELECT max(h.overall_frame) - {HISTORY_LAG_FRAMES} FROM history AS h
    WHERE (h.session_uid, h.rig, h.car_index) = (x.session_uid, x.rig, x.car_index) AND h.num_laps < x.lap_number
)"""
# Times stand only if they are from the car's newest SessionHistory packet: it stands as a whole.
_NEWEST_HISTORY = """(
    SELECT max(h.overall_frame) FROM history AS h
    WHERE (h.session_uid, h.rig, h.car_index) = (x.session_uid, x.rig, x.car_index)
)"""


def _forget(fact: Fact, condition: str) -> str:
    nothing = ", ".join(f"{name} = NULL" for name in fact.values)
    frame = fact.order[-1].removeprefix("-")
    return f"UPDATE lap AS x SET {nothing} WHERE {_CARS_OF_THE_BATCH} AND x.{frame} < {condition}"


def _delete_from_trace(name: str) -> tuple[str, str]:
    """Of all rows of a lap only if a packet of this batch does not list it, else of those that come in.

    Before which frame a lap's rows are undone is asked once a lap: asked at each row it took half a minute for the
    130,000 rows of a batch of fourteen laps.
    """
    return (
        f"""
        DELETE FROM {name} AS x
        USING (
            SELECT x.*, {_UNDONE_BEFORE} AS undone_before
            FROM (
                SELECT DISTINCT k.* FROM touched_lap AS k JOIN new_history AS h USING (session_uid, rig, car_index)
                WHERE h.num_laps < k.lap_number
            ) AS x OFFSET 0
        ) AS k
        WHERE {_TOUCHED} AND x.overall_frame < k.undone_before
        """,
        f"""
        DELETE FROM {name} AS x
        USING (
            SELECT {_LAP}, n.distance_bin, lap.undone_before
            FROM new_{name} AS n
            JOIN (
                SELECT x.*, {_UNDONE_BEFORE} AS undone_before FROM (SELECT DISTINCT {_LAP} FROM new_{name}) AS x OFFSET 0
            ) AS lap USING ({_LAP})
            WHERE n.overall_frame < lap.undone_before
        ) AS k
        WHERE {_TOUCHED} AND x.distance_bin = k.distance_bin AND x.overall_frame < k.undone_before
        """,
    )


def _delete_taken_back(name: str, frame: str) -> str:
    """A sample is undone by one that is behind more flashbacks and not behind it by the game's own frame number.

    That is told from core.lap_start alone, which loses nothing by it: what undid a sample that is undone itself is undone
    by the same.
    """
    return f"""
    DELETE FROM {name} AS x USING touched_lap AS k, lap_start AS y
    WHERE {_TOUCHED}
      AND (y.session_uid, y.rig, y.car_index) = (k.session_uid, k.rig, k.car_index) AND y.rewound > 0
      AND y.rewound > x.rewound AND y.start_frame - y.rewound <= x.{frame} - x.rewound
    """


# The fuel that a lap started with is that of its first sample which still stands.
START = (
    f"DELETE FROM lap_start AS x USING touched_lap AS k WHERE {_TOUCHED} AND x.start_frame < {_UNDONE_BEFORE}",
    _delete_taken_back("lap_start", "start_frame"),
    f"""
    UPDATE lap_start AS x SET fuel_start_kg = NULL FROM touched_lap AS k, participant AS p
    WHERE {_TOUCHED} AND {_OF_RESTRICTED_CARS} AND x.fuel_start_kg = 0
    """,
    f"""
    UPDATE lap AS x SET fuel_start_kg = k.fuel_start_kg, start_frame = k.start_frame
    FROM (
        SELECT DISTINCT ON (session_uid, rig, car_index, lap_number) *
        FROM touched_lap LEFT JOIN lap_start USING (session_uid, rig, car_index, lap_number)
        ORDER BY session_uid, rig, car_index, lap_number, rewound
    ) AS k
    WHERE {_TOUCHED}
      AND ROW(x.fuel_start_kg, x.start_frame) IS DISTINCT FROM ROW(k.fuel_start_kg, k.start_frame)
    """,
)

UNDO = (
    *START,
    # What was driven in a time that was taken back, and not again since.
    *(_delete_taken_back(name, "overall_frame") for name in ("lap_trace", "player_trace")),
    *_delete_from_trace("lap_trace"),
    *_delete_from_trace("player_trace"),
    *(
        f"DELETE FROM {name} AS x WHERE {_CARS_OF_THE_BATCH} AND x.overall_frame < {_UNDONE_BEFORE}"
        for name in ("lap_damage", "pit_sample")
    ),
    # A visit to the pits that was undone within its lap leaves no trace in SessionHistory, and no later sample need
    # take its place: the clock that the FLBK event sets back tells which samples are gone. The second that it goes
    # back into is driven again, and its sample replaced.
    """
    DELETE FROM pit_sample AS x USING event AS e
    WHERE (x.session_uid, x.rig) IN (
            SELECT session_uid, rig FROM new_pit_sample UNION SELECT session_uid, rig FROM new_event WHERE code = 'FLBK'
        )
      AND (e.session_uid, e.rig, e.code) = (x.session_uid, x.rig, 'FLBK')
      AND x.overall_frame <= e.overall_frame
      AND x.session_second > floor((e.details ->> 'flashback_session_time_s')::float8)
    """,
    _forget(FACTS["lap_times"], _NEWEST_HISTORY),
    *(_forget(FACTS[name], _UNDONE_BEFORE) for name in ("lap_place", "lap_line", "lap_status")),
    f"""
    DELETE FROM lap AS x
    WHERE {_CARS_OF_THE_BATCH} AND num_nonnulls(history_frame, overall_frame, line_frame, start_frame, status_frame) = 0
    """,
    f"DELETE FROM stint AS x WHERE {_CARS_OF_THE_BATCH} AND x.overall_frame < {_NEWEST_HISTORY}",
)

# The session row comes from the gateway and may come later: then a lap gets its coverage with the next batch, whosever.
TOUCH_WITHOUT_COVERAGE = """
INSERT INTO touched_lap
SELECT l.session_uid, l.rig, l.car_index, l.lap_number
FROM lap AS l
JOIN session AS s USING (session_uid, rig)
WHERE l.coverage IS NULL AND l.is_pit_lap IS NOT NULL AND s.track_length_m > 0
"""

SUM_UP_TRACE = """
UPDATE lap AS l
SET
    is_pit_lap = a.is_pit_lap, top_speed_kmh = a.top_speed_kmh,
    active_aero_m = a.active_aero_m, overtake_m = a.overtake_m, coverage = a.coverage
FROM (
    SELECT
        k.session_uid, k.rig, k.car_index, k.lap_number,
        bool_or(t.pit_status > 0) AS is_pit_lap,
        max(t.top_speed_kmh) AS top_speed_kmh,
        CASE WHEN count(t.active_aero_mode) > 0 THEN 10 * count(*) FILTER (WHERE t.active_aero_mode > 0) END
            AS active_aero_m,
        CASE WHEN count(t.is_overtake_active) > 0 THEN 10 * count(*) FILTER (WHERE t.is_overtake_active) END
            AS overtake_m,
        CASE
            WHEN count(t.distance_bin) > 0 AND max(s.track_length_m) > 0
            THEN least(1, count(t.distance_bin) / ceil(max(s.track_length_m) / 10.0))::real
        END AS coverage
    FROM (SELECT DISTINCT session_uid, rig, car_index, lap_number FROM touched_lap) AS k
    LEFT JOIN lap_trace AS t USING (session_uid, rig, car_index, lap_number)
    LEFT JOIN session AS s USING (session_uid, rig)
    GROUP BY k.session_uid, k.rig, k.car_index, k.lap_number
) AS a
WHERE (l.session_uid, l.rig, l.car_index, l.lap_number) = (a.session_uid, a.rig, a.car_index, a.lap_number)
  AND ROW(l.is_pit_lap, l.top_speed_kmh, l.active_aero_m, l.overtake_m, l.coverage)
      IS DISTINCT FROM ROW(a.is_pit_lap, a.top_speed_kmh, a.active_aero_m, a.overtake_m, a.coverage)
"""

CLAIM = """
INSERT INTO ledger (query_id, batch_id) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""
CLOSE = """
UPDATE ledger
SET blocks = %s, datagrams = %s, rejected_blocks = %s, offsets = %s, rows = %s
WHERE query_id = %s AND batch_id = %s
"""
WAITING = """
SELECT
    packet_format, packet_id, shard, string_agg(entry, ''::bytea ORDER BY session_uid, rig, overall_frame), topic,
    record_offset, array_agg(coalesce(datagram_index, 0) ORDER BY session_uid, rig, overall_frame)
FROM pending_datagram WHERE query_id = %s GROUP BY packet_format, packet_id, shard, topic, record_offset
"""
FORGET_WAITING = "DELETE FROM pending_datagram WHERE query_id = %s"
