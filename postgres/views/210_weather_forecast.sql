CREATE OR REPLACE VIEW mart.weather_forecast AS
SELECT
    s.session_uid,
    s.session_label,
    f.overall_frame,
    f.arrived_at,
    f.session_time_s,
    f.is_newest,
    coalesce(st.name, 'Session of type ' || f.session_type_id) AS for_session,
    f.time_offset_min,
    coalesce(w.name, 'Unknown') AS weather,
    f.rain_percent,
    f.track_temperature_c,
    track.name AS track_temperature_trend,
    f.air_temperature_c,
    air.name AS air_temperature_trend,
    f.is_approximate
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT own.*, own.overall_frame = max(own.overall_frame) OVER () AS is_newest
    FROM core.weather_forecast AS own
    WHERE own.session_uid = s.session_uid AND own.rig = s.rig
) AS f
LEFT JOIN ref.session_type AS st ON st.packet_format = s.packet_format AND st.session_type_id = f.session_type_id
LEFT JOIN ref.weather AS w USING (weather_id)
LEFT JOIN (VALUES (0, 'up'), (1, 'down'), (2, 'no change')) AS track (id, name) ON track.id = f.track_temperature_change
LEFT JOIN (VALUES (0, 'up'), (1, 'down'), (2, 'no change')) AS air (id, name) ON air.id = f.air_temperature_change;

COMMENT ON VIEW mart.weather_forecast IS
    'Every forecast of a session and the newest one (is_newest): weather, chance of rain and temperatures, minutes ahead.';
