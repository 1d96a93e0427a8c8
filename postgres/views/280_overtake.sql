-- Overtakes as the game reports them, by the rig whose knowledge of the session counts (mart.session). The lap is the
-- one that the overtaking car was in: the first whose last sample is not older than the event.
CREATE OR REPLACE VIEW mart.overtake AS
SELECT
    s.session_uid,
    s.session_label,
    e.arrived_at,
    e.session_time_s,
    e.lap_number,
    e.car_index,
    e.driver_label,
    e.other_car_index,
    e.other_driver_label,
    e.driver_label || ' passes ' || e.other_driver_label || coalesce(' in lap ' || e.lap_number, '') AS told
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT
        event.arrived_at,
        event.session_time_s,
        event.car_index,
        coalesce(mine.driver_label, 'Car ' || event.car_index) AS driver_label,
        event.other_car_index,
        coalesce(other.driver_label, 'Car ' || event.other_car_index) AS other_driver_label,
        (
            SELECT min(l.lap_number)
            FROM core.lap AS l
            WHERE
                l.session_uid = event.session_uid AND l.rig = event.rig AND l.car_index = event.car_index
                AND l.overall_frame >= event.overall_frame
        ) AS lap_number
    FROM core.event
    LEFT JOIN mart.car AS mine ON mine.session_uid = s.session_uid AND mine.car_index = event.car_index
    LEFT JOIN mart.car AS other ON other.session_uid = s.session_uid AND other.car_index = event.other_car_index
    WHERE event.session_uid = s.session_uid AND event.rig = s.rig AND event.code = 'OVTK'
) AS e;

COMMENT ON VIEW mart.overtake IS 'A row for each overtake that the game reported: who passed whom, when, and in which lap.';
