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
    tr.distance_m,
    tr.time_s,
    tr.time_s - tr.fastest_time_s AS gap_s,
    tr.speed_kmh,
    tr.throttle_pct,
    tr.brake_pct,
    tr.gear,
    tr.is_drs_open,
    tr.ers_store_mj
FROM mart.lap_choice AS c
LEFT JOIN LATERAL (
    SELECT l.lap_label
    FROM mart.lap AS l
    WHERE l.session_label = c.session_label AND l.overlay_place = 1
    OFFSET 0
) AS fastest ON true
CROSS JOIN LATERAL (
    SELECT own.*, f.time_s AS fastest_time_s
    FROM mart.lap_trace AS own
    LEFT JOIN mart.lap_trace AS f
        ON f.session_label = c.session_label AND f.lap_label = fastest.lap_label AND f.distance_m = own.distance_m
    WHERE own.session_label = c.session_label AND own.lap_label = c.lap_label
    OFFSET 0
) AS tr;

COMMENT ON VIEW mart.lap_overlay IS
    'Traces by chosen lap (see mart.lap_choice) with the gap to the fastest lap at the same place: what the overlay charts draw.';
