-- Lap 0 is the grid: the final classification tells it, and LapPositions while the race still runs. Before format 2025
-- a race still running starts at lap 1.
CREATE OR REPLACE VIEW mart.position_by_lap AS
SELECT
    d.session_uid,
    d.session_label,
    d.car_index,
    d.driver_label,
    d.team,
    places.lap_number,
    places.position
FROM mart.driver AS d
CROSS JOIN LATERAL (
    SELECT l.lap_number::integer, l.position::integer
    FROM core.lap AS l
    WHERE
        l.session_uid = d.session_uid AND l.rig = d.rig AND l.car_index = d.car_index
        AND l.position IS NOT NULL
    UNION ALL
    SELECT 0, grid.position
    FROM (
        SELECT coalesce(
            (
                SELECT max(r.grid_position)::integer
                FROM core.result AS r
                WHERE r.session_uid = d.session_uid AND r.car_index = d.car_index
            ),
            (
                SELECT l.start_position::integer
                FROM core.lap AS l
                WHERE
                    l.session_uid = d.session_uid AND l.rig = d.rig AND l.car_index = d.car_index
                    AND l.lap_number = 1
            )
        )
    ) AS grid (position)
    WHERE d.is_race AND grid.position > 0
) AS places (lap_number, position);

COMMENT ON VIEW mart.position_by_lap IS
    'The place of each car at the end of each lap, so far in the running one; lap 0 is its place on the grid.';
