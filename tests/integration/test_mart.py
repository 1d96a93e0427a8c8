"""The views over hand-made rows, in a transaction that is rolled back: every expected value here is worked out by hand.

A race of three laps and three cars, two of them called Player, seen by two rigs: rig b's player drives car 1, and rig
b left after two laps.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from pitlane.settings import SupersetSettings
from postgres import document
from tests.integration.rows import UID, History
from tests.unit.test_superset_assets import DATASETS

OTHER = 6
START = datetime(2031, 5, 1, 14, 5, tzinfo=UTC)
RACE, SOFT, HARD, FINISHED, RETIRED = 15, 16, 18, 3, 7


LAP_MS = {0: (95_000, 81_500, 80_250), 1: (96_000, 80_000, 82_000), 2: (97_000, 101_000, None)}


@pytest.fixture
def race(history: History) -> History:
    for rig, player, laps in (("a", 0, 3), ("b", 1, 2)):
        at = {"session_uid": UID, "rig": rig}
        seen = START + timedelta(minutes=10 + laps)
        history.insert(
            "session", **at, packet_format=2025, game_year=25, track_id=4, session_type_id=RACE, total_laps=3,
            started_at=START, last_seen_at=seen,
        )  # fmt: skip
        for car, (name, number) in enumerate((("Player", 7), ("Player", 8), ("ALONSO", 14))):
            car_at = {**at, "car_index": car}
            history.insert("participant", **car_at, name=name, race_number=number, team_id=1, is_player=car == player)
            for lap, lap_time_ms in enumerate(LAP_MS[car][:laps], 1):
                if lap_time_ms is None:
                    continue
                history.insert(
                    "lap", **car_at, lap_number=lap, lap_time_ms=lap_time_ms, is_valid=(car, lap) != (1, 2),
                    sector1_ms=30_000 - car - lap, sector1_valid=True, sector2_ms=30_000, sector2_valid=True,
                    sector3_ms=lap_time_ms - 60_000 + car + lap, sector3_valid=True, position=car + 1,
                    visual_compound_id=SOFT if lap == 1 else HARD, is_pit_lap=(car, lap) == (2, 2), coverage=0.99,
                    top_speed_kmh=300 + lap,
                )  # fmt: skip
            history.insert("stint", **car_at, stint_number=1, start_lap=1, end_lap=1, visual_compound_id=SOFT)
            history.insert("stint", **car_at, stint_number=2, start_lap=2, visual_compound_id=HARD)
    # Half-way down a straight at 180 km/h (50 m/s): 5 m into the bin is 0.1 s after its start.
    for car, lap, ms, metres in ((0, 3, 10_100, 505.0), (1, 3, 10_500, 500.0)):
        history.insert(
            "lap_trace", session_uid=UID, rig="a", car_index=car, lap_number=lap, distance_bin=50,
            lap_distance_m=metres, current_lap_time_ms=ms, speed_kmh=180, throttle=0.5, brake=0.0,
        )  # fmt: skip
    classified = ((0, 1, FINISHED, 3, 256.75, 0), (1, 2, FINISHED, 3, 258.0, 5), (2, 3, RETIRED, 2, 198.0, 0))
    for car, place, status, laps, total, penalty in classified:
        history.insert(
            "result", session_uid=UID, rig="a", car_index=car, position=place, grid_position=3 - car, laps=laps,
            result_status_id=status, best_lap_time_ms=min(filter(None, LAP_MS[car])), total_time_s=total,
            penalties_s=penalty, points=25 if place == 1 else 0,
        )  # fmt: skip
    return history


def test_a_session_seen_twice_is_one_session(race: History) -> None:
    (session,) = race.view("session", "rig")
    assert session["session_label"] == "Race, Catalunya, 2031-05-01 14:05"
    assert (session["session_hex"], session["rig"], session["rigs"]) == ("fffffffffffffffb", "a", 2)


def test_sessions_of_one_minute_can_be_told_apart(race: History) -> None:
    race.insert(
        "session", session_uid=OTHER, rig="a", packet_format=2025, game_year=25, track_id=4, session_type_id=RACE,
        started_at=START, last_seen_at=START,
    )  # fmt: skip
    (label,) = (row["session_label"] for row in race.view("session", "rig", OTHER))
    assert label == "Race, Catalunya, 2031-05-01 14:05 (0000000000000006)"


def test_labels_are_unique_and_the_rig_that_saw_the_end_counts(race: History) -> None:
    cars = race.view("car", "car_index")
    assert [car["driver_label"] for car in cars] == ["Player #7", "Player #8", "ALONSO"]
    # Car 2 ended after two laps, which both rigs saw: neither drives it, so the lowest name.
    assert [car["rig"] for car in cars] == ["a", "a", "a"]


def test_the_players_rig_counts_when_it_saw_as_much(race: History) -> None:
    race.insert(
        "lap", session_uid=UID, rig="b", car_index=1, lap_number=3, lap_time_ms=82_000, is_valid=True, coverage=0.1
    )
    assert [car["rig"] for car in race.view("car", "car_index")] == ["a", "b", "a"]


def test_a_ghost_has_laps_and_no_participant(race: History) -> None:
    race.insert("lap", session_uid=UID, rig="a", car_index=9, lap_number=1, lap_time_ms=79_000, is_valid=True)
    race.insert("lap", session_uid=UID, rig="a", car_index=10, lap_number=1, is_valid=True)  # an empty slot
    assert [car["driver_label"] for car in race.view("car", "car_index")][3:] == ["Ghost"]


def test_laps_count_once_and_know_the_best_valid_one(race: History) -> None:
    laps = race.view("lap", "car_index, lap_number")
    assert [lap["lap_time_ms"] for lap in laps] == [95_000, 81_500, 80_250, 96_000, 80_000, 82_000, 97_000, 101_000]
    assert [lap["delta_to_best_s"] for lap in laps[:3]] == [14.75, 1.25, 0.0]
    assert laps[4]["delta_to_best_s"] == -0.25, "the invalid lap was faster"
    assert laps[2]["lap_label"] == "Player #7 · lap 3 · 1:20.250"
    kinds = ["Start", "Flying", "Flying", "Start", "Flying", "Flying", "Start", "Pit"]
    assert [lap["lap_kind"] for lap in laps] == kinds
    assert laps[3]["compound"] == "Soft"


def test_where_nobody_watched_the_stints_tell_the_laps_through_the_pits(race: History) -> None:
    """Only the session history knows these laps: nothing of the pit lane was seen."""
    at = {"session_uid": UID, "rig": "a", "car_index": 3}
    race.insert("participant", **at, name="STROLL", race_number=18)
    race.insert("stint", **at, stint_number=1, start_lap=1, end_lap=4)
    race.insert("stint", **at, stint_number=2, start_lap=5)
    for lap, lap_time_ms in enumerate((95_000, 80_000, 80_200, 98_000, 103_000, 81_000), 1):
        race.insert("lap", **at, lap_number=lap, lap_time_ms=lap_time_ms, is_valid=True)
    laps = [lap for lap in race.view("lap", "lap_number") if lap["car_index"] == 3]
    assert [lap["lap_kind"] for lap in laps] == ["Start", "Flying", "Flying", "Pit", "Pit", "Flying"]
    stints = [stint for stint in race.view("stint", "stint_number") if stint["car_index"] == 3]
    assert [(stint["average_pace_s"], stint["pace_laps"]) for stint in stints] == [(80.1, 2), (81.0, 1)]


def test_a_lap_knows_its_gaps_penalties_and_damage(race: History) -> None:
    at = {"session_uid": UID, "rig": "a", "car_index": 0, "lap_number": 4}
    race.insert("lap", **at, lap_time_ms=80_500, gap_to_leader_ms=12_345, gap_to_ahead_ms=678, penalties_s=5,
                total_warnings=2, unserved_drive_throughs=1, unserved_stop_gos=0)  # fmt: skip
    race.insert("lap_damage", **at, rear_left_tyre_wear_percent=40.5, front_right_tyre_wear_percent=44.25,
                front_left_wing_damage_percent=10, front_right_wing_damage_percent=30, rear_wing_damage_percent=0,
                sidepod_damage_percent=7, gearbox_damage_percent=3, engine_damage_percent=None)  # fmt: skip
    lap = race.view("lap", "car_index, lap_number")[3]
    assert (lap["gap_to_leader_s"], lap["gap_to_ahead_s"]) == (12.345, 0.678)
    assert (lap["penalties_s"], lap["total_warnings"], lap["unserved_penalties"]) == (5, 2, 1)
    damage = ("worst_tyre_wear", "front_wing_damage", "rear_wing_damage", "body_damage", "power_unit_damage")
    assert [lap[f"{name}_pct"] for name in damage] == [44.25, 30, 0, 7, 3]
    other = race.view("lap", "car_index, lap_number")[0]
    assert {other[f"{name}_pct"] for name in damage} == {other["gap_to_leader_s"]} == {None}


def test_positions_start_on_the_grid(race: History) -> None:
    rows = race.view("position_by_lap", "car_index, lap_number")
    assert [(row["lap_number"], row["position"]) for row in rows if row["car_index"] == 2] == [(0, 1), (1, 3), (2, 3)]


def test_gaps_count_penalties_and_say_who_did_not_finish(race: History) -> None:
    rows = race.view("result", "position")
    assert [row["time_or_gap"] for row in rows] == ["4:16.750", "+6.250", "Retired"]
    assert [row["places_gained"] for row in rows] == [2, 0, -2]
    assert [row["best_lap"] for row in rows] == ["1:20.250", "1:20.000", "1:37.000"]
    assert [row["has_fastest_lap"] for row in rows] == [False, True, False]


def test_a_lapped_car_is_laps_behind(race: History) -> None:
    race.insert("participant", session_uid=UID, rig="a", car_index=3, name="STROLL", race_number=18)
    race.insert(
        "result", session_uid=UID, rig="a", car_index=3, position=4, laps=1, result_status_id=FINISHED,
        total_time_s=300.0,
    )  # fmt: skip
    assert race.view("result", "position")[3]["time_or_gap"] == "+2 laps"


def test_a_running_stint_ends_with_the_last_complete_lap(race: History) -> None:
    rows = race.view("stint", "car_index, stint_number")
    assert [(row["stint_label"], row["laps"]) for row in rows[:2]] == [("1 Soft", 1), ("2 Hard", 2)]
    assert rows[1]["average_pace"] == "1:20.875", "of 81.5 s and 80.25 s"
    assert (rows[0]["average_pace"], rows[0]["pace_laps"]) == (None, 0), "a standing start is no pace"
    assert [row["driver_place"] for row in rows[::2]] == [" 1  Player #7", " 2  Player #8", " 3  ALONSO"]


def test_bests_leave_out_what_is_not_valid(race: History) -> None:
    rows = race.view("driver_best", "car_index")
    assert [row["best_lap"] for row in rows] == ["1:20.250", "1:22.000", "1:37.000"]
    assert rows[0]["ideal_lap"] == "1:20.250", "29.997 + 30 + 20.253"
    assert (rows[0]["best_lap_number"], rows[0]["best_lap_compound"], rows[0]["top_speed_kmh"]) == (3, "Hard", 303)


def test_a_sector_counts_whether_or_not_its_lap_was_finished(race: History) -> None:
    """As in mart.sector; the lap itself is none."""
    race.insert("lap", session_uid=UID, rig="a", car_index=0, lap_number=4, is_valid=True, sector1_ms=29_000,
                sector1_valid=True)  # fmt: skip
    race.insert("lap", session_uid=UID, rig="a", car_index=4, lap_number=1, is_valid=True, sector1_ms=29_000,
                sector1_valid=True)  # fmt: skip
    rows = race.view("driver_best", "car_index")
    assert [row["car_index"] for row in rows] == [0, 1, 2], "who has no lap is not among the bests"
    assert (rows[0]["best_sector1_s"], rows[0]["best_lap_number"], rows[0]["laps"]) == (29.0, 3, 3)


def test_the_two_fastest_drivers_are_laid_over_each_other(race: History) -> None:
    choices = race.view("lap_choice", "lap_time_s")
    pair = [row["lap_label"] for row in choices if row["lap_choice"] == "Two fastest"]
    assert pair == ["Player #7 · lap 3 · 1:20.250", "Player #8 · lap 3 · 1:22.000"]
    assert sum(row["lap_choice"] == row["lap_label"] for row in choices) == 8
    at_500_m = [row for row in race.view("lap_overlay", "gap_s") if row["lap_choice"] == "Two fastest"]
    assert [row["distance_m"] for row in at_500_m] == [500, 500]
    assert [row["time_s"] for row in at_500_m] == pytest.approx([10.0, 10.5])
    assert [row["gap_s"] for row in at_500_m] == pytest.approx([0.0, 0.5])
    assert [row["throttle_pct"] for row in at_500_m] == [50.0, 50.0]


def test_time_at_a_place_comes_from_the_samples_around_it(race: History) -> None:
    # From 498 m at 10.46 s to 508 m at 10.66 s: 500 m lie a fifth of the way, whatever the speed, which is not known.
    race.insert(
        "lap_trace", session_uid=UID, rig="a", car_index=2, lap_number=1, distance_bin=49, lap_distance_m=498.0,
        current_lap_time_ms=10_460,
    )  # fmt: skip
    race.insert(
        "lap_trace", session_uid=UID, rig="a", car_index=2, lap_number=1, distance_bin=50, lap_distance_m=508.0,
        current_lap_time_ms=10_660,
    )  # fmt: skip
    times = {row["distance_m"]: row["time_s"] for row in race.view("lap_trace", "distance_m") if row["car_index"] == 2}
    assert times == {490: pytest.approx(10.46), 500: pytest.approx(10.5)}


def test_the_summary_names_winner_and_fastest(race: History) -> None:
    (row,) = race.view("session_summary", "session_uid")
    assert (row["winner"], row["winner_time"], row["drivers"], row["laps"]) == ("Player #7", "4:16.750", 3, 3)
    assert (row["fastest_lap"], row["fastest_lap_driver"], row["fastest_lap_number"]) == ("1:20.250", "Player #7", 3)


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(77_123, "1:17.123"), (59_999, "0:59.999"), (3_723_004, "1:02:03.004"), (None, None)]
)
def test_clock(database: SupersetSettings, milliseconds: int | None, text: str | None) -> None:
    with psycopg.connect(database.conninfo("reader")) as connection:
        assert connection.execute("SELECT mart.clock(%s::bigint)", [milliseconds]).fetchone() == (text,)


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset["table_name"])
def test_datasets_have_the_columns_of_their_views(database: SupersetSettings, dataset: dict[str, Any]) -> None:
    columns = """
        SELECT column_name, upper(data_type) FROM information_schema.columns
        WHERE table_schema = 'mart' AND table_name = %s
    """
    with psycopg.connect(database.conninfo("reader")) as connection:
        found = dict(connection.execute(columns, [dataset["table_name"]]).fetchall())
    assert {one["column_name"]: one["type"] for one in dataset["columns"]} == found


def test_every_view_says_what_it_is(database: SupersetSettings) -> None:
    with psycopg.connect(database.conninfo("reader")) as connection:
        silent = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'mart'::regnamespace"
            " AND obj_description(oid, 'pg_class') IS NULL"
        ).fetchall()
    assert silent == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ref.weather VALUES (99, 'x')",
        "UPDATE core.lap SET lap_time_ms = 1",
        "DELETE FROM core.session",
        "TRUNCATE core.result",
        "CREATE TABLE mart.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "DROP VIEW mart.lap",
    ],
)
def test_readers_cannot_write(database: SupersetSettings, statement: str) -> None:
    with psycopg.connect(database.conninfo("reader")) as connection:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute(statement)
        connection.rollback()
        connection.execute("SET TRANSACTION READ WRITE")  # the role's default is a guard rail, its grants are the wall
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.parametrize("view", document.views(), ids=lambda view: view.name)
def test_the_document_has_the_columns_of_the_views(database: SupersetSettings, view: document.View) -> None:
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"
    with psycopg.connect(database.conninfo("reader")) as connection:
        assert [name for (name,) in connection.execute(columns, [view.name])] == list(view.columns)
        comment = connection.execute("SELECT obj_description(%s::regclass, 'pg_class')", [view.name]).fetchone()
    assert comment == (view.comment,)
