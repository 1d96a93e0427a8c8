-- Fuel as a strategist asks for it: what the laps took on average so far, and for how many more it lasts. Laps in the
-- pit lane, not complete ones and those of which a part was not seen are not in the average.
CREATE OR REPLACE VIEW mart.energy_by_lap AS
SELECT
    s.session_uid,
    s.session_label,
    l.car_index,
    l.driver_label,
    l.lap_number,
    l.lap_kind,
    l.fuel_end_kg,
    l.fuel_used_kg,
    l.average_fuel_kg,
    l.fuel_end_kg / nullif(l.average_fuel_kg, 0) AS fuel_lasts_laps,
    l.ers_deployed_mj,
    l.ers_harvested_mj,
    l.ers_harvested_mj - l.ers_deployed_mj AS ers_balance_mj
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT
        lap.*,
        avg(lap.fuel_used_kg) FILTER (WHERE lap.lap_kind IN ('Flying', 'Start') AND lap.coverage >= 0.95) OVER (
            PARTITION BY lap.car_index ORDER BY lap.lap_number
        ) AS average_fuel_kg
    FROM mart.lap
    WHERE lap.session_uid = s.session_uid
) AS l;

COMMENT ON VIEW mart.energy_by_lap IS
    'A row for each lap: fuel used and left, for how many laps it lasts, and what the ERS gave and took. NULL where the driver hides it.';
