-- Chosen laps over distance, ready to lay over each other. The gap is to the lap of overlay_place 1 (the fastest) at
-- the same place on the track: above zero is behind it.
CREATE OR REPLACE VIEW mart.lap_overlay AS
SELECT
    c.lap_choice,
    c.session_uid,
    c.session_label,
    c.driver_label,
    c.lap_number,
    c.lap_label,
    over_distance.*
FROM mart.lap_choice AS c
LEFT JOIN LATERAL (
    SELECT l.rig, l.car_index, l.lap_number
    FROM mart.lap AS l
    WHERE l.session_label = c.session_label AND l.overlay_place = 1
    OFFSET 0
) AS fastest ON true
CROSS JOIN LATERAL (
    SELECT
        tr.distance_bin * 10 AS distance_m,
        at_bin.time_s,
        at_bin.time_s - mart.time_at_bin(f.current_lap_time_ms, f.lap_distance_m, f.distance_bin, f.speed_kmh) AS gap_s,
        tr.speed_kmh,
        tr.throttle * 100::float8 AS throttle_pct,
        tr.brake * 100::float8 AS brake_pct,
        tr.gear,
        tr.is_drs_open,
        tr.ers_store_j / 1e6::float8 AS ers_store_mj
    FROM core.lap_trace AS tr
    CROSS JOIN LATERAL (
        SELECT mart.time_at_bin(tr.current_lap_time_ms, tr.lap_distance_m, tr.distance_bin, tr.speed_kmh) AS time_s
    ) AS at_bin
    LEFT JOIN core.lap_trace AS f
        ON f.session_uid = c.session_uid
        AND f.rig = fastest.rig
        AND f.car_index = fastest.car_index
        AND f.lap_number = fastest.lap_number
        AND f.distance_bin = tr.distance_bin
    WHERE
        tr.session_uid = c.session_uid
        AND tr.rig = c.rig
        AND tr.car_index = c.car_index
        AND tr.lap_number = c.lap_number
    OFFSET 0
) AS over_distance;

COMMENT ON VIEW mart.lap_overlay IS
    'Traces by chosen lap (see mart.lap_choice) with the gap to the fastest lap at the same place: what the overlay charts draw.';
