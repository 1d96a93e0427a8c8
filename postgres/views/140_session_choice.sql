-- What the dashboard's session filter offers. It chooses the latest by itself and shows no chart before it has chosen;
-- so there must be something to choose before the first session, or the page would wait for ever. A session that nobody
-- knows the time of is the oldest.
CREATE OR REPLACE VIEW mart.session_choice AS
SELECT s.session_label, coalesce(s.started_at, to_timestamp(0)) AS started_at
FROM mart.session AS s
UNION ALL
SELECT 'No session yet', now()
WHERE NOT EXISTS (SELECT FROM mart.session);

COMMENT ON VIEW mart.session_choice IS
    'The sessions to choose from, or, before the first one, a line that says so.';
