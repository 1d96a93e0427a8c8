-- Overtakes as the game reports them, by the rig whose knowledge of the session counts (mart.event). One that a flashback
-- took back did not happen.
CREATE OR REPLACE VIEW mart.overtake AS
SELECT
    e.session_uid,
    e.session_label,
    e.arrived_at,
    e.session_time_s,
    e.lap_number,
    e.car_index,
    coalesce(e.driver_label, 'Car ' || e.car_index) AS driver_label,
    e.other_car_index,
    coalesce(e.other_driver_label, 'Car ' || e.other_car_index) AS other_driver_label,
    coalesce(e.driver_label, 'Car ' || e.car_index)
    || ' passes ' || coalesce(e.other_driver_label, 'Car ' || e.other_car_index)
    || coalesce(' in lap ' || e.lap_number, '') AS told
FROM mart.event AS e
WHERE e.code = 'OVTK' AND NOT e.is_undone;

COMMENT ON VIEW mart.overtake IS 'A row for each overtake that the game reported: who passed whom, when, and in which lap.';
