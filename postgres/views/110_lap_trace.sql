CREATE OR REPLACE VIEW mart.lap_trace AS
SELECT
    l.session_uid,
    l.session_label,
    l.car_index,
    l.driver_label,
    l.lap_number,
    l.lap_label,
    l.lap_time_s,
    tr.distance_bin * 10 AS distance_m,
    tr.time_s,
    tr.speed_kmh,
    tr.throttle * 100::float8 AS throttle_pct,
    tr.brake * 100::float8 AS brake_pct,
    tr.steer,
    tr.gear,
    tr.engine_rpm,
    tr.is_drs_open,
    tr.ers_store_j / 1e6::float8 AS ers_store_mj,
    tr.ers_deploy_mode,
    tr.fuel_in_tank_kg,
    tr.world_x_m,
    tr.world_z_m,
    tr.position
FROM mart.lap AS l
CROSS JOIN LATERAL (
    SELECT
        s.*,
        mart.time_at_bin(
            s.distance_bin, s.lap_distance_m, s.current_lap_time_ms, s.speed_kmh,
            lag(s.lap_distance_m) OVER along_track, lag(s.current_lap_time_ms) OVER along_track
        ) AS time_s
    FROM core.lap_trace AS s
    WHERE
        s.session_uid = l.session_uid AND s.rig = l.rig AND s.car_index = l.car_index AND s.lap_number = l.lap_number
    WINDOW along_track AS (ORDER BY s.distance_bin)
) AS tr;

COMMENT ON VIEW mart.lap_trace IS
    'A row for each 10 m of each lap: speed, pedals, gear, ERS, place on the map, and the lap time at the start of those 10 m.';
