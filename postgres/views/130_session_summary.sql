-- The head of the dashboard: what happened, in one row.
CREATE OR REPLACE VIEW mart.session_summary AS
SELECT
    s.session_uid,
    s.session_hex,
    s.session_label,
    s.session_type,
    s.track,
    s.country,
    s.started_at,
    to_char(s.started_at, 'YYYY-MM-DD HH24:MI') AS started,
    s.packet_format,
    s.rigs,
    field.drivers,
    field.laps,
    winner.driver_label AS winner,
    winner.team AS winner_team,
    winner.time_or_gap AS winner_time,
    fastest.driver_label AS fastest_lap_driver,
    fastest.lap_time AS fastest_lap,
    fastest.lap_number AS fastest_lap_number,
    s.safety_car_periods,
    s.vsc_periods,
    s.red_flag_periods
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT  -- a driver counts from the start on, a lap when it is complete
        count(DISTINCT l.car_index) AS drivers,
        max(l.lap_number) FILTER (WHERE l.lap_time_ms IS NOT NULL) AS laps
    FROM core.lap AS l
    WHERE l.session_uid = s.session_uid
) AS field
LEFT JOIN LATERAL (
    SELECT r.driver_label, r.team, r.time_or_gap
    FROM mart.result AS r
    WHERE r.session_label = s.session_label AND r.position = 1
    ORDER BY r.car_index
    LIMIT 1
) AS winner ON true
LEFT JOIN LATERAL (
    SELECT l.driver_label, l.lap_time, l.lap_number
    FROM mart.lap AS l
    WHERE l.session_label = s.session_label AND l.lap_time_ms IS NOT NULL
    ORDER BY l.is_valid DESC NULLS LAST, l.lap_time_ms, l.lap_number, l.car_index
    LIMIT 1
) AS fastest ON true;

COMMENT ON VIEW mart.session_summary IS
    'The head of the dashboard: session, track, winner and fastest lap in one row.';
