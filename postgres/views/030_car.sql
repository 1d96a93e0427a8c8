-- The one place that decides whose view of a car counts when several rigs saw the same session: every view below
-- joins on (session_uid, rig, car_index) from here, so nothing counts twice. The rig with most complete laps of the
-- car comes first (one may have left early), then the rig whose player drives it (only that one gets fuel, ERS and
-- damage when telemetry is restricted), then the one that saw most of the laps, then the lowest name.
-- Cars that are nobody's in the packets and have lap times all the same are the ghosts of a time trial.
-- Names are no key: online they repeat, or all read "Player". A label gets the race number, and if need be the
-- car index, only where the name alone would not tell two cars of one session apart.
CREATE OR REPLACE VIEW mart.car AS
SELECT
    named.session_uid,
    named.rig,
    named.car_index,
    CASE
        WHEN named.same_name = 1 THEN named.name
        WHEN named.same_number = 1 AND named.race_number IS NOT NULL THEN named.name || ' #' || named.race_number
        ELSE named.name || coalesce(' #' || named.race_number, '') || ' (car ' || named.car_index || ')'
    END AS driver_label,
    named.name AS driver_name,
    named.race_number,
    named.team_id,
    named.is_player,
    named.is_ai
FROM (
    SELECT
        chosen.*,
        count(*) OVER (PARTITION BY chosen.session_uid, chosen.name) AS same_name,
        count(*) OVER (PARTITION BY chosen.session_uid, chosen.name, chosen.race_number) AS same_number
    FROM (
        SELECT DISTINCT ON (p.session_uid, p.car_index)
            p.session_uid,
            p.rig,
            p.car_index,
            coalesce(nullif(btrim(p.name), ''), 'Car ' || p.car_index) AS name,
            p.race_number,
            p.team_id,
            p.is_player,
            p.is_ai
        FROM (
            SELECT session_uid, rig, car_index, name, race_number, team_id, is_player, is_ai
            FROM core.participant
            UNION ALL
            SELECT DISTINCT l.session_uid, l.rig, l.car_index, 'Ghost', NULL::smallint, NULL::integer, false, NULL::boolean
            FROM core.lap AS l
            WHERE
                l.lap_time_ms IS NOT NULL
                AND NOT EXISTS (
                    SELECT
                    FROM core.participant AS known
                    WHERE known.session_uid = l.session_uid AND known.car_index = l.car_index
                )
        ) AS p
        LEFT JOIN (
            SELECT session_uid, count(*) AS rigs FROM core.session GROUP BY session_uid
        ) AS watched USING (session_uid)
        LEFT JOIN LATERAL (
            SELECT count(l.lap_time_ms) AS complete_laps, sum(l.coverage) AS coverage
            FROM core.lap AS l
            WHERE
                watched.rigs > 1  -- otherwise there is nothing to choose, and the laps need not be read
                AND l.session_uid = p.session_uid AND l.rig = p.rig AND l.car_index = p.car_index
        ) AS seen ON true
        ORDER BY
            p.session_uid,
            p.car_index,
            seen.complete_laps DESC,
            p.is_player DESC,
            seen.coverage DESC NULLS LAST,
            p.rig
    ) AS chosen
) AS named;

COMMENT ON VIEW mart.car IS
    'A row for each car of a session: a label that is unique in it, and the one rig whose records of the car count.';
