-- The game reports a car at the speed trap when it was faster than before; the highest report of each car stands, of
-- those that no flashback took back and that a car can have driven.
CREATE OR REPLACE VIEW mart.speed_trap AS
SELECT
    t.session_uid,
    t.session_label,
    t.car_index,
    t.driver_label,
    t.speed_kmh,
    rank() OVER (PARTITION BY t.session_uid ORDER BY t.speed_kmh DESC) AS place,
    t.speed_kmh - max(t.speed_kmh) OVER (PARTITION BY t.session_uid) AS to_fastest_kmh,
    t.arrived_at
FROM (
    SELECT DISTINCT ON (e.session_uid, e.car_index)
        e.session_uid,
        e.session_label,
        e.car_index,
        coalesce(e.driver_label, 'Car ' || e.car_index) AS driver_label,
        (e.details ->> 'speed_kmh')::float8 AS speed_kmh,
        e.arrived_at
    FROM mart.event AS e
    WHERE
        e.code = 'SPTP' AND e.car_index IS NOT NULL AND NOT e.is_undone
        AND (e.details ->> 'speed_kmh')::float8 BETWEEN 0 AND 500
    ORDER BY e.session_uid, e.car_index, (e.details ->> 'speed_kmh')::float8 DESC, e.overall_frame
) AS t;

COMMENT ON VIEW mart.speed_trap IS 'A row for each car: its highest speed at the speed trap, and its place among all.';
