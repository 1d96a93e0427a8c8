-- How much of what a rig sent broke which rule. A hundred rows of a rule are kept of each task of a micro-batch: above that
-- the numbers here are too small, and those of Prometheus are right.
CREATE OR REPLACE VIEW mart.quality AS
SELECT
    q.session_uid,
    coalesce(s.session_label, 'Session ' || core.session_hex(q.session_uid)) AS session_label,
    q.rig,
    q.rule,
    q.effect,
    q.reason,
    q.broken,
    q.cars,
    60 * q.broken / nullif(extract(EPOCH FROM seen.last_seen_at - seen.started_at), 0)::double precision AS per_minute,
    q.first_at,
    q.last_at
FROM (
    SELECT
        each.session_uid,
        each.rig,
        each.rule,
        each.effect,
        max(each.reason) AS reason,
        count(*) AS broken,
        count(DISTINCT each.car_index) AS cars,
        min(each.arrived_at) AS first_at,
        max(each.arrived_at) AS last_at
    FROM core.quarantine AS each
    GROUP BY each.session_uid, each.rig, each.rule, each.effect
) AS q
LEFT JOIN mart.session AS s USING (session_uid)
LEFT JOIN core.session AS seen ON (seen.session_uid, seen.rig) = (q.session_uid, q.rig);

COMMENT ON VIEW mart.quality IS
    'A row for each session, rig and rule of quality that was broken: how often, by how many cars, and at what rate by minute of the session. NULL where the session''s own row has not come.';
