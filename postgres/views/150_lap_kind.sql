-- The complete kinds of mart.lap, so that a filter need not read all laps to know what there is to choose.
CREATE OR REPLACE VIEW mart.lap_kind AS
SELECT kind.lap_kind, kind.what
FROM (
    VALUES
        ('Flying', 'no pit lane in it, and not the standing start of a race'),
        ('Pit', 'the car was in the pit lane during it'),
        ('Start', 'the first lap of a race')
) AS kind (lap_kind, what);

COMMENT ON VIEW mart.lap_kind IS 'What kinds of complete laps there are; only flying laps can be compared with each other.';
