-- Every pair of drivers with pace (mart.race_pace) of a session, from both sides. Laps are compared where both have it in
-- the same lap number, which outside races may be nowhere: a negative average is faster than the other.
CREATE OR REPLACE VIEW mart.head_to_head AS
SELECT
    s.session_uid,
    s.session_label,
    pair.car_index,
    pair.driver_label,
    pair.other_car_index,
    pair.other_driver_label,
    pair.laps,
    pair.laps_faster,
    pair.average_delta_s,
    pair.best_delta_s,
    pair.finish_position,
    pair.other_finish_position,
    pair.finish_position < pair.other_finish_position AS finished_ahead
FROM mart.session AS s
CROSS JOIN LATERAL (
    WITH pace AS MATERIALIZED (
        SELECT car_index, driver_label, lap_number, lap_time_s
        FROM mart.race_pace
        WHERE race_pace.session_uid = s.session_uid AND race_pace.counts
    ),

    finish AS MATERIALIZED (
        SELECT r.car_index, r.position FROM mart.result AS r WHERE r.session_uid = s.session_uid
    )

    SELECT
        mine.car_index,
        mine.driver_label,
        other.car_index AS other_car_index,
        other.driver_label AS other_driver_label,
        coalesce(laps.laps, 0) AS laps,
        coalesce(laps.laps_faster, 0) AS laps_faster,
        laps.average_delta_s,
        mine.best_s - other.best_s AS best_delta_s,
        my_finish.position AS finish_position,
        other_finish.position AS other_finish_position
    FROM (SELECT car_index, driver_label, min(lap_time_s) AS best_s FROM pace GROUP BY car_index, driver_label) AS mine
    JOIN (
        SELECT car_index, driver_label, min(lap_time_s) AS best_s FROM pace GROUP BY car_index, driver_label
    ) AS other ON other.car_index <> mine.car_index
    LEFT JOIN (
        SELECT
            a.car_index,
            b.car_index AS other_car_index,
            count(*) AS laps,
            count(*) FILTER (WHERE a.lap_time_s < b.lap_time_s) AS laps_faster,
            avg(a.lap_time_s - b.lap_time_s) AS average_delta_s
        FROM (
            -- By arrays and not by a join: Postgres knows no size of pace, and would compare every lap with every other.
            SELECT array_agg(car_index) AS cars, array_agg(lap_time_s) AS times FROM pace GROUP BY lap_number
        ) AS lap
        CROSS JOIN LATERAL unnest(lap.cars, lap.times) AS a (car_index, lap_time_s)
        CROSS JOIN LATERAL unnest(lap.cars, lap.times) AS b (car_index, lap_time_s)
        WHERE b.car_index <> a.car_index
        GROUP BY a.car_index, b.car_index
    ) AS laps ON laps.car_index = mine.car_index AND laps.other_car_index = other.car_index
    LEFT JOIN finish AS my_finish ON my_finish.car_index = mine.car_index
    LEFT JOIN finish AS other_finish ON other_finish.car_index = other.car_index
) AS pair;

COMMENT ON VIEW mart.head_to_head IS
    'A row for each driver against each other one of a session: laps faster, average and best difference, who finished ahead.';
