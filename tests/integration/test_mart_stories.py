"""The views that tell stories, over hand-made rows: sentences, sectors, setups, forecasts."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.integration.rows import UID, History
from tests.integration.test_mart import START, race

__all__ = ["race"]


def told(race: History, code: str, frame: int = 700, rig: str = "a", **details: Any) -> None:
    """An event of rig a, which watched longest."""
    cars = {
        name: None if details.get(name) in (None, 255) else details[name] for name in ("car_index", "other_car_index")
    }
    race.insert(
        "event", session_uid=UID, rig=rig, overall_frame=frame, code=code, digest=repr(sorted(details.items()))[:40],
        session_time_s=details.pop("at_s", frame / 10), arrived_at=START + timedelta(seconds=frame),
        lap_number=details.get("lap_num"), details=Jsonb(details), **cars,
    )  # fmt: skip


def penalty(kind: int, infringement: int, **more: int) -> dict[str, int]:
    nothing = {"other_car_index": 255, "time_s": 255, "lap_num": 2, "places_gained": 255}
    return {"penalty_type": kind, "infringement_type": infringement, "car_index": 0} | nothing | more


SENTENCES: list[tuple[str, dict[str, Any], str]] = [
    ("PENA", penalty(4, 17, time_s=5, lap_num=12), "Car 7 (Player): 5 second penalty for speeding in the pit lane, lap 12"),
    (
        "PENA",
        penalty(5, 4, other_car_index=2, places_gained=0),
        "Car 7 (Player): warning for a small collision, involving Car 14 (ALONSO), lap 2",
    ),
    (
        "PENA",
        penalty(0, 8, places_gained=2),
        "Car 7 (Player): drive-through penalty for track limits (cut a corner, gained a place), 2 places gained, lap 2",
    ),
    ("PENA", penalty(1, 11, time_s=10, places_gained=1), "Car 7 (Player): 10 second stop-go penalty for ignoring blue flags, 1 place gained, lap 2"),
    ("PENA", penalty(10, 26), "Car 7 (Player): lap invalidated for track limits (ran wide), lap 2"),
    ("PENA", penalty(99, 77, car_index=20), "Car at index 20: penalty of type 99 for infringement of type 77, lap 2"),
    ("FTLP", {"car_index": 1, "lap_time_s": 80.0}, "Car 8 (Player): fastest lap 1:20.000, lap 2"),
    ("RTMT", {"car_index": 2, "reason": 8}, "Car 14 (ALONSO): retired (mechanical failure)"),
    ("RTMT", {"car_index": 2}, "Car 14 (ALONSO): retired"),
    ("RTMT", {"car_index": 2, "reason": 1}, "Car 14 (ALONSO): retired"),
    ("OVTK", {"car_index": 2, "other_car_index": 0}, "Car 14 (ALONSO): overtakes Car 7 (Player)"),
    ("COLL", {"car_index": 2, "other_car_index": 0, "severity": 2}, "Car 14 (ALONSO): collides with Car 7 (Player) (severity high)"),
    ("COLL", {"car_index": 2, "other_car_index": 0}, "Car 14 (ALONSO): collides with Car 7 (Player)"),
    ("SCAR", {"safety_car_type": 2, "event_type": 0}, "Virtual safety car: deployed"),
    ("SCAR", {"safety_car_type": 0, "event_type": 3}, "Safety car: race resumes"),
    ("SCAR", {"safety_car_type": 9, "event_type": 8}, "Safety car of type 9: event of type 8"),
    (
        "SPTP",
        {"car_index": 0, "speed_kmh": 319.264, "is_overall_fastest": 1, "is_driver_fastest": 1},
        "Car 7 (Player): 319.3 km/h in the speed trap, fastest of the session",
    ),
    (
        "SPTP",
        {"car_index": 0, "speed_kmh": 300.0, "is_overall_fastest": 0, "is_driver_fastest": 1},
        "Car 7 (Player): 300.0 km/h in the speed trap, own best",
    ),
    ("FLBK", {"flashback_frame_identifier": 1, "flashback_session_time_s": 235.394}, "Flashback to 3:55.394 of the session"),
    ("RDFL", {}, "Red flag"),
    ("DRSE", {}, "DRS enabled"),
    ("DRSD", {"reason": 0}, "DRS disabled (wet track)"),
    ("DRSD", {}, "DRS disabled"),
    ("DTSV", {"car_index": 0}, "Car 7 (Player): drive-through penalty served"),
    ("SGSV", {"car_index": 0, "stop_time_s": 10.26}, "Car 7 (Player): stop-go penalty served (stopped for 10.3 s)"),
    ("TMPT", {"car_index": 1}, "Car 8 (Player): in the pits, says the player's pit wall"),
    ("RCWN", {"car_index": 0}, "Car 7 (Player): wins the race"),
    ("STLG", {"num_lights": 3}, "Start lights: 3"),
    ("LGOT", {}, "Lights out"),
    ("CHQF", {}, "Chequered flag"),
    ("SEND", {}, "Session ended"),
    ("FTLP", {"car_index": 1, "lap_time_s": 3.4e38}, "Car 8 (Player): Fastest lap"),
    ("FTLP", {"car_index": 1, "lap_time_s": None}, "Car 8 (Player): Fastest lap"),
    ("XYZW", {"raw": "0102"}, "Unknown event XYZW, bytes 0102"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "details", "sentence"), SENTENCES, ids=[f"{c} {i}" for i, (c, _, _) in enumerate(SENTENCES)]
)
def test_events_read_as_sentences(race: History, code: str, details: dict[str, Any], sentence: str) -> None:
    told(race, code, **details)
    (row,) = race.view("event", "overall_frame")
    assert row["description"] == sentence
    assert row["code"] == code


def test_the_lap_of_an_event_is_that_of_its_car(race: History) -> None:
    for lap, frame in ((1, 500), (2, 900)):
        race.insert("lap", session_uid=UID, rig="a", car_index=9, lap_number=lap, position=1, overall_frame=frame)
    told(race, "DTSV", frame=501, car_index=9)
    told(race, "RCWN", frame=2**32, car_index=9)
    found = race.view("event", "overall_frame")
    assert [row["lap_number"] for row in found] == [2, None]
    assert found[0]["description"] == "Car at index 9: drive-through penalty served, lap 2"


def test_another_rigs_events_are_the_same_ones(race: History) -> None:
    for rig in ("a", "b"):
        told(race, "LGOT", rig=rig)
    assert len(race.view("event", "overall_frame")) == 1


def test_a_flashback_undoes_what_happened_after_the_moment_it_goes_back_to(race: History) -> None:
    told(race, "OVTK", frame=600, at_s=50.0, car_index=2, other_car_index=0)
    told(race, "OVTK", frame=700, at_s=60.0, car_index=2, other_car_index=0)
    told(race, "FLBK", frame=750, at_s=55.0, flashback_session_time_s=55.0)
    told(race, "PENA", frame=800, at_s=60.0, **penalty(5, 4))
    assert [(row["overall_frame"], row["is_undone"]) for row in race.view("event", "overall_frame")] == [
        (600, False), (700, True), (750, False), (800, False),
    ]  # fmt: skip


def test_penalties_have_their_numbers_beside_the_sentence(race: History) -> None:
    told(race, "PENA", **penalty(4, 7, time_s=5, places_gained=1, other_car_index=2))
    told(race, "LGOT", frame=1)
    (row,) = race.view("penalty", "overall_frame")
    assert (row["penalty"], row["infringement"]) == ("Time penalty", "Corner cutting gained time")
    assert (row["time_s"], row["places_gained"], row["lap_number"]) == (5, 1, 2)
    assert (row["driver_label"], row["other_driver_label"]) == ("Player #7", "ALONSO")


@pytest.mark.parametrize(("penalty_type", "time_s"), [(1, 10), (4, 10), (0, None), (5, None)])
def test_only_of_penalties_in_time_are_the_seconds_a_penalty(
    race: History, penalty_type: int, time_s: int | None
) -> None:
    told(race, "PENA", **penalty(penalty_type, 7, time_s=10))
    (row,) = race.view("penalty", "overall_frame")
    assert row["time_s"] == time_s


def test_sectors_know_their_bests(race: History) -> None:
    rows = [row for row in race.view("sector", "car_index, lap_number, sector") if row["sector"] == 1]
    # 29.999, 29.998, 29.997 | 29.998, 29.997, 29.996 | 29.997, 29.996: the last lap of car 1 ties with that of car 2
    assert [row["sector_s"] for row in rows] == [29.999, 29.998, 29.997, 29.998, 29.997, 29.996, 29.997, 29.996]
    assert [row["is_driver_best"] for row in rows] == [False, False, True, False, False, True, False, True]
    assert [row["is_session_best"] for row in rows] == [False, False, False, False, False, True, False, True]
    assert rows[0]["delta_to_best_s"] == pytest.approx(0.003)
    assert len(race.view("sector", "sector")) == 3 * 8


def test_a_sector_that_does_not_count_is_no_best(race: History) -> None:
    race.insert("lap", session_uid=UID, rig="a", car_index=2, lap_number=3, sector1_ms=20_000, sector1_valid=False)
    row = race.view("sector", "sector_s")[0]
    assert (row["sector_s"], row["is_valid"], row["is_driver_best"], row["is_session_best"]) == (
        20.0,
        False,
        False,
        False,
    )


def test_a_race_still_running_has_its_grid_from_the_start_of_its_first_lap(race: History) -> None:
    race.insert("participant", session_uid=UID, rig="a", car_index=3, name="STROLL", race_number=18)
    race.insert("lap", session_uid=UID, rig="a", car_index=3, lap_number=1, position=9, start_position=12, line_frame=5)
    rows = [row for row in race.view("position_by_lap", "car_index, lap_number") if row["car_index"] in (2, 3)]
    assert [(row["car_index"], row["position"]) for row in rows if row["lap_number"] == 0] == [(2, 1), (3, 12)]


def test_rules_read_as_words(race: History) -> None:
    race.insert(
        "session", session_uid=6, rig="a", packet_format=2025, game_year=25, started_at=START, last_seen_at=START,
        game_mode=28, rule_set=99, session_length_id=5, weekend_structure=[1, 13, 15], is_sprint_weekend=True,
        safety_car_id=3, gearbox_assist_id=3, collisions_id=1,
    )  # fmt: skip
    (row,) = race.view("session_rules", "session_uid", 6)
    assert (row["game_mode"], row["rule_set"], row["session_length"]) == (
        "Driver Career '25", "Rule set 99", "medium long",
    )  # fmt: skip
    assert row["weekend"] == "Practice 1, Short Sprint Shootout, Race"
    assert (row["safety_car"], row["gearbox"], row["collisions"], row["abs_assist"]) == (
        "increased", "automatic", "not between players", None,
    )  # fmt: skip


def setup(race: History, digest: str, first: int, last: int, rig: str = "b", car: int = 1, **members: float) -> None:
    common = {"front_wing": 25, "brake_bias_percent": 56, "front_toe_deg": 0.02, "engine_braking_percent": None}
    race.insert(
        "setup", session_uid=UID, rig=rig, car_index=car, digest=digest, first_frame=first, last_frame=last,
        **(common | members),
    )  # fmt: skip


def test_what_changed_between_setups(race: History) -> None:
    setup(race, "a", 10, 2000)
    setup(race, "b", 600, 900, front_wing=28, front_toe_deg=0.05)
    setup(race, "c", 910, 1000, front_wing=28, front_toe_deg=0.05, brake_bias_percent=55)
    setup(race, "x", 1, 1, car=0)  # one setup alone is no change
    race.insert("lap", session_uid=UID, rig="b", car_index=1, lap_number=7, position=1, overall_frame=905)
    race.insert("lap", session_uid=UID, rig="b", car_index=1, lap_number=8, position=1, overall_frame=1500)
    rows = race.view("setup_change", "overall_frame, member")
    assert [(r["setup_number"], r["lap_number"], r["member"], r["old_value"], r["new_value"]) for r in rows] == [
        (2, 7, "front_toe_deg", 0.02, 0.05),
        (2, 7, "front_wing", 25.0, 28.0),
        (3, 8, "brake_bias_percent", 56.0, 55.0),
    ]
    assert rows[1]["change"] == 3.0
    assert rows[0]["driver_label"] == "Player #8"


def test_sets_of_tyres_have_names(race: History) -> None:
    for rig, wear in (("a", 1), ("b", 40)):  # rig b drives car 1
        race.insert(
            "tyre_set", session_uid=UID, rig=rig, car_index=1, set_index=3, actual_compound_id=18, visual_compound_id=16,
            wear_percent=wear, recommended_session_id=15, lap_delta_time_ms=-250,
        )  # fmt: skip
    (row,) = race.view("tyre_set", "set_index")
    assert (row["compound"], row["compound_made"], row["wear_percent"]) == ("Soft", "C3", 40)
    assert (row["recommended_session"], row["lap_delta_s"]) == ("Race", -0.25)


def test_forecasts_say_which_is_the_newest(race: History) -> None:
    for frame, rain in ((100, 10), (900, 80)):
        race.insert(
            "weather_forecast", session_uid=UID, rig="a", overall_frame=frame, session_time_s=1.0, session_type_id=15,
            time_offset_min=5, arrived_at=START, weather_id=4, rain_percent=rain, track_temperature_change=1,
            air_temperature_change=2,
        )  # fmt: skip
    rows = race.view("weather_forecast", "overall_frame")
    assert [(row["rain_percent"], row["is_newest"]) for row in rows] == [(10, False), (80, True)]
    assert (rows[0]["weather"], rows[0]["for_session"]) == ("Heavy rain", "Race")
    assert (rows[0]["track_temperature_trend"], rows[0]["air_temperature_trend"]) == ("down", "no change")


def test_a_time_trial_is_driven_against_records(race: History) -> None:
    for record, ms in (("session_best", 74_142), ("rival", 73_590)):
        race.insert("time_trial", session_uid=UID, rig="a", record=record, lap_time_ms=ms, team_id=1)
    rows = race.view("time_trial", "record")
    assert [(row["record"], row["lap_time"], row["delta_to_session_best_s"]) for row in rows] == [
        ("rival", "1:13.590", -0.552),
        ("session_best", "1:14.142", 0.0),
    ]
    assert rows[0]["team"] == "Ferrari"
