"""The views about pace, energy, duels and seasons, over hand-made rows: every expected value is worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.rows import UID, History

START = datetime(2031, 5, 1, 14, 5, tzinfo=UTC)
RACE, SOFT, HARD = 15, 16, 18
OTHER = 6
ALBON, SAINZ = (
    {1: 95_000, 2: 80_200, 3: 80_300, 4: 80_400, 5: 80_500, 6: 80_600, 7: 80_700, 8: 84_000, 9: 99_000, 10: 98_000,
     11: 79_500, 12: 99_000},
    {1: 96_000, 2: 80_000, 3: 80_200, 4: 80_600, 5: 80_400},
)  # fmt: skip


def begin(history: History, uid: int, starts: datetime) -> None:
    history.insert(
        "session", session_uid=uid, rig="a", packet_format=2025, game_year=25, track_id=4, session_type_id=RACE,
        total_laps=12, season_link=0xABC, started_at=starts, last_seen_at=starts + timedelta(hours=1),
    )  # fmt: skip
    for car, name in enumerate(("ALBON", "SAINZ")):
        history.insert("participant", session_uid=uid, rig="a", car_index=car, name=name, race_number=car + 1)


@pytest.fixture
def race(history: History) -> History:
    """ALBON stops after lap 8: lap 9 ends in the pits, lap 10 begins there. Safety car in lap 12."""
    begin(history, UID, START)
    for car, laps in enumerate((ALBON, SAINZ)):
        for lap, ms in laps.items():
            history.insert(
                "lap", session_uid=UID, rig="a", car_index=car, lap_number=lap, lap_time_ms=ms, is_valid=lap != 11,
                is_pit_lap=lap in (9, 10), overall_frame=lap * 1000, visual_compound_id=SOFT if lap < 10 else HARD,
                tyre_age_laps=lap if lap < 10 else lap - 9, coverage=1,
                fuel_start_kg=100 - 1.5 * (lap - 1) if car == 0 else None,
                fuel_end_kg=100 - 1.5 * lap if car == 0 else None, ers_deployed_j=3e6, ers_harvested_j=2.5e6,
            )  # fmt: skip
    history.insert("stint", session_uid=UID, rig="a", car_index=0, stint_number=1, start_lap=1, end_lap=9)
    history.insert("stint", session_uid=UID, rig="a", car_index=0, stint_number=2, start_lap=10)
    for frame, status in ((0, 0), (11_000, 1), (11_900, 0)):
        history.insert("session_sample", session_uid=UID, rig="a", overall_frame=frame, session_time_s=frame / 60,
                       safety_car_status=status, arrived_at=START)  # fmt: skip
    # In at 725 s of the clock, out 24 s later, in lap 10.
    for second, lap, stood in ((726, 9, 0), (730, 9, 0), (740, 9, 2_400), (749, 10, 2_400)):
        history.insert("pit_sample", session_uid=UID, rig="a", car_index=0, lap_number=lap, session_second=second,
                       session_time_s=second, lane_time_ms=(second - 725) * 1000, stop_time_ms=stood, pit_status=1,
                       overall_frame=9000 + (second - 725) * 20)  # fmt: skip
    for code, frame, car, other, details in (
        ("OVTK", 2500, 1, 0, "{}"), ("OVTK", 20_000, 0, 9, "{}"), ("SPTP", 2100, 0, None, '{"speed_kmh": 310.5}'),
        ("SPTP", 2200, 1, None, '{"speed_kmh": 311.0}'), ("SPTP", 2300, 0, None, '{"speed_kmh": 312.25}'),
    ):  # fmt: skip
        history.insert("event", session_uid=UID, rig="a", overall_frame=frame, code=code, digest=f"{frame}",
                       car_index=car, other_car_index=other, details=details, arrived_at=START)  # fmt: skip
    for car, points in ((0, 18), (1, 25)):
        history.insert("result", session_uid=UID, rig="a", car_index=car, position=2 - car, points=points,
                       result_status_id=3, laps=12 if car == 0 else 5)  # fmt: skip
    return history


def test_a_lap_tells_of_pace_or_says_why_not(race: History) -> None:
    laps = race.view("race_pace", "car_index, lap_number")
    assert [lap["why_not"] for lap in laps[:12]] == [
        "Start", None, None, None, None, None, None, "Slow", "Pit", "Pit", "Invalid", "Safety car",
    ]  # fmt: skip
    # The median of laps 2 to 8; the median deviation is 0.2 s, three robust deviations are 0.89 s.
    assert [lap["stint_median_s"] for lap in laps[1:8]] == pytest.approx([80.5] * 7)
    assert laps[7]["to_median_s"] == pytest.approx(3.5)
    assert [lap["counts"] for lap in laps[12:]] == [False, True, True, True, True]
    assert {lap["stint_number"] for lap in laps[12:]} == {None}


def test_a_stint_loses_a_tenth_each_lap(race: History) -> None:
    (stint,) = race.view("stint_pace", "stint_number")
    assert (stint["stint_number"], stint["compound"], stint["laps"], stint["best_s"]) == (1, "Soft", 6, 80.2)
    assert stint["median_s"] == pytest.approx(80.45)
    assert stint["degradation_s_per_lap"] == pytest.approx(0.1)
    assert stint["fresh_tyre_pace_s"] == pytest.approx(80.0)
    assert stint["fit_r2"] == pytest.approx(1)


def test_a_safety_car_that_a_flashback_took_back_slows_nobody_down(race: History) -> None:
    """Lap 3 ends at frame 3000. The safety car comes at 50 s, and the player goes back to 45 s before it leaves."""
    for frame, at_s, status in ((2500, 50, 1), (2700, 46, 0)):
        race.insert("session_sample", session_uid=UID, rig="a", overall_frame=frame, session_time_s=at_s,
                    safety_car_status=status, arrived_at=START)  # fmt: skip
    laps = race.view("race_pace", "car_index, lap_number")[:4]
    assert [lap["is_neutral"] for lap in laps] == [False, False, True, False]
    race.insert("event", session_uid=UID, rig="a", overall_frame=2600, session_time_s=45, code="FLBK", digest="f",
                details='{"flashback_session_time_s": 45.0}', arrived_at=START)  # fmt: skip
    laps = race.view("race_pace", "car_index, lap_number")[:12]
    assert [lap["is_neutral"] for lap in laps] == [False] * 11 + [True]
    assert laps[2]["counts"]


def test_laps_that_only_the_history_tells_of_have_no_tyre_to_fit(race: History) -> None:
    """Six laps count, of two the tyre's age is known: a line through those would fit perfectly."""
    race.insert("participant", session_uid=UID, rig="a", car_index=7, name="HULKENBERG", race_number=27)
    race.insert("stint", session_uid=UID, rig="a", car_index=7, stint_number=1, start_lap=1)
    for lap in range(2, 8):
        tyre = {"visual_compound_id": HARD, "tyre_age_laps": lap} if lap > 5 else {}
        race.insert("lap", session_uid=UID, rig="a", car_index=7, lap_number=lap, lap_time_ms=80_000 + 100 * lap,
                    is_valid=True, overall_frame=lap * 1000, **tyre)  # fmt: skip
    stint = race.view("stint_pace", "car_index, stint_number")[-1]
    assert (stint["car_index"], stint["laps"], stint["compound"]) == (7, 6, "Hard")
    assert (stint["degradation_s_per_lap"], stint["fresh_tyre_pace_s"], stint["fit_r2"]) == (None, None, None)


