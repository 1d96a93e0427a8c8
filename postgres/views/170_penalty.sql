CREATE OR REPLACE VIEW mart.penalty AS
SELECT
    e.session_uid,
    e.session_label,
    e.overall_frame,
    e.arrived_at,
    e.car_index,
    e.driver_label,
    e.other_car_index,
    e.other_driver_label,
    e.lap_number,
    coalesce(p.name, 'Penalty of type ' || d.penalty_type) AS penalty,
    coalesce(i.name, 'Infringement of type ' || d.infringement_type) AS infringement,
    d.time_s,
    d.places_gained,
    e.description,
    e.is_undone
FROM mart.event AS e
CROSS JOIN LATERAL (
    SELECT
        (e.details ->> 'penalty_type')::integer,
        (e.details ->> 'infringement_type')::integer,
        -- of a time penalty and a stop-go; of others it may be the time gained (mart.penalty_text)
        CASE WHEN e.details ->> 'penalty_type' IN ('1', '4') THEN nullif((e.details ->> 'time_s')::integer, 255) END,
        nullif((e.details ->> 'places_gained')::integer, 255)
) AS d (penalty_type, infringement_type, time_s, places_gained)
LEFT JOIN ref.penalty AS p USING (penalty_type)
LEFT JOIN ref.infringement AS i USING (infringement_type)
WHERE e.code = 'PENA';

COMMENT ON VIEW mart.penalty IS
    'Penalties, warnings and invalidated laps: who, what, why, how many seconds, how many places gained, in which lap.';
