-- What a visit to the pits cost against driving on: the laps from the one it began in to the one it ended in, less as
-- many laps at the car's median pace (mart.race_pace). NULL while one of them is not complete, and where a safety car was
-- out in one: to drive on would have been slow as well.
CREATE OR REPLACE VIEW mart.pit_loss AS
SELECT
    s.session_uid,
    s.session_label,
    p.car_index,
    p.driver_label,
    p.stop_number,
    p.entry_lap,
    p.exit_lap,
    p.lane_time_s,
    p.stationary_s,
    p.median_s,
    p.lap_times_s - (p.exit_lap - p.entry_lap + 1) * p.median_s AS loss_s
FROM mart.session AS s
CROSS JOIN LATERAL (
    WITH lap AS MATERIALIZED (
        SELECT car_index, lap_number, lap_time_s, counts, is_neutral
        FROM mart.race_pace
        WHERE race_pace.session_uid = s.session_uid
    ),

    middle AS MATERIALIZED (
        SELECT car_index, percentile_cont(0.5) WITHIN GROUP (ORDER BY lap_time_s) AS median_s
        FROM lap
        WHERE counts
        GROUP BY car_index
    )

    SELECT
        stop.*,
        middle.median_s,
        (
            SELECT CASE
                WHEN count(l.lap_time_s) = stop.exit_lap - stop.entry_lap + 1 AND NOT bool_or(l.is_neutral)
                    THEN sum(l.lap_time_s)
            END
            FROM lap AS l
            WHERE
                l.car_index = stop.car_index
                AND l.lap_number BETWEEN stop.entry_lap AND stop.exit_lap
        ) AS lap_times_s
    FROM mart.pit_stop AS stop
    LEFT JOIN middle USING (car_index)
    WHERE stop.session_uid = s.session_uid
) AS p;

COMMENT ON VIEW mart.pit_loss IS
    'A row for each visit to the pit lane: what it cost against as many laps at the car''s median pace; NULL under a safety car.';
