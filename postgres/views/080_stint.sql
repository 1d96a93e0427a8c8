-- stint_label ("2 Medium") names a stint and its tyre at once: drawn as a stack, the stints of a car keep their
-- order and each its tyre's colour. driver_place (" 3  HAMILTON") sorts as text by finishing order; without a
-- classification, by the place in the car's last lap. Pace is that of valid flying laps (see mart.lap).
CREATE OR REPLACE VIEW mart.stint AS
SELECT
    d.session_uid,
    d.session_label,
    d.car_index,
    d.driver_label,
    coalesce(lpad(finish.position::text, 2, ' ') || '  ', '') || d.driver_label AS driver_place,
    finish.position AS finish_position,
    st.stint_number,
    st.start_lap,
    span.end_lap,
    span.end_lap - st.start_lap + 1 AS laps,
    st.stint_number || ' ' || coalesce(vc.name, 'Unknown') AS stint_label,
    coalesce(vc.name, 'Unknown') AS compound,
    tc.name AS compound_made,
    pace.average_ms / 1000.0::float8 AS average_pace_s,
    mart.clock(pace.average_ms) AS average_pace,
    pace.laps AS pace_laps
FROM mart.driver AS d
CROSS JOIN LATERAL (
    SELECT coalesce(
        (
            SELECT min(r.position)
            FROM core.result AS r
            WHERE r.session_uid = d.session_uid AND r.car_index = d.car_index
        ),
        (
            SELECT l.position
            FROM core.lap AS l
            WHERE
                l.session_uid = d.session_uid AND l.rig = d.rig AND l.car_index = d.car_index
                AND l.position IS NOT NULL
            ORDER BY l.lap_number DESC
            LIMIT 1
        )
    ) AS position
    OFFSET 0
) AS finish
CROSS JOIN LATERAL (
    SELECT max(l.lap_number) AS last_lap
    FROM core.lap AS l
    WHERE
        l.session_uid = d.session_uid AND l.rig = d.rig AND l.car_index = d.car_index
        AND l.lap_time_ms IS NOT NULL
) AS driven
JOIN core.stint AS st USING (session_uid, rig, car_index)
CROSS JOIN LATERAL (SELECT least(coalesce(st.end_lap, driven.last_lap), driven.last_lap) AS end_lap) AS span
CROSS JOIN LATERAL (
    SELECT round(avg(l.lap_time_ms))::bigint AS average_ms, count(l.lap_time_ms) AS laps
    FROM core.lap AS l
    WHERE
        l.session_uid = d.session_uid AND l.rig = d.rig AND l.car_index = d.car_index
        AND l.lap_number BETWEEN st.start_lap AND span.end_lap AND (l.lap_number > 1 OR NOT d.is_race)
        AND l.is_valid
        AND NOT coalesce(
            l.is_pit_lap, (l.lap_number = st.start_lap AND st.stint_number > 1) OR l.lap_number = st.end_lap, false
        )
) AS pace
LEFT JOIN ref.visual_compound AS vc USING (visual_compound_id)
LEFT JOIN ref.tyre_compound AS tc USING (actual_compound_id)
WHERE span.end_lap >= st.start_lap;

COMMENT ON VIEW mart.stint IS
    'A row for each set of tyres a car ran on: first and last completed lap, how many, the compound, and the average pace on it.';
