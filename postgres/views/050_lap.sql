-- A lap's time is told by SessionHistory, which comes round to a car every second. Until it has, the time is what LapData
-- shows at the begin of the next lap; not longer, because it goes on showing that when a later lap has no time at all.
-- The best of a session is its fastest valid lap; only where no lap was valid, the fastest of all.
-- Only flying laps can be compared with each other: complete, no pit lane in them, not the standing start of a race.
-- Where nobody watched a lap, its stint tells: one set of tyres comes off at the end of it, or another has gone on.
-- overlay_place ranks the laps for being laid over each other: first the best lap of each driver, fastest first, then
-- all others. Laps with a time and a trace of most of the track come first, then by how much of them was seen. So
-- places 1 and 2 are the best laps of the two fastest drivers, and where only one drove, that driver's two best.
CREATE OR REPLACE VIEW mart.lap AS
SELECT
    s.session_uid,
    s.session_hex,
    s.session_label,
    l.rig,
    l.car_index,
    l.driver_label,
    l.lap_number,
    l.driver_label || ' · lap ' || l.lap_number || coalesce(' · ' || mart.clock(l.shown_ms), '') AS lap_label,
    l.shown_ms AS lap_time_ms,
    l.shown_ms / 1000.0::float8 AS lap_time_s,
    mart.clock(l.shown_ms) AS lap_time,
    (l.shown_ms - coalesce(l.best_valid_ms, l.best_ms)) / 1000.0::float8 AS delta_to_best_s,
    l.sector1_ms / 1000.0::float8 AS sector1_s,
    l.sector2_ms / 1000.0::float8 AS sector2_s,
    l.sector3_ms / 1000.0::float8 AS sector3_s,
    l.is_valid,
    l.position,
    l.gap_to_leader_ms / 1000.0::float8 AS gap_to_leader_s,
    l.gap_to_ahead_ms / 1000.0::float8 AS gap_to_ahead_s,
    l.penalties_s,
    l.total_warnings,
    l.unserved_drive_throughs + l.unserved_stop_gos AS unserved_penalties,
    coalesce(vc.name, 'Unknown') AS compound,
    tc.name AS compound_made,
    l.tyre_age_laps,
    l.in_pits AS is_pit_lap,
    CASE
        WHEN l.shown_ms IS NULL THEN 'Incomplete'
        WHEN l.in_pits THEN 'Pit'
        WHEN l.lap_number = 1 AND s.is_race THEN 'Start'
        ELSE 'Flying'
    END AS lap_kind,
    l.fuel_start_kg,
    l.fuel_end_kg,
    l.fuel_used_kg,
    l.ers_deployed_j / 1e6::float8 AS ers_deployed_mj,
    l.ers_harvested_j / 1e6::float8 AS ers_harvested_mj,
    l.top_speed_kmh,
    greatest(
        d.rear_left_tyre_wear_percent, d.rear_right_tyre_wear_percent,
        d.front_left_tyre_wear_percent, d.front_right_tyre_wear_percent
    ) AS worst_tyre_wear_pct,
    greatest(d.front_left_wing_damage_percent, d.front_right_wing_damage_percent) AS front_wing_damage_pct,
    d.rear_wing_damage_percent AS rear_wing_damage_pct,
    greatest(d.floor_damage_percent, d.diffuser_damage_percent, d.sidepod_damage_percent) AS body_damage_pct,
    greatest(d.engine_damage_percent, d.gearbox_damage_percent) AS power_unit_damage_pct,
    l.coverage,
    CASE WHEN l.coverage > 0 THEN l.place END AS overlay_place
FROM mart.session AS s
CROSS JOIN LATERAL (
    SELECT
        ranked.*,
        min(ranked.shown_ms) FILTER (WHERE ranked.is_valid) OVER () AS best_valid_ms,
        min(ranked.shown_ms) OVER () AS best_ms,
        row_number() OVER (
            ORDER BY
                ranked.is_traced DESC,
                ranked.of_driver > 1,
                ranked.is_valid DESC NULLS LAST,
                ranked.shown_ms,
                ranked.coverage DESC NULLS LAST,
                ranked.car_index
        ) AS place
    FROM (
        SELECT
            lap.*,
            told.shown_ms,
            car.driver_label,
            traced.is_traced,
            pits.in_pits,
            row_number() OVER (
                PARTITION BY lap.car_index
                ORDER BY
                    traced.is_traced DESC,
                    lap.is_valid DESC NULLS LAST,
                    told.shown_ms,
                    lap.coverage DESC NULLS LAST,
                    lap.lap_number
            ) AS of_driver
        FROM mart.car
        JOIN core.lap USING (session_uid, rig, car_index)
        LEFT JOIN core.lap AS following
            ON following.session_uid = lap.session_uid AND following.rig = lap.rig
            AND following.car_index = lap.car_index AND following.lap_number = lap.lap_number + 1
            AND following.history_frame IS NULL
        CROSS JOIN LATERAL (SELECT coalesce(lap.lap_time_ms, following.previous_lap_time_ms)) AS told (shown_ms)
        CROSS JOIN LATERAL (SELECT coalesce(told.shown_ms > 0 AND lap.coverage >= 0.8, false)) AS traced (is_traced)
        CROSS JOIN LATERAL (
            SELECT coalesce(lap.is_pit_lap, EXISTS (
                SELECT
                FROM core.stint AS st
                WHERE
                    st.session_uid = lap.session_uid AND st.rig = lap.rig AND st.car_index = lap.car_index
                    AND st.stint_number > 1 AND st.start_lap IN (lap.lap_number, lap.lap_number + 1)
            ))
        ) AS pits (in_pits)
        WHERE car.session_uid = s.session_uid
    ) AS ranked
) AS l
LEFT JOIN core.lap_damage AS d
    ON d.session_uid = l.session_uid AND d.rig = l.rig AND d.car_index = l.car_index AND d.lap_number = l.lap_number
LEFT JOIN ref.visual_compound AS vc USING (visual_compound_id)
LEFT JOIN ref.tyre_compound AS tc USING (actual_compound_id);

COMMENT ON VIEW mart.lap IS
    'A row for each lap of each car: times in seconds and as text, the gap to the fastest valid lap of the session, gaps on the road, penalties so far, tyres, fuel, ERS, wear and damage.';
