-- The game reports a car at the speed trap when it was faster than before; the highest report of each car stands.
CREATE OR REPLACE VIEW mart.speed_trap AS
SELECT
    s.session_uid,
    s.session_label,
    t.car_index,
    t.driver_label,
    t.speed_kmh,
    rank() OVER (PARTITION BY s.session_uid ORDER BY t.speed_kmh DESC) AS place,
    t.speed_kmh - max(t.speed_kmh) OVER (PARTITION BY s.session_uid) AS to_fastest_kmh,
    t.arrived_at
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (event.car_index)
        event.car_index,
        coalesce(car.driver_label, 'Car ' || event.car_index) AS driver_label,
        (event.details ->> 'speed_kmh')::float8 AS speed_kmh,
        event.arrived_at
    FROM core.event
    LEFT JOIN mart.car ON car.session_uid = s.session_uid AND car.car_index = event.car_index
    WHERE event.session_uid = s.session_uid AND event.rig = s.rig AND event.code = 'SPTP' AND event.car_index IS NOT NULL
    ORDER BY event.car_index, (event.details ->> 'speed_kmh')::float8 DESC NULLS LAST, event.overall_frame
) AS t;

COMMENT ON VIEW mart.speed_trap IS 'A row for each car: its highest speed at the speed trap, and its place among all.';
