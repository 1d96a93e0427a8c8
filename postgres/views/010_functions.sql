COMMENT ON SCHEMA core IS 'Facts: what the packets said. Every table and column is described in docs/tables.md.';
COMMENT ON SCHEMA ref IS 'What the game''s ids mean. Described in docs/tables.md.';
COMMENT ON SCHEMA mart IS 'Views with names, seconds and texts: begin here. Described in docs/tables.md.';

-- Times as people at a circuit read them: 1:17.123, and 1:02:03.456 for whole races.
CREATE OR REPLACE FUNCTION mart.clock(milliseconds bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN milliseconds < 3600000 THEN milliseconds / 60000 || ':'
    ELSE milliseconds / 3600000 || ':' || lpad((milliseconds / 60000 % 60)::text, 2, '0') || ':'
END || lpad((milliseconds / 1000 % 60)::text, 2, '0') || '.' || lpad((milliseconds % 1000)::text, 3, '0');

COMMENT ON FUNCTION mart.clock(bigint) IS 'Milliseconds as m:ss.mmm, from an hour on as h:mm:ss.mmm.';

-- A trace has a row for each 10 m of track, but its sample may lie anywhere in those 10 m, which at 300 km/h is
-- 0.12 s: too much to compare two laps. So the time is carried back to the start of the bin: between this sample and
-- the one before, or where that one is far, at the sample's speed; without either it stays the sample's own.
CREATE OR REPLACE FUNCTION mart.time_at_bin(
    distance_bin smallint, lap_distance_m real, current_lap_time_ms integer, speed_kmh smallint,
    previous_distance_m real, previous_time_ms integer
) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN lap_distance_m - previous_distance_m BETWEEN 0.01 AND 30 AND current_lap_time_ms >= previous_time_ms
        THEN current_lap_time_ms / 1000.0::float8
            - (current_lap_time_ms - previous_time_ms) / 1000.0::float8
            * (lap_distance_m - distance_bin * 10) / (lap_distance_m - previous_distance_m)
    ELSE current_lap_time_ms / 1000.0::float8
        - coalesce((lap_distance_m - distance_bin * 10) * 3.6::float8 / nullif(speed_kmh, 0), 0)
END;

COMMENT ON FUNCTION mart.time_at_bin(smallint, real, integer, smallint, real, integer) IS
    'Lap time in seconds at the start of the 10 m of track that a trace sample lies in.';
