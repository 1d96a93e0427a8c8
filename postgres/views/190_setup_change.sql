-- Setups in the order in which they were first seen; going back to one that was driven before is no row. Online only
-- the own rig sees a car's setup, which need not be the rig whose laps count: so the player's comes first here.
CREATE OR REPLACE VIEW mart.setup_change AS
SELECT
    d.session_uid,
    d.session_label,
    d.car_index,
    d.driver_label,
    c.setup_number,
    (
        SELECT min(l.lap_number)
        FROM core.lap AS l
        WHERE
            l.session_uid = d.session_uid AND l.rig = c.rig AND l.car_index = d.car_index
            AND l.overall_frame >= c.first_frame
    ) AS lap_number,
    m.key AS member,
    (c.before ->> m.key)::float8 AS old_value,
    (m.value)::float8 AS new_value,
    (m.value)::float8 - (c.before ->> m.key)::float8 AS change,
    c.first_frame AS overall_frame
FROM mart.driver AS d
CROSS JOIN LATERAL (
    SELECT
        st.rig,
        st.first_frame,
        row_number() OVER in_order AS setup_number,
        members.shown,
        lag(members.shown) OVER in_order AS before
    FROM core.setup AS st
    CROSS JOIN LATERAL (
        SELECT to_jsonb(st) - ARRAY['session_uid', 'rig', 'car_index', 'digest', 'first_frame', 'last_frame']
    ) AS members (shown)
    WHERE
        st.session_uid = d.session_uid AND st.car_index = d.car_index
        AND st.rig = (
            SELECT own.rig
            FROM core.setup AS own
            LEFT JOIN core.participant AS p USING (session_uid, rig, car_index)
            WHERE own.session_uid = d.session_uid AND own.car_index = d.car_index
            ORDER BY coalesce(p.is_player, false) DESC, own.rig = d.rig DESC, own.rig
            LIMIT 1
        )
    WINDOW in_order AS (ORDER BY st.first_frame, st.last_frame, st.digest)
) AS c
CROSS JOIN LATERAL jsonb_each_text(c.shown) AS m
WHERE c.before IS NOT NULL AND c.before ->> m.key IS DISTINCT FROM m.value;

COMMENT ON VIEW mart.setup_change IS
    'What changed from a car''s setup to its next one: a row for each member with its old and new value, and the lap of the change.';
