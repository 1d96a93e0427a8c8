"""What a session packet says of how the session was set up: rules, assists, the weekend. Pure.

Field names are columns of `core.session`; None is what a format does not have.
"""

from typing import Any, NamedTuple

import numpy as np

SPRINT_SHOOTOUTS = range(10, 15)
"""Session types of format 2024 and later, the first that tell the weekend's structure."""


class SessionSettings(NamedTuple):
    session_length_id: int
    time_of_day_min: int
    steering_assist: bool
    braking_assist_id: int
    gearbox_assist_id: int
    pit_assist: bool
    pit_release_assist: bool
    ers_assist: bool
    drs_assist: bool
    racing_line_id: int
    abs_assist: bool | None
    traction_control_id: int | None
    has_equal_cars: bool | None
    recovery_mode_id: int | None
    flashback_limit_id: int | None
    has_realistic_surface: bool | None
    has_hard_fuel_mode: bool | None
    has_assisted_starts: bool | None
    has_carcass_temperature: bool | None
    car_damage_id: int | None
    car_damage_rate_id: int | None
    collisions_id: int | None
    has_strict_corner_cutting: bool | None
    has_parc_ferme: bool | None
    safety_car_id: int | None
    red_flags_id: int | None
    has_formation_lap: bool | None
    weekend_structure: list[int] | None
    is_sprint_weekend: bool | None
    start_reaction_time_s: float | None


def read_settings(record: np.void) -> SessionSettings:
    """From a record of a session packet."""
    names = frozenset(record.dtype.names or ())

    def number(name: str) -> Any:
        return int(record[name]) if name in names else None

    def flag(name: str) -> Any:
        return bool(record[name]) if name in names else None

    weekend = _weekend(record) if "weekend_structure" in names else None
    return SessionSettings(
        session_length_id=number("session_length"),
        time_of_day_min=number("time_of_day_min") % (24 * 60),
        steering_assist=flag("steering_assist"),
        braking_assist_id=number("braking_assist"),
        gearbox_assist_id=number("gearbox_assist"),
        pit_assist=flag("pit_assist"),
        pit_release_assist=flag("pit_release_assist"),
        ers_assist=flag("ers_assist"),
        drs_assist=flag("drs_assist"),
        racing_line_id=number("dynamic_racing_line"),
        abs_assist=flag("anti_lock_brakes_assist"),
        traction_control_id=number("traction_control_assist"),
        has_equal_cars=flag("equal_car_performance"),
        recovery_mode_id=number("recovery_mode"),
        flashback_limit_id=number("flashback_limit"),
        has_realistic_surface=flag("surface_type"),
        has_hard_fuel_mode=flag("low_fuel_mode"),
        has_assisted_starts=flag("race_starts"),
        has_carcass_temperature=flag("tyre_temperature"),
        car_damage_id=number("car_damage"),
        car_damage_rate_id=number("car_damage_rate"),
        collisions_id=number("collisions"),
        has_strict_corner_cutting=flag("corner_cutting_stringency"),
        has_parc_ferme=flag("parc_ferme_rules"),
        safety_car_id=number("safety_car"),
        red_flags_id=number("red_flags"),
        has_formation_lap=flag("formation_lap"),
        weekend_structure=weekend,
        is_sprint_weekend=any(kind in SPRINT_SHOOTOUTS for kind in weekend) if weekend else None,
        start_reaction_time_s=_seconds(record["start_reaction_time_s"]) if "start_reaction_time_s" in names else None,
    )


def _weekend(record: np.void) -> list[int] | None:
    """The first packets of a session come without it."""
    told: list[int] = record["weekend_structure"][: int(record["num_sessions_in_weekend"])].tolist()
    return told if any(told) else None


def _seconds(value: np.float32) -> float | None:
    return float(value) if np.isfinite(value) and value > 0 else None
