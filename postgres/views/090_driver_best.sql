-- Bests come from valid laps and, for a sector, valid sectors; the ideal lap is the sum of the three best sectors.
CREATE OR REPLACE VIEW mart.driver_best AS
SELECT
    s.session_uid,
    s.session_label,
    b.car_index,
    b.driver_label,
    t.name AS team,
    b.laps,
    b.lap_ms / 1000.0::float8 AS best_lap_s,
    mart.clock(b.lap_ms) AS best_lap,
    b.lap_numbers[1] AS best_lap_number,
    coalesce(vc.name, 'Unknown') AS best_lap_compound,
    (b.lap_ms - b.fastest_ms) / 1000.0::float8 AS delta_to_best_s,
    b.sector1_ms / 1000.0::float8 AS best_sector1_s,
    b.sector2_ms / 1000.0::float8 AS best_sector2_s,
    b.sector3_ms / 1000.0::float8 AS best_sector3_s,
    (b.sector1_ms + b.sector2_ms + b.sector3_ms) / 1000.0::float8 AS ideal_lap_s,
    mart.clock((b.sector1_ms + b.sector2_ms + b.sector3_ms)::bigint) AS ideal_lap,
    b.top_speed_kmh
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT
        car.car_index,
        car.driver_label,
        car.team_id,
        count(l.lap_time_ms) AS laps,
        min(l.lap_time_ms) FILTER (WHERE l.is_valid) AS lap_ms,
        min(min(l.lap_time_ms) FILTER (WHERE l.is_valid)) OVER () AS fastest_ms,  -- of the session's drivers
        array_agg(l.lap_number ORDER BY l.lap_time_ms, l.lap_number)
            FILTER (WHERE l.is_valid AND l.lap_time_ms IS NOT NULL) AS lap_numbers,
        array_agg(l.visual_compound_id ORDER BY l.lap_time_ms, l.lap_number)
            FILTER (WHERE l.is_valid AND l.lap_time_ms IS NOT NULL) AS compounds,
        min(l.sector1_ms) FILTER (WHERE l.sector1_valid) AS sector1_ms,
        min(l.sector2_ms) FILTER (WHERE l.sector2_valid) AS sector2_ms,
        min(l.sector3_ms) FILTER (WHERE l.sector3_valid) AS sector3_ms,
        max(l.top_speed_kmh) AS top_speed_kmh
    FROM mart.car
    JOIN core.lap AS l USING (session_uid, rig, car_index)
    WHERE car.session_uid = s.session_uid
    GROUP BY car.car_index, car.driver_label, car.team_id
    HAVING count(l.lap_time_ms) > 0
) AS b
LEFT JOIN ref.team AS t ON t.game_year = s.game_year AND t.team_id = b.team_id
LEFT JOIN ref.visual_compound AS vc ON vc.visual_compound_id = b.compounds[1];

COMMENT ON VIEW mart.driver_best IS
    'For each driver of a session the best lap, the best of each sector, the ideal lap they add up to, and the top speed.';
