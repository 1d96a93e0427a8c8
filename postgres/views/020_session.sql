-- One row a session, however many rigs saw it: what the session is comes from the rig that watched longest.
-- Restarts make a new session UID, and two of them may begin in the same minute: then the label shows the UID too,
-- because people choose sessions by label. Local time is that of the database (its TimeZone setting).
-- A session without any session packet (F1 24 sends empty ones after a saved race is loaded) is one all the same: of a
-- track and a kind that nobody knows, from its first to its last event.
CREATE OR REPLACE VIEW mart.session AS
SELECT
    session_uid,
    core.session_hex(session_uid) AS session_hex,
    CASE
        WHEN count(*) OVER (PARTITION BY title) > 1 THEN title || ' (' || core.session_hex(session_uid) || ')'
        ELSE title
    END AS session_label,
    session_type,
    is_race,
    track,
    country,
    started_at,
    last_seen_at,
    packet_format,
    game_year,
    total_laps,
    track_length_m,
    sector2_start_m,
    sector3_start_m,
    ai_difficulty,
    is_network_game,
    safety_car_periods,
    vsc_periods,
    red_flag_periods,
    rig,
    rigs
FROM (
    SELECT
        seen.*,
        seen.session_type || ', ' || seen.track || ', '
        || coalesce(to_char(seen.started_at, 'YYYY-MM-DD HH24:MI'), core.session_hex(seen.session_uid)) AS title
    FROM (
        SELECT DISTINCT ON (s.session_uid)
            s.session_uid,
            s.rig,
            coalesce(st.name, 'Session of type ' || s.session_type_id, 'Session') AS session_type,
            coalesce(st.kind = 'race', false) AS is_race,
            coalesce(t.name, 'track ' || s.track_id, 'unknown track') AS track,
            t.country,
            min(s.started_at) OVER of_session AS started_at,
            max(s.last_seen_at) OVER of_session AS last_seen_at,
            s.packet_format,
            s.game_year,
            s.total_laps,
            s.track_length_m,
            s.sector2_start_m,
            s.sector3_start_m,
            s.ai_difficulty,
            s.is_network_game,
            s.safety_car_periods,
            s.vsc_periods,
            s.red_flag_periods,
            count(*) OVER of_session AS rigs
        FROM (
            SELECT
                session_uid, rig, session_type_id, track_id, started_at, last_seen_at, packet_format, game_year, total_laps,
                track_length_m, sector2_start_m, sector3_start_m, ai_difficulty, is_network_game, safety_car_periods,
                vsc_periods, red_flag_periods
            FROM core.session
            UNION ALL
            SELECT
                untold.session_uid, untold.rig, NULL, NULL, event.first_at, event.last_at, NULL, NULL, NULL,
                NULL, NULL, NULL, NULL, NULL, NULL,
                NULL, NULL
            FROM (
                SELECT DISTINCT p.session_uid, p.rig
                FROM core.participant AS p
                WHERE NOT EXISTS (SELECT FROM core.session AS told WHERE told.session_uid = p.session_uid)
            ) AS untold
            CROSS JOIN LATERAL (
                SELECT min(e.arrived_at), max(e.arrived_at)
                FROM core.event AS e
                WHERE e.session_uid = untold.session_uid AND e.rig = untold.rig
            ) AS event (first_at, last_at)
        ) AS s
        LEFT JOIN ref.track AS t USING (track_id)
        LEFT JOIN ref.session_type AS st USING (packet_format, session_type_id)
        WINDOW of_session AS (PARTITION BY s.session_uid)
        ORDER BY s.session_uid, s.last_seen_at - s.started_at DESC NULLS LAST, s.rig
    ) AS seen
) AS titled;

COMMENT ON VIEW mart.session IS
    'A row for each session with a label to choose it by; when several rigs saw it, as the one that watched longest knew it.';
