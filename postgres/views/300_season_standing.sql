-- A championship: the classified sessions that the game links to one season, and what each driver had after each. A
-- driver is the game's driver, or for a person the name with the race number, which a league keeps: names repeat.
-- Who missed a session has it with no points, so that lines over rounds have no holes.
CREATE OR REPLACE VIEW mart.season_standing AS
SELECT
    lpad(to_hex(scored.season_link), 8, '0') AS season,
    scored.round,
    scored.session_uid,
    scored.session_label,
    scored.started_at,
    scored.driver,
    scored.took_part,
    scored.points,
    scored.total_points,
    rank() OVER (PARTITION BY scored.season_link, scored.round ORDER BY scored.total_points DESC) AS place
FROM (
    WITH entry AS (
        SELECT
            seen.season_link,
            s.session_uid,
            s.session_label,
            s.started_at,
            r.driver,
            r.points
        FROM mart.session AS s
        JOIN core.session AS seen USING (session_uid, rig)
        CROSS JOIN LATERAL (
            SELECT DISTINCT ON (c.car_index)
                coalesce(
                    CASE WHEN d.is_ai THEN known.name END, d.driver_name || coalesce(' #' || d.race_number, ''), 'Car ' || c.car_index
                ) AS driver,
                c.points
            FROM core.result AS c
            LEFT JOIN mart.car AS d ON d.session_uid = s.session_uid AND d.car_index = c.car_index
            LEFT JOIN core.participant AS p
                ON p.session_uid = s.session_uid AND p.rig = d.rig AND p.car_index = c.car_index
            LEFT JOIN ref.driver AS known USING (driver_id)
            WHERE c.session_uid = s.session_uid
            ORDER BY c.car_index, c.rig = s.rig DESC, c.rig
        ) AS r
        WHERE seen.season_link <> 0
    ),

    round AS (
        SELECT DISTINCT
            season_link,
            session_uid,
            session_label,
            started_at,
            dense_rank() OVER (PARTITION BY season_link ORDER BY started_at, session_uid) AS round
        FROM entry
    )

    SELECT
        round.*,
        driver.driver,
        coalesce(taken.points, 0) AS points,
        taken.driver IS NOT NULL AS took_part,
        sum(coalesce(taken.points, 0)) OVER (PARTITION BY season_link, driver.driver ORDER BY round.round) AS total_points
    FROM round
    JOIN (SELECT DISTINCT season_link, driver FROM entry) AS driver USING (season_link)
    LEFT JOIN (
        SELECT session_uid, driver, sum(points) AS points FROM entry GROUP BY session_uid, driver
    ) AS taken ON taken.session_uid = round.session_uid AND taken.driver = driver.driver
) AS scored;

COMMENT ON VIEW mart.season_standing IS
    'A row for each driver and classified session of a season: points of the session, points so far, and place in the standings.';
