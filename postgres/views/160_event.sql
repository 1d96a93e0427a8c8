-- How a text names a car: by what stands on it and who sits in it.
CREATE OR REPLACE FUNCTION mart.car_text(race_number smallint, driver_name text, car_index smallint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN driver_name = 'Car ' || car_index THEN driver_name
    ELSE coalesce('Car ' || race_number || ' (' || driver_name || ')', driver_name, 'Car at index ' || car_index)
END;

COMMENT ON FUNCTION mart.car_text(smallint, text, smallint) IS 'A car as sentences name it: Car 44 (HAMILTON).';

-- What a penalty is and what it is for. 255 means none. Of a time penalty the game's time is the penalty; of others it
-- may be the time gained, which is no part of the sentence.
CREATE OR REPLACE FUNCTION mart.penalty_text(details jsonb, penalty text, infringement text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN details ->> 'penalty_type' IN ('1', '4') AND (details ->> 'time_s')::integer BETWEEN 1 AND 254
        THEN (details ->> 'time_s') || ' second '
            || CASE details ->> 'penalty_type' WHEN '1' THEN 'stop-go ' ELSE '' END || 'penalty'
    ELSE coalesce(penalty, 'penalty of type ' || (details ->> 'penalty_type'))
END
|| ' for ' || coalesce(infringement, 'infringement of type ' || (details ->> 'infringement_type'))
|| CASE
    WHEN (details ->> 'places_gained')::integer NOT BETWEEN 1 AND 254 THEN ''
    WHEN details ->> 'places_gained' = '1' THEN ', 1 place gained'
    ELSE ', ' || (details ->> 'places_gained') || ' places gained'
END;

COMMENT ON FUNCTION mart.penalty_text(jsonb, text, text) IS
    'A penalty with its reason as part of a sentence: 5 second penalty for speeding in the pit lane.';

-- Everything that happened in a session, as the rig told it that watched longest. Where the event does not say the
-- lap, it is the one in which its car was; a fastest lap is told in the lap after. An event is undone if a later
-- flashback went back to before it by the session's clock.
CREATE OR REPLACE VIEW mart.event AS
SELECT
    s.session_uid,
    s.session_label,
    e.overall_frame,
    e.arrived_at,
    e.session_time_s,
    e.code,
    coalesce(r.name, 'Unknown event ' || e.code) AS event,
    coalesce(r.is_highlight, false) AS is_highlight,
    e.car_index,
    e.driver_label,
    e.other_car_index,
    e.other_driver_label,
    e.lap_number,
    coalesce(e.car || ': ', '')
    || coalesce(CASE e.code
        WHEN 'PENA' THEN mart.penalty_text(
            e.details, coalesce(p.phrase, lower(p.name)), coalesce(i.phrase, lower(i.name))
        ) || coalesce(', involving ' || e.other_car, '')
        WHEN 'FTLP' THEN 'fastest lap ' || mart.clock(e.lap_time_ms)
        WHEN 'RTMT' THEN 'retired' || coalesce(' (' || lower(rr.name) || ')', '')
        WHEN 'TMPT' THEN 'in the pits, says the player''s pit wall'
        WHEN 'RCWN' THEN 'wins the race'
        WHEN 'SPTP' THEN to_char((e.details ->> 'speed_kmh')::float8, 'FM99990.0') || ' km/h in the speed trap'
            || CASE
                WHEN e.details ->> 'is_overall_fastest' = '1' THEN ', fastest of the session'
                WHEN e.details ->> 'is_driver_fastest' = '1' THEN ', own best'
                ELSE ''
            END
        WHEN 'DTSV' THEN 'drive-through penalty served'
        WHEN 'SGSV' THEN 'stop-go penalty served'
            || coalesce(' (stopped for ' || to_char((e.details ->> 'stop_time_s')::float8, 'FM9990.0') || ' s)', '')
        WHEN 'OVTK' THEN 'overtakes ' || coalesce(e.other_car, 'another car')
        WHEN 'COLL' THEN coalesce('collides with ' || e.other_car, 'collides')
            || coalesce(' (severity ' || lower(cs.name) || ')', '')
        WHEN 'DRSD' THEN 'DRS disabled' || coalesce(' (' || lower(dr.name) || ')', '')
        WHEN 'STLG' THEN 'Start lights: ' || (e.details ->> 'num_lights')
        WHEN 'FLBK' THEN 'Flashback to '
            || mart.clock(round(least((e.details ->> 'flashback_session_time_s')::numeric, 1e6) * 1000)::bigint)
            || ' of the session'
        WHEN 'SCAR' THEN coalesce(
            nullif(st.name, 'None'), 'Safety car' || coalesce(' of type ' || nullif(e.details ->> 'safety_car_type', '0'), '')
        ) || ': ' || coalesce(lower(se.name), 'event of type ' || (e.details ->> 'event_type'))
    END, coalesce(r.name, 'Unknown event ' || e.code) || coalesce(', bytes ' || (e.details ->> 'raw'), ''))
    || CASE WHEN e.car_index IS NULL THEN '' ELSE coalesce(', lap ' || e.lap_number, '') END AS description,
    e.is_undone,
    e.details
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT array_agg(f.overall_frame) AS frames, array_agg((f.details ->> 'flashback_session_time_s')::real) AS back_to_s
    FROM core.event AS f
    WHERE f.session_uid = s.session_uid AND f.rig = s.rig AND f.code = 'FLBK'
) AS flashback
CROSS JOIN LATERAL (
    SELECT
        told.overall_frame,
        told.arrived_at,
        told.session_time_s,
        told.code,
        told.details,
        told.car_index,
        own.driver_label,
        told.other_car_index,
        other.driver_label AS other_driver_label,
        CASE
            WHEN told.car_index IS NOT NULL THEN mart.car_text(own.race_number, own.driver_name, told.car_index)
        END AS car,
        CASE
            WHEN told.other_car_index IS NOT NULL
                THEN mart.car_text(other.race_number, other.driver_name, told.other_car_index)
        END AS other_car,
        fastest.lap_time_ms,
        coalesce(
            told.lap_number,
            CASE WHEN told.code = 'FTLP' THEN (
                SELECT max(l.lap_number)
                FROM core.lap AS l
                WHERE
                    l.session_uid = told.session_uid AND l.rig = told.rig AND l.car_index = told.car_index
                    AND l.lap_time_ms = fastest.lap_time_ms
            )
            ELSE (
                SELECT min(l.lap_number)
                FROM core.lap AS l
                WHERE
                    l.session_uid = told.session_uid AND l.rig = told.rig AND l.car_index = told.car_index
                    AND l.overall_frame >= told.overall_frame
            ) END
        ) AS lap_number,
        EXISTS (
            SELECT
            FROM unnest(flashback.frames, flashback.back_to_s) AS f (overall_frame, back_to_s)
            WHERE f.overall_frame > told.overall_frame AND f.back_to_s < told.session_time_s
        ) AS is_undone
    FROM core.event AS told
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN (told.details ->> 'lap_time_s')::numeric < 1e6
                THEN round((told.details ->> 'lap_time_s')::numeric * 1000)::bigint
        END
    ) AS fastest (lap_time_ms)
    LEFT JOIN (
        SELECT car.* FROM mart.car WHERE car.session_uid = s.session_uid OFFSET 0
    ) AS own ON own.car_index = told.car_index
    LEFT JOIN (
        SELECT car.* FROM mart.car WHERE car.session_uid = s.session_uid OFFSET 0
    ) AS other ON other.car_index = told.other_car_index
    WHERE told.session_uid = s.session_uid AND told.rig = s.rig
    OFFSET 0
) AS e
LEFT JOIN ref.event AS r USING (code)
LEFT JOIN ref.penalty AS p ON p.penalty_type = (e.details ->> 'penalty_type')::integer
LEFT JOIN ref.infringement AS i ON i.infringement_type = (e.details ->> 'infringement_type')::integer
LEFT JOIN ref.result_reason AS rr
    ON e.code = 'RTMT' AND rr.result_reason_id = (e.details ->> 'reason')::integer AND rr.result_reason_id > 1
LEFT JOIN ref.drs_disabled_reason AS dr
    ON e.code = 'DRSD' AND dr.drs_disabled_reason_id = (e.details ->> 'reason')::integer
LEFT JOIN ref.collision_severity AS cs ON cs.collision_severity_id = (e.details ->> 'severity')::integer
LEFT JOIN ref.safety_car_type AS st ON st.safety_car_type_id = (e.details ->> 'safety_car_type')::integer
LEFT JOIN ref.safety_car_event AS se ON se.safety_car_event_id = (e.details ->> 'event_type')::integer;

COMMENT ON VIEW mart.event IS
    'The story of a session: a row for each event with a sentence to read, the cars it concerns, the lap, and whether a flashback undid it.';
