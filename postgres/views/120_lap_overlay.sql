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
    tr.distance_bin * 10 AS distance_m,
    tr.time_s,
    tr.time_s - tr.fastest_time_s AS gap_s,
    tr.speed_kmh,
    tr.throttle * 100::float8 AS throttle_pct,
    tr.brake * 100::float8 AS brake_pct,
    tr.gear,
    tr.is_drs_open,
    tr.ers_store_j / 1e6::float8 AS ers_store_mj
FROM mart.lap_choice AS c
LEFT JOIN LATERAL (
    SELECT l.rig, l.car_index, l.lap_number
    FROM mart.lap AS l
    WHERE l.session_uid = c.session_uid AND l.overlay_place = 1
    OFFSET 0
) AS fastest ON true
CROSS JOIN LATERAL (
    SELECT own.*, f.time_s AS fastest_time_s
    FROM mart.trace_of(c.session_uid, c.rig, c.car_index, c.lap_number) AS own
    LEFT JOIN mart.trace_of(c.session_uid, fastest.rig, fastest.car_index, fastest.lap_number) AS f USING (distance_bin)
    OFFSET 0
) AS tr;

COMMENT ON VIEW mart.lap_overlay IS
    'Traces by chosen lap (see mart.lap_choice) with the gap to the fastest lap at the same place: what the overlay charts draw.';