def test_consistency_is_within_a_stint(race: History) -> None:
    albon, sainz = race.view("consistency", "car_index")
    assert (albon["laps"], albon["outliers"], albon["close_laps_pct"]) == (6, 1, 100)
    assert albon["deviation_s"] == pytest.approx(0.035**0.5)
    assert albon["spread_s"] == pytest.approx(0.25)
    assert (sainz["laps"], sainz["average_s"]) == (4, pytest.approx(80.3))


def test_the_only_lap_of_a_stint_says_nothing_of_consistency(race: History) -> None:
    """ALBON's second stint gets one lap that counts, far from the pace of the first; another car has no other lap."""
    race.insert("participant", session_uid=UID, rig="a", car_index=7, name="HULKENBERG", race_number=27)
    for car, lap, ms in ((0, 13, 90_000), (7, 2, 81_000)):
        race.insert("lap", session_uid=UID, rig="a", car_index=car, lap_number=lap, lap_time_ms=ms, is_valid=True,
                    overall_frame=lap * 1000, coverage=1)  # fmt: skip
    albon, _, alone = race.view("consistency", "car_index")
    assert (albon["laps"], albon["close_laps_pct"], albon["spread_s"]) == (7, 100, pytest.approx(0.25))
    assert albon["deviation_s"] == pytest.approx(0.035**0.5)
    assert (alone["laps"], alone["average_s"]) == (1, 81)
    assert (alone["deviation_s"], alone["spread_s"], alone["close_laps_pct"]) == (None, None, None)


def test_each_stint_has_its_own_mean_to_be_consistent_with(race: History) -> None:
    """Two laps of 90.0 and 90.4 s beside the six: 0.08 s² more, and a degree of freedom for either stint."""
    for lap, ms in ((13, 90_000), (14, 90_400)):
        race.insert("lap", session_uid=UID, rig="a", car_index=0, lap_number=lap, lap_time_ms=ms, is_valid=True,
                    overall_frame=lap * 1000, coverage=1)  # fmt: skip
    albon, _ = race.view("consistency", "car_index")
    assert albon["deviation_s"] == pytest.approx(((0.175 + 0.08) / (8 - 2)) ** 0.5)


def test_fuel_lasts_as_long_as_laps_took(race: History) -> None:
    rows = race.view("energy_by_lap", "car_index, lap_number")
    assert rows[1]["average_fuel_kg"] == pytest.approx(1.5)
    assert rows[1]["fuel_lasts_laps"] == pytest.approx(97 / 1.5)
    assert rows[1]["ers_balance_mj"] == pytest.approx(-0.5)
    assert (rows[12]["fuel_used_kg"], rows[12]["fuel_lasts_laps"]) == (None, None)


