-- As with setups, the player's own rig comes first: a driver who hides the telemetry hides the sets as well.
CREATE OR REPLACE VIEW mart.tyre_set AS
SELECT
    d.session_uid,
    d.session_label,
    d.car_index,
    d.driver_label,
    t.set_index,
    coalesce(vc.name, 'Unknown') AS compound,
    tc.name AS compound_made,
    t.wear_percent,
    t.life_span_laps,
    t.usable_life_laps,
    t.lap_delta_time_ms / 1000.0::float8 AS lap_delta_s,
    t.is_available,
    t.is_fitted,
    st.name AS recommended_session
FROM mart.driver AS d
JOIN core.session AS s USING (session_uid, rig)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (own.set_index) own.*
    FROM core.tyre_set AS own
    LEFT JOIN core.participant AS p USING (session_uid, rig, car_index)
    WHERE own.session_uid = d.session_uid AND own.car_index = d.car_index
    ORDER BY own.set_index, coalesce(p.is_player, false) DESC, own.rig = d.rig DESC, own.rig
) AS t
LEFT JOIN ref.visual_compound AS vc USING (visual_compound_id)
LEFT JOIN ref.tyre_compound AS tc USING (actual_compound_id)
LEFT JOIN ref.session_type AS st
    ON st.packet_format = s.packet_format AND st.session_type_id = t.recommended_session_id;

COMMENT ON VIEW mart.tyre_set IS
    'The sets of tyres that each driver has, as last seen: compound, wear, laps left, and the lap time against the fitted set.';
