CREATE OR REPLACE VIEW mart.time_trial AS
SELECT
    s.session_uid,
    s.session_label,
    t.record,
    t.car_index,
    team.name AS team,
    t.lap_time_ms / 1000.0::float8 AS lap_time_s,
    mart.clock(t.lap_time_ms) AS lap_time,
    (t.lap_time_ms - min(t.lap_time_ms) FILTER (WHERE t.record = 'session_best') OVER of_session) / 1000.0::float8
        AS delta_to_session_best_s,
    t.sector1_ms / 1000.0::float8 AS sector1_s,
    t.sector2_ms / 1000.0::float8 AS sector2_s,
    t.sector3_ms / 1000.0::float8 AS sector3_s,
    t.is_valid,
    t.traction_control,
    t.gearbox_assist,
    t.anti_lock_brakes,
    t.has_equal_cars,
    t.has_custom_setup
FROM mart.session AS s
JOIN core.time_trial AS t USING (session_uid, rig)
LEFT JOIN ref.team AS team ON team.game_year = s.game_year AND team.team_id = t.team_id
WINDOW of_session AS (PARTITION BY s.session_uid);

COMMENT ON VIEW mart.time_trial IS
    'The laps that a time trial is driven against: the player''s best of the session, personal best and the rival''s, with assists.';
