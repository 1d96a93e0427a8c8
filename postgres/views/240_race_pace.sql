-- Which laps tell of a car's pace, and why the others do not. The first reason that fits counts: not complete, the pit
-- lane, a standing start, not valid, a safety car (full or virtual) in it, or slow: behind the median of its stint by
-- more than three robust standard deviations (1.4826 times the median deviation) and by more than 1 %.
CREATE OR REPLACE VIEW mart.race_pace AS
SELECT
    s.session_uid,
    s.session_label,
    l.car_index,
    l.driver_label,
    l.lap_number,
    l.stint_number,
    l.compound,
    l.tyre_age_laps,
    l.lap_time_s,
    l.median_s AS stint_median_s,
    l.lap_time_s - l.median_s AS to_median_s,
    l.why_not,
    coalesce(l.why_not, 'Counts') AS verdict,
    l.why_not IS NULL AS counts,
    l.is_neutral
FROM mart.session AS s
CROSS JOIN LATERAL (
    -- A safety car that a flashback took back slowed nobody down.
    WITH flashback AS MATERIALIZED (
        SELECT f.rig, f.overall_frame, (f.details ->> 'flashback_session_time_s')::real AS back_to_s
        FROM core.event AS f
        WHERE f.session_uid = s.session_uid AND f.code = 'FLBK'
    ),

    -- Worked out once: without MATERIALIZED the thousands of samples of a race would be sorted again for every lap.
    neutral AS MATERIALIZED (
        SELECT rig, first_frame, end_frame
        FROM (
            SELECT
                n.rig,
                n.safety_car_status,
                n.overall_frame AS first_frame,
                lead(n.overall_frame, 1, 2^32::bigint) OVER (PARTITION BY n.rig ORDER BY n.overall_frame) AS end_frame
            FROM core.session_sample AS n
            WHERE
                n.session_uid = s.session_uid
                AND NOT EXISTS (
                    SELECT
                    FROM flashback AS f
                    WHERE f.rig = n.rig AND f.overall_frame > n.overall_frame AND f.back_to_s < n.session_time_s
                )
        ) AS sample
        WHERE safety_car_status IN (1, 2)
    ),

    framed AS (
        SELECT
            lap.rig,
            lap.car_index,
            lap.driver_label,
            lap.lap_number,
            lap.lap_kind,
            lap.is_valid,
            lap.compound,
            lap.tyre_age_laps,
            lap.lap_time_s,
            coalesce(st.stint_number, 0) AS stint_number,
            coalesce(lag(c.overall_frame) OVER (PARTITION BY lap.car_index ORDER BY lap.lap_number), 0) AS first_frame,
            c.overall_frame AS last_frame
        FROM mart.lap
        JOIN core.lap AS c USING (session_uid, rig, car_index, lap_number)
        LEFT JOIN core.stint AS st
            ON
                st.session_uid = lap.session_uid AND st.rig = lap.rig AND st.car_index = lap.car_index
                AND lap.lap_number BETWEEN st.start_lap AND coalesce(st.end_lap, lap.lap_number)
        WHERE lap.session_uid = s.session_uid
    ),

    judged AS (
        SELECT
            framed.*,
            under.is_neutral,
            CASE
                WHEN framed.lap_kind <> 'Flying' THEN framed.lap_kind
                WHEN NOT coalesce(framed.is_valid, true) THEN 'Invalid'
                WHEN under.is_neutral THEN 'Safety car'
            END AS why_not
        FROM framed
        CROSS JOIN LATERAL (
            SELECT EXISTS (
                SELECT FROM neutral AS n
                WHERE n.rig = framed.rig AND n.first_frame < framed.last_frame AND n.end_frame > framed.first_frame
            )
        ) AS under (is_neutral)
    ),

    middle AS (
        SELECT car_index, stint_number, percentile_cont(0.5) WITHIN GROUP (ORDER BY lap_time_s) AS median_s
        FROM judged
        WHERE why_not IS NULL
        GROUP BY car_index, stint_number
    ),

    spread AS (
        SELECT
            car_index,
            stint_number,
            median_s,
            greatest(
                3 * 1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(lap_time_s - median_s)), 0.01 * median_s
            ) AS slow_s
        FROM judged
        JOIN middle USING (car_index, stint_number)
        WHERE why_not IS NULL
        GROUP BY car_index, stint_number, median_s
    )

    SELECT
        judged.car_index,
        judged.driver_label,
        judged.lap_number,
        nullif(judged.stint_number, 0) AS stint_number,
        judged.compound,
        judged.tyre_age_laps,
        judged.lap_time_s,
        spread.median_s,
        judged.is_neutral,
        CASE
            WHEN judged.why_not IS NOT NULL THEN judged.why_not
            WHEN judged.lap_time_s - spread.median_s > spread.slow_s THEN 'Slow'
        END AS why_not
    FROM judged
    LEFT JOIN spread USING (car_index, stint_number)
) AS l;

COMMENT ON VIEW mart.race_pace IS
    'A row for each lap with whether it tells of pace, or why not: pit, start, not valid, safety car, or an outlier of its stint.';
