-- Assists are those of the rig's own player; NULL is what the format does not tell.
CREATE OR REPLACE VIEW mart.session_rules AS
SELECT
    s.session_uid,
    s.session_label,
    coalesce(gm.name, 'Game mode ' || c.game_mode) AS game_mode,
    coalesce(rs.name, 'Rule set ' || c.rule_set) AS rule_set,
    (ARRAY['none', NULL, 'very short', 'short', 'medium', 'medium long', 'long', 'full'])[c.session_length_id + 1]
        AS session_length,
    weekend.sessions AS weekend,
    c.is_sprint_weekend,
    c.ai_difficulty,
    c.is_network_game,
    c.has_equal_cars,
    (ARRAY['off', 'reduced', 'standard', 'increased'])[c.safety_car_id + 1] AS safety_car,
    (ARRAY['off', 'reduced', 'standard', 'increased'])[c.red_flags_id + 1] AS red_flags,
    c.has_formation_lap,
    c.has_parc_ferme,
    c.has_strict_corner_cutting,
    (ARRAY['off', 'reduced', 'standard', 'simulation'])[c.car_damage_id + 1] AS car_damage,
    (ARRAY['reduced', 'standard', 'simulation'])[c.car_damage_rate_id + 1] AS car_damage_rate,
    (ARRAY['off', 'not between players', 'on'])[c.collisions_id + 1] AS collisions,
    (ARRAY['none', 'flashbacks', 'automatic'])[c.recovery_mode_id + 1] AS recovery_mode,
    (ARRAY['low', 'medium', 'high', 'unlimited'])[c.flashback_limit_id + 1] AS flashback_limit,
    c.has_realistic_surface,
    c.has_carcass_temperature,
    c.steering_assist,
    (ARRAY['off', 'low', 'medium', 'high'])[c.braking_assist_id + 1] AS braking_assist,
    (ARRAY['manual', 'manual with suggested gear', 'automatic'])[c.gearbox_assist_id] AS gearbox,
    c.pit_assist,
    c.ers_assist,
    c.drs_assist,
    (ARRAY['none', 'corners', 'full'])[c.racing_line_id + 1] AS racing_line,
    c.abs_assist,
    (ARRAY['off', 'medium', 'full'])[c.traction_control_id + 1] AS traction_control,
    c.start_reaction_time_s
FROM mart.session AS s
JOIN core.session AS c USING (session_uid, rig)
LEFT JOIN ref.game_mode AS gm ON gm.game_mode_id = c.game_mode
LEFT JOIN ref.rule_set AS rs ON rs.rule_set_id = c.rule_set
LEFT JOIN LATERAL (
    SELECT string_agg(coalesce(st.name, 'Session of type ' || part.session_type_id), ', ' ORDER BY part.place)
    FROM unnest(c.weekend_structure) WITH ORDINALITY AS part (session_type_id, place)
    LEFT JOIN ref.session_type AS st
        ON st.packet_format = c.packet_format AND st.session_type_id = part.session_type_id
) AS weekend (sessions) ON true;

COMMENT ON VIEW mart.session_rules IS
    'What a session was set to, in words: game mode, length, the weekend, safety car, damage, assists. Only sessions alike in it compare.';
