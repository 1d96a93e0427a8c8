-- Of the laps that count in mart.race_pace, each against the median of its own stint, so that a change of tyres or a
-- lighter car is no inconsistency.
CREATE OR REPLACE VIEW mart.consistency AS
SELECT
    s.session_uid,
    s.session_label,
    c.car_index,
    c.driver_label,
    c.laps,
    c.average_s,
    c.deviation_s,
    c.spread_s,
    100 * c.laps_close / c.laps::float8 AS close_laps_pct,
    c.outliers
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT
        pace.car_index,
        pace.driver_label,
        count(*) FILTER (WHERE pace.counts) AS laps,
        avg(pace.lap_time_s) FILTER (WHERE pace.counts) AS average_s,
        stddev_samp(pace.to_median_s) FILTER (WHERE pace.counts) AS deviation_s,
        percentile_cont(0.75) WITHIN GROUP (ORDER BY pace.to_median_s) FILTER (WHERE pace.counts)
        - percentile_cont(0.25) WITHIN GROUP (ORDER BY pace.to_median_s) FILTER (WHERE pace.counts) AS spread_s,
        count(*) FILTER (WHERE pace.counts AND abs(pace.to_median_s) <= 0.3) AS laps_close,
        count(*) FILTER (WHERE pace.why_not = 'Slow') AS outliers
    FROM mart.race_pace AS pace
    WHERE pace.session_uid = s.session_uid
    GROUP BY pace.car_index, pace.driver_label
) AS c
WHERE c.laps > 0;

COMMENT ON VIEW mart.consistency IS
    'A row for each driver: how far the laps lie from the median of their stint, as deviation, spread of the middle half, and share within 0.3 s.';
