-- Visits to the pit lane. The game counts a stop at some moment of it, and tells nobody where one visit ends and the
-- next begins; but the clock less the time in the lane is when the car came in, and any sample says that. So samples
-- of one car are one visit as long as they follow each other within three seconds, or agree on the entry within one:
-- no car is out and in again in three seconds, the lane's 16-bit timer begins again after 65.5 s, and samples may be
-- missing in between.
--
-- Tyres before are those of the first sample, in the lane and not in the box yet. Tyres after are those at the end of the
-- lap in which the car came out, because where the line lies behind the garage the game reports a change a lap late;
-- but if that lap ends in the next visit, those with which that one begins.
CREATE OR REPLACE VIEW mart.pit_stop AS
SELECT
    d.session_uid,
    d.session_label,
    d.car_index,
    d.driver_label,
    d.team,
    v.stop_number,
    v.entry_lap,
    CASE WHEN v.is_out THEN v.last_lap END AS exit_lap,
    v.entry_s,
    CASE WHEN v.is_out THEN v.lane_time_ms / 1000.0::float8 END AS lane_time_s,
    nullif(v.stop_time_ms, 0) / 1000.0::float8 AS stationary_s,
    before.name AS compound_before,
    v.tyre_age_before,
    CASE WHEN v.is_out THEN after.name END AS compound_after,
    CASE WHEN v.is_out THEN v.tyre_age_after END AS tyre_age_after,
    v.serves_penalty OR v.serves_drive_through AS serves_penalty
FROM mart.driver AS d
CROSS JOIN LATERAL (
    SELECT
        visit.*,
        visit.last_lane_time_ms
            + 65536 * round(((visit.last_s - visit.entry_s) * 1000 - visit.last_lane_time_ms) / 65536) AS lane_time_ms,
        row_number() OVER along AS stop_number,
        seen.last_frame > visit.last_frame AS is_out,
        CASE WHEN lead(visit.entry_lap) OVER along = visit.last_lap THEN lead(visit.compound_before) OVER along
            ELSE coalesce(l.visual_compound_id, visit.compound_last) END AS compound_after,
        CASE WHEN lead(visit.entry_lap) OVER along = visit.last_lap THEN lead(visit.tyre_age_before) OVER along
            ELSE coalesce(l.tyre_age_laps, visit.tyre_age_last) END AS tyre_age_after,
        EXISTS (
            SELECT
            FROM core.event AS e
            WHERE
                e.session_uid = d.session_uid AND e.rig = d.rig AND e.car_index = d.car_index
                AND e.code IN ('DTSV', 'SGSV')
                AND e.session_time_s BETWEEN visit.entry_s AND visit.last_s + 3
        ) AS serves_drive_through
    FROM (
        SELECT
            (array_agg(island.entry_s ORDER BY island.overall_frame))[1] AS entry_s,
            max(island.session_time_s)::float8 AS last_s,
            max(island.overall_frame) AS last_frame,
            min(island.lap_number) AS entry_lap,
            max(island.lap_number) AS last_lap,
            (array_agg(island.lane_time_ms ORDER BY island.overall_frame DESC))[1] AS last_lane_time_ms,
            max(island.stop_time_ms) AS stop_time_ms,
            bool_or(island.serves_penalty) AS serves_penalty,
            (array_agg(island.visual_compound_id ORDER BY island.overall_frame)
                FILTER (WHERE island.visual_compound_id IS NOT NULL))[1] AS compound_before,
            (array_agg(island.tyre_age_laps ORDER BY island.overall_frame)
                FILTER (WHERE island.tyre_age_laps IS NOT NULL))[1] AS tyre_age_before,
            (array_agg(island.visual_compound_id ORDER BY island.overall_frame DESC)
                FILTER (WHERE island.visual_compound_id IS NOT NULL))[1] AS compound_last,
            (array_agg(island.tyre_age_laps ORDER BY island.overall_frame DESC)
                FILTER (WHERE island.tyre_age_laps IS NOT NULL))[1] AS tyre_age_last
        FROM (
            SELECT sample.*, count(*) FILTER (WHERE sample.is_new) OVER (ORDER BY sample.overall_frame) AS number
            FROM (
                SELECT
                    p.*,
                    p.session_time_s::float8 - p.lane_time_ms / 1000.0::float8 AS entry_s,
                    p.session_time_s - lag(p.session_time_s) OVER by_frame > 3
                    AND abs(
                        p.session_time_s - p.lane_time_ms / 1000.0
                        - lag(p.session_time_s - p.lane_time_ms / 1000.0) OVER by_frame
                    ) > 1 AS is_new
                FROM core.pit_sample AS p
                WHERE p.session_uid = d.session_uid AND p.rig = d.rig AND p.car_index = d.car_index
                WINDOW by_frame AS (ORDER BY p.overall_frame)
            ) AS sample
        ) AS island
        GROUP BY island.number
    ) AS visit
    CROSS JOIN LATERAL (
        SELECT max(l.overall_frame) AS last_frame
        FROM core.lap AS l
        WHERE l.session_uid = d.session_uid AND l.rig = d.rig AND l.car_index = d.car_index
    ) AS seen
    LEFT JOIN core.lap AS l
        ON l.session_uid = d.session_uid AND l.rig = d.rig AND l.car_index = d.car_index AND l.lap_number = visit.last_lap
    WINDOW along AS (ORDER BY visit.last_frame)
) AS v
LEFT JOIN ref.visual_compound AS before ON before.visual_compound_id = v.compound_before
LEFT JOIN ref.visual_compound AS after ON after.visual_compound_id = v.compound_after;

COMMENT ON VIEW mart.pit_stop IS
    'A row for each visit of a car to the pit lane: laps of entry and exit, time in the lane and stood, tyres before and after, and whether a penalty was served.';
