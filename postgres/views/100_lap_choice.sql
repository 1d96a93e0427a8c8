-- What people can choose to lay over each other: every lap by its own label, and under the label "Two fastest" the
-- pair that is shown before anyone chose. That label exists in every session, so it can be a filter's default.
CREATE OR REPLACE VIEW mart.lap_choice AS
SELECT
    l.session_uid,
    l.session_label,
    l.rig,
    l.car_index,
    l.driver_label,
    l.lap_number,
    l.lap_label,
    l.lap_time_s,
    choice.lap_choice,
    CASE WHEN choice.is_pair THEN 0 ELSE coalesce(l.lap_time_s, 'infinity') END AS choice_order
FROM mart.lap AS l
CROSS JOIN LATERAL (
    SELECT l.lap_label, false
    UNION ALL
    SELECT 'Two fastest', true WHERE l.overlay_place <= 2
) AS choice (lap_choice, is_pair)
WHERE l.coverage > 0;

COMMENT ON VIEW mart.lap_choice IS
    'The laps that can be laid over each other by the label one chooses: each by its own, the two fastest also as "Two fastest".';
