-- Of the laps that count in mart.race_pace, each against those of its own stint, so that a change of tyres is no
-- inconsistency; what fuel and tyres do during a stint is in it. The deviation is the pooled one: about each stint's mean,
-- which takes a degree of freedom. A stint's only such lap has nothing to be compared with: it is in laps and average alone.
CREATE OR REPLACE VIEW mart.consistency AS
SELECT
    s.session_uid,
    s.session_label,
    c.car_index,
    c.driver_label,
    c.laps,
    c.average_s,
    sqrt(c.squares / nullif(c.laps - c.stints, 0)) AS deviation_s,
    c.spread_s,
    100 * c.laps_close / nullif(c.laps_compared, 0)::float8 AS close_laps_pct,
    c.outliers
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT
        pace.car_index,
        pace.driver_label,
        count(*) FILTER (WHERE pace.counts) AS laps,
        count(DISTINCT coalesce(pace.stint_number, 0)) FILTER (WHERE pace.counts) AS stints,
        avg(pace.lap_time_s) FILTER (WHERE pace.counts) AS average_s,
        sum((pace.lap_time_s - pace.stint_mean_s) ^ 2) FILTER (WHERE pace.counts) AS squares,
        percentile_cont(0.75) WITHIN GROUP (ORDER BY pace.to_median_s) FILTER (WHERE pace.is_compared)
        - percentile_cont(0.25) WITHIN GROUP (ORDER BY pace.to_median_s) FILTER (WHERE pace.is_compared) AS spread_s,
        count(*) FILTER (WHERE pace.is_compared) AS laps_compared,
        count(*) FILTER (WHERE pace.is_compared AND abs(pace.to_median_s) <= 0.3) AS laps_close,
        count(*) FILTER (WHERE pace.why_not = 'Slow') AS outliers
    FROM (
        SELECT
            p.*,
            avg(p.lap_time_s) FILTER (WHERE p.counts) OVER stint AS stint_mean_s,
            p.counts AND count(*) FILTER (WHERE p.counts) OVER stint > 1 AS is_compared
        FROM mart.race_pace AS p
        WHERE p.session_uid = s.session_uid
        WINDOW stint AS (PARTITION BY p.car_index, p.stint_number)
    ) AS pace
    GROUP BY pace.car_index, pace.driver_label
) AS c
WHERE c.laps > 0;

COMMENT ON VIEW mart.consistency IS
    'A row for each driver: how far the laps lie from those of their stint, as deviation, spread of the middle half, and share within 0.3 s of its median; NULL where no stint has two laps.';