def test_a_lap_that_was_seen_in_part_is_no_average_of_fuel(race: History) -> None:
    race.insert("participant", session_uid=UID, rig="a", car_index=7, name="HULKENBERG", race_number=27)
    for lap, coverage, used in ((5, 0.5, 0.75), (6, 1, 1.5)):
        race.insert("lap", session_uid=UID, rig="a", car_index=7, lap_number=lap, lap_time_ms=80_000, is_valid=True,
                    coverage=coverage, fuel_start_kg=15 + used, fuel_end_kg=15)  # fmt: skip
    joined, seen = race.view("energy_by_lap", "car_index, lap_number")[-2:]
    assert (joined["fuel_used_kg"], joined["average_fuel_kg"], joined["fuel_lasts_laps"]) == (0.75, None, None)
    assert (seen["average_fuel_kg"], seen["fuel_lasts_laps"]) == (1.5, 10)


def test_a_stop_costs_what_its_laps_took_above_the_pace(race: History) -> None:
    (stop,) = race.view("pit_loss", "stop_number")
    assert (stop["entry_lap"], stop["exit_lap"], stop["lane_time_s"], stop["stationary_s"]) == (9, 10, 24, 2.4)
    assert stop["median_s"] == pytest.approx(80.45)
    assert stop["loss_s"] == pytest.approx(99 + 98 - 2 * 80.45)


def test_nobody_knows_what_a_stop_under_the_safety_car_cost(race: History) -> None:
    race.insert("session_sample", session_uid=UID, rig="a", overall_frame=9500, session_time_s=160, safety_car_status=2,
                arrived_at=START)  # fmt: skip
    (stop,) = race.view("pit_loss", "stop_number")
    assert (stop["lane_time_s"], stop["loss_s"]) == (24, None)


def test_who_passed_whom_and_in_which_lap(race: History) -> None:
    passed = race.view("overtake", "session_time_s, lap_number")
    assert [each["told"] for each in passed] == ["SAINZ passes ALBON in lap 3", "ALBON passes Car 9"]


def test_the_highest_speed_of_each_car(race: History) -> None:
    assert [(row["driver_label"], row["speed_kmh"], row["place"], row["to_fastest_kmh"])
            for row in race.view("speed_trap", "place")] == [("ALBON", 312.25, 1, 0), ("SAINZ", 311.0, 2, -1.25)]  # fmt: skip


def test_no_car_is_faster_than_a_car_can_be(race: History) -> None:
    for frame, speed in ((2400, "612.0"), (2410, "null")):
        race.insert("event", session_uid=UID, rig="a", overall_frame=frame, code="SPTP", digest=f"{frame}", car_index=9,
                    details=f'{{"speed_kmh": {speed}}}', arrived_at=START)  # fmt: skip
    assert [row["car_index"] for row in race.view("speed_trap", "place")] == [0, 1]


def test_two_drivers_lap_by_lap(race: History) -> None:
    albon, sainz = race.view("head_to_head", "car_index")
    assert (albon["other_driver_label"], albon["laps"], albon["laps_faster"], sainz["laps_faster"]) == (
        "SAINZ",
        4,
        1,
        3,
    )
    assert (albon["average_delta_s"], albon["best_delta_s"]) == (pytest.approx(0.05), pytest.approx(0.2))
    assert (albon["finish_position"], albon["finished_ahead"], sainz["finished_ahead"]) == (2, False, True)


def test_drivers_without_a_common_lap_have_their_bests(race: History) -> None:
    """Outside races nobody's third lap is run beside another's."""
    race.insert("participant", session_uid=UID, rig="a", car_index=7, name="HULKENBERG", race_number=27)
    race.insert("lap", session_uid=UID, rig="a", car_index=7, lap_number=20, lap_time_ms=80_900, is_valid=True)
    pairs = {(row["car_index"], row["other_car_index"]): row for row in race.view("head_to_head", "car_index")}
    assert len(pairs) == 6
    pair = pairs[7, 1]
    assert (pair["laps"], pair["laps_faster"], pair["average_delta_s"]) == (0, 0, None)
    assert pair["best_delta_s"] == pytest.approx(0.9)


def test_points_add_up_over_a_season(race: History) -> None:
    begin(race, OTHER, START + timedelta(days=7))
    race.insert("result", session_uid=OTHER, rig="a", car_index=0, position=1, points=25, result_status_id=3)
    first, second = race.view("season_standing", "driver"), race.view("season_standing", "driver", OTHER)
    told = [(row["season"], row["round"], row["driver"], row["points"], row["total_points"], row["place"])
            for row in first + second]  # fmt: skip
    assert told == [
        ("00000abc", 1, "ALBON #1", 18, 18, 2), ("00000abc", 1, "SAINZ #2", 25, 25, 1),
        ("00000abc", 2, "ALBON #1", 25, 43, 1), ("00000abc", 2, "SAINZ #2", 0, 25, 2),
    ]  # fmt: skip
    assert [row["took_part"] for row in second] == [True, False]
