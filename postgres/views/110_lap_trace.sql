-- The trace of one lap, with the lap time at the start of each 10 m. A function, so that whoever knows the lap gets it by
-- key, without a look at the session's other laps; Postgres puts its query in the place of the call.
CREATE OR REPLACE FUNCTION mart.trace_of(session_uid bigint, rig text, car_index smallint, lap_number smallint)
RETURNS TABLE (
    distance_bin smallint, time_s double precision, speed_kmh smallint, throttle real, brake real, steer real, gear smallint,
    engine_rpm integer, is_drs_open boolean, ers_store_j real, ers_deploy_mode smallint, fuel_in_tank_kg real,
    world_x_m real, world_z_m real, "position" smallint
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT
    s.distance_bin,
    mart.time_at_bin(
        s.distance_bin, s.lap_distance_m, s.current_lap_time_ms, s.speed_kmh,
        lag(s.lap_distance_m) OVER along_track, lag(s.current_lap_time_ms) OVER along_track
    ),
    s.speed_kmh,
    s.throttle,
    s.brake,
    s.steer,
    s.gear,
    s.engine_rpm,
    s.is_drs_open,
    s.ers_store_j,
    s.ers_deploy_mode,
    s.fuel_in_tank_kg,
    s.world_x_m,
    s.world_z_m,
    s.position
FROM core.lap_trace AS s
WHERE
    s.session_uid = trace_of.session_uid AND s.rig = trace_of.rig AND s.car_index = trace_of.car_index
    AND s.lap_number = trace_of.lap_number
WINDOW along_track AS (ORDER BY s.distance_bin);
END;

COMMENT ON FUNCTION mart.trace_of(bigint, text, smallint, smallint) IS
    'The trace of one lap of core.lap_trace, with the lap time at the start of each 10 m.';

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
CROSS JOIN LATERAL mart.trace_of(l.session_uid, l.rig, l.car_index, l.lap_number) AS tr;

COMMENT ON VIEW mart.lap_trace IS
    'A row for each 10 m of each lap: speed, pedals, gear, ERS, place on the map, and the lap time at the start of those 10 m.';
