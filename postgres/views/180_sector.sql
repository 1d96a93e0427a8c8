-- A sector is a best only if it is valid; two that are equal are both.
CREATE OR REPLACE VIEW mart.sector AS
SELECT
    s.session_uid,
    s.session_label,
    x.car_index,
    x.driver_label,
    x.lap_number,
    x.sector,
    x.sector_ms / 1000.0::float8 AS sector_s,
    (x.sector_ms - x.session_best_ms) / 1000.0::float8 AS delta_to_best_s,
    x.is_valid,
    coalesce(x.is_valid AND x.sector_ms = x.driver_best_ms, false) AS is_driver_best,
    coalesce(x.is_valid AND x.sector_ms = x.session_best_ms, false) AS is_session_best
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT
        l.car_index,
        car.driver_label,
        l.lap_number,
        part.sector,
        part.sector_ms,
        part.is_valid,
        min(part.sector_ms) FILTER (WHERE part.is_valid) OVER (PARTITION BY l.car_index, part.sector) AS driver_best_ms,
        min(part.sector_ms) FILTER (WHERE part.is_valid) OVER (PARTITION BY part.sector) AS session_best_ms
    FROM mart.car
    JOIN core.lap AS l USING (session_uid, rig, car_index)
    CROSS JOIN LATERAL (
        VALUES
            (1, l.sector1_ms, l.sector1_valid),
            (2, l.sector2_ms, l.sector2_valid),
            (3, l.sector3_ms, l.sector3_valid)
    ) AS part (sector, sector_ms, is_valid)
    WHERE car.session_uid = s.session_uid AND part.sector_ms IS NOT NULL
) AS x;

COMMENT ON VIEW mart.sector IS
    'A row for each sector of each lap: time, validity, the gap to the best of the session, and whether it is the driver''s or the session''s best.';
