-- From here on views go session by session: LATERAL with OFFSET 0 makes Postgres work out the sessions that were
-- asked for and then, for each, what belongs to it by key. Without, it would decide about all cars and laps of the
-- whole history before it looks at the session's label.
CREATE OR REPLACE VIEW mart.driver AS
SELECT
    s.session_uid,
    s.session_hex,
    s.session_label,
    s.is_race,
    c.rig,
    c.car_index,
    c.driver_label,
    c.driver_name,
    c.race_number,
    t.name AS team,
    c.is_player,
    c.is_ai
FROM mart.session AS s
CROSS JOIN LATERAL (SELECT car.* FROM mart.car WHERE car.session_uid = s.session_uid OFFSET 0) AS c
LEFT JOIN ref.team AS t ON t.game_year = s.game_year AND t.team_id = c.team_id;

COMMENT ON VIEW mart.driver IS 'A row for each car of a session with driver, number and team.';
