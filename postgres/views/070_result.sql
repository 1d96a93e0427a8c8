-- The final classification. Any rig's is as good as another's, but the car's own rig may have left before the end:
-- so the rig of mart.car only comes first here. In a race the gap is one of race time (penalties included, as the
-- stewards count) or of laps; in every other session one of best laps.
CREATE OR REPLACE VIEW mart.result AS
SELECT
    s.session_uid,
    s.session_label,
    r.car_index,
    r.position,
    r.driver_label,
    t.name AS team,
    r.race_number,
    r.grid_position,
    CASE WHEN s.is_race AND r.grid_position > 0 THEN r.grid_position - r.position END AS places_gained,
    r.laps,
    r.pit_stops,
    r.points,
    r.status,
    CASE
        WHEN NOT s.is_race THEN CASE
            WHEN r.best_lap_time_ms IS NULL THEN 'no time'
            WHEN r.position = 1 OR r.best_behind_ms IS NULL THEN mart.clock(r.best_lap_time_ms)
            ELSE to_char(r.best_behind_ms / 1000.0, 'FMSG999990.000')
        END
        WHEN NOT r.is_classified THEN r.status
        WHEN r.laps_behind > 0 THEN '+' || r.laps_behind || CASE r.laps_behind WHEN 1 THEN ' lap' ELSE ' laps' END
        WHEN r.race_time_ms IS NULL THEN 'no time'
        WHEN r.position = 1 OR r.race_behind_ms IS NULL THEN mart.clock(r.race_time_ms)
        ELSE to_char(r.race_behind_ms / 1000.0, 'FMSG999990.000')
    END AS time_or_gap,
    r.race_time_ms / 1000.0::float8 AS race_time_s,
    r.penalties_s,
    r.best_lap_time_ms / 1000.0::float8 AS best_lap_s,
    mart.clock(r.best_lap_time_ms) AS best_lap,
    coalesce(r.best_lap_time_ms = r.fastest_lap_ms, false) AS has_fastest_lap
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT
        own.*,
        first_value(own.laps) OVER by_place - own.laps AS laps_behind,
        own.race_time_ms - first_value(own.race_time_ms) OVER by_place AS race_behind_ms,
        own.best_lap_time_ms - first_value(own.best_lap_time_ms) OVER by_place AS best_behind_ms,
        min(own.best_lap_time_ms) OVER () AS fastest_lap_ms
    FROM (
        SELECT DISTINCT ON (c.car_index)
            c.*,
            car.driver_label,
            car.race_number,
            car.team_id,
            coalesce(rs.name, 'Unknown') AS status,
            coalesce(rs.is_classified, false) AS is_classified,
            round((c.total_time_s + c.penalties_s) * 1000)::bigint AS race_time_ms
        FROM core.result AS c
        JOIN mart.car USING (session_uid, car_index)
        LEFT JOIN ref.result_status AS rs USING (result_status_id)
        WHERE c.session_uid = s.session_uid
        ORDER BY c.car_index, c.rig = car.rig DESC, c.rig
    ) AS own
    WINDOW by_place AS (ORDER BY own.position)
) AS r
LEFT JOIN ref.team AS t ON t.game_year = s.game_year AND t.team_id = r.team_id;

COMMENT ON VIEW mart.result IS
    'The final classification with names: time of the winner, gaps of the others (penalties included), status, best laps, points.';
