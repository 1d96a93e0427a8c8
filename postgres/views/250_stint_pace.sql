-- A line through lap time over tyre age, of the laps that count in mart.race_pace: its slope is what a lap costs, fuel
-- burning off included, so it is less than what the tyre alone loses. Below five laps whose tyre age is known a slope says
-- nothing. Laps that only the session history tells of have no age and no tyre.
CREATE OR REPLACE VIEW mart.stint_pace AS
SELECT
    s.session_uid,
    s.session_label,
    p.car_index,
    p.driver_label,
    p.stint_number,
    p.compound,
    p.laps,
    p.median_s,
    p.best_s,
    CASE WHEN p.fitted >= 5 THEN p.slope END AS degradation_s_per_lap,
    CASE WHEN p.fitted >= 5 THEN p.fresh_s END AS fresh_tyre_pace_s,
    CASE WHEN p.fitted >= 5 THEN p.fit END AS fit_r2
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT
        pace.car_index,
        pace.driver_label,
        pace.stint_number,
        coalesce(max(pace.compound) FILTER (WHERE pace.compound <> 'Unknown'), 'Unknown') AS compound,
        count(*) AS laps,
        regr_count(pace.lap_time_s, pace.tyre_age_laps) AS fitted,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY pace.lap_time_s) AS median_s,
        min(pace.lap_time_s) AS best_s,
        regr_slope(pace.lap_time_s, pace.tyre_age_laps) AS slope,
        regr_intercept(pace.lap_time_s, pace.tyre_age_laps) AS fresh_s,
        regr_r2(pace.lap_time_s, pace.tyre_age_laps) AS fit
    FROM mart.race_pace AS pace
    WHERE pace.session_uid = s.session_uid AND pace.counts AND pace.stint_number IS NOT NULL
    GROUP BY pace.car_index, pace.driver_label, pace.stint_number
) AS p;

COMMENT ON VIEW mart.stint_pace IS
    'A row for each stint: its median pace, and how much slower each lap on its tyres was (a fitted line).';
