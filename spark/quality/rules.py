"""The rules. To change what is asked of the data, change this table; docs/quality.md is generated from it.

Limits are far beyond what a healthy game sends, in any format and mode: a rule finds broken packets, not odd driving.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from f1_packets import Packet
from spark.jobs.lap_damage import BY_WHEEL, PERCENT
from spark.jobs.lap_trace import BIN_M, BINS
from spark.jobs.time_trial import RECORDS
from spark.quality import questions as q
from spark.quality.questions import ROUNDING_MS, Question, outside
from spark.quality.sequence import fuel_rises

Effect = Literal["out", "flag"]
Kind = Literal["range", "presence", "order", "sum"]


@dataclass(frozen=True)
class Rule:
    """One question to every row of a kind of packet."""

    slug: str
    """Its name in core.quarantine and in the metrics; never given to another rule."""
    packet: str
    of: str
    """The packet's array whose elements are the rows; empty: the packets themselves."""
    kind: Kind
    effect: Effect
    """`out` where the row would put something impossible into the facts, `flag` where it only looks wrong."""
    wrong: str
    """What is wrong with a row that breaks it."""
    why: str
    """What that would do."""
    members: tuple[str, ...]
    """What is shown of such a row; with dots for members of members. A format without the first one is not asked."""
    broken: Question


FARTHEST_M = BIN_M * BINS
MOST_CARS = 24
FULL_J = 10e6
"""The battery holds 4 MJ."""
LAP_J = 50e6
"""A lap of the 2026 pack deploys 9 MJ."""
KG = 200
"""A tank holds 110."""
LONGEST_MS = 2**31 - 1
"""What a column of milliseconds holds."""
HAIR, KG_SHORT, J_SHORT = 0.01, 0.5, 1000
"""What a number may be beyond its end before it is called wrong: an end is reached by rounding."""
WHEELS_PERCENT = tuple(BY_WHEEL.values())
SETUP_PERCENT = (
    "on_throttle_percent", "off_throttle_percent", "brake_pressure_percent", "brake_bias_percent",
    "engine_braking_percent",
)  # fmt: skip
SETUP_FLOATS = (
    "front_camber_deg", "rear_camber_deg", "front_toe_deg", "rear_toe_deg", "rear_left_tyre_pressure_psi",
    "rear_right_tyre_pressure_psi", "front_left_tyre_pressure_psi", "front_right_tyre_pressure_psi", "fuel_load_kg",
)  # fmt: skip
MOTION_EX_MEMBERS = (
    "suspension_position_mm", "wheel_speed_mps", "wheel_slip_ratio", "wheel_slip_angle_rad", "wheel_vertical_force",
    "local_velocity_x_mps", "local_velocity_y_mps", "local_velocity_z_mps",
)  # fmt: skip

RULES: Mapping[str, Rule] = {
    rule.slug: rule
    for rule in (
        # What a lap and its trace are made of
        Rule(
            "lap_number", "lap_data", "cars", "order", "out", "a car on the track is on lap 0",
            "no lap has that number", ("current_lap_num",), lambda rows: rows["current_lap_num"] == 0,
        ),
        Rule(
            "lap_distance", "lap_data", "cars", "range", "out",
            f"the distance in the lap is beyond any track ({FARTHEST_M // 1000} km)",
            "a sample could not be laid on its lap; before the line the distance is negative, and that is right",
            ("lap_distance_m",), outside(-FARTHEST_M, FARTHEST_M, "lap_distance_m"),
        ),
        Rule(
            "total_distance", "lap_data", "cars", "range", "out", "the distance driven is no distance",
            "gaps are held against it", ("total_distance_m",), outside(-FARTHEST_M, 1e7, "total_distance_m"),
        ),
        Rule(
            "position", "lap_data", "cars", "range", "out", f"a position beyond {MOST_CARS}",
            "no format has so many cars; 0 is an empty slot, and no row at all", ("car_position",),
            outside(0, MOST_CARS, "car_position"),
        ),
        Rule(
            "positions_differ", "lap_data", "", "sum", "flag", "two cars on the track have one position",
            "places, gaps and overtakes of that moment are wrong for one of them", ("cars.car_position",),
            q.positions_repeat,
        ),
        Rule(
            "sector", "lap_data", "cars", "order", "flag", "the sector is none of the three",
            "the rest of the row deserves no trust", ("sector",), outside(0, 2, "sector"),
        ),
        Rule(
            "pit_status", "lap_data", "cars", "range", "out", "neither on track, nor entering the pits, nor in them",
            "the lap would count as one through the pits", ("pit_status",), outside(0, 2, "pit_status"),
        ),
        Rule(
            "lap_time", "lap_data", "cars", "range", "out", "the time of a lap is longer than 24 days",
            "no column holds it, and the sample would stand before a good one", ("current_lap_time_ms", "last_lap_time_ms"),
            outside(0, LONGEST_MS, "current_lap_time_ms", "last_lap_time_ms"),
        ),
        Rule(
            "lap_clock", "lap_data", "cars", "order", "flag", "the first two sectors took longer than the lap so far",
            "one of the times is wrong", ("current_lap_time_ms", "sector1_ms_part", "sector2_ms_part", "sector"),
            q.lap_goes_back,
        ),
        Rule(
            "speed_trap", "lap_data", "cars", "range", "out", "faster than 500 km/h at the speed trap",
            "it would stay the car's best at the speed trap", ("speed_trap_fastest_speed_kmh",),
            outside(0, 500, "speed_trap_fastest_speed_kmh"),
        ),
        Rule(
            "speed", "car_telemetry", "cars", "range", "out", "faster than 500 km/h",
            "it would stand as the lap's top speed", ("speed_kmh",), outside(0, 500, "speed_kmh"),
        ),
        Rule(
            "throttle", "car_telemetry", "cars", "range", "out", "the throttle is not within 0 … 1",
            "traces are drawn on that scale", ("throttle",), outside(-HAIR, 1 + HAIR, "throttle"),
        ),
        Rule(
            "brake", "car_telemetry", "cars", "range", "out", "the brake is not within 0 … 1",
            "traces are drawn on that scale", ("brake",), outside(-HAIR, 1 + HAIR, "brake"),
        ),
        Rule(
            "steer", "car_telemetry", "cars", "range", "out", "the steering is not within -1 … 1",
            "traces are drawn on that scale", ("steer",), outside(-1 - HAIR, 1 + HAIR, "steer"),
        ),
        Rule(
            "gear", "car_telemetry", "cars", "range", "out", "a gear that no car has (reverse is -1, the highest 9)",
            "it is not the gear of a car", ("gear",), outside(-1, 9, "gear"),
        ),
        Rule(
            "engine_rpm", "car_telemetry", "cars", "range", "out", "more than 25,000 revolutions a minute",
            "no engine turns so fast", ("engine_rpm",), outside(0, 25_000, "engine_rpm"),
        ),
        Rule(
            "tyre_temperature", "car_telemetry", "cars", "range", "flag", "a tyre is hotter than 250 °C",
            "it would burn; the number saturates at 255",
            ("tyres_surface_temperature_c", "tyres_inner_temperature_c"),
            outside(0, 250, "tyres_surface_temperature_c", "tyres_inner_temperature_c"),
        ),
        Rule(
            "tyre_pressure", "car_telemetry", "cars", "range", "flag", "a tyre's pressure is not within 0 … 60 psi",
            "the rest of the row deserves no trust", ("tyres_pressure_psi",), outside(0, 60, "tyres_pressure_psi"),
        ),
        Rule(
            "fuel", "car_status", "cars", "range", "out", f"the fuel is not within 0 … {KG} kg",
            "fuel used is the difference of two such numbers", ("fuel_in_tank_kg",), outside(-KG_SHORT, KG, "fuel_in_tank_kg"),
        ),
        Rule(
            "fuel_capacity", "car_status", "cars", "range", "flag", f"the tank's capacity is not within 0 … {KG} kg",
            "the rest of the row deserves no trust", ("fuel_capacity_kg",), outside(0, KG, "fuel_capacity_kg"),
        ),
        Rule(
            "fuel_rises", "car_status", "cars", "sum", "flag",
            "more fuel than in the sample before, neither in the pits nor after a flashback",
            "fuel used by lap is too little; only samples of one micro-batch are compared", ("fuel_in_tank_kg",),
            fuel_rises,
        ),
        Rule(
            "ers_store", "car_status", "cars", "range", "out", f"the battery is not within 0 … {FULL_J / 1e6:.0f} MJ",
            "it holds 4 MJ", ("ers_store_j",), outside(-J_SHORT, FULL_J, "ers_store_j"),
        ),
        Rule(
            "ers_of_the_lap", "car_status", "cars", "range", "out",
            f"energy of a lap, harvested or deployed, is not within 0 … {LAP_J / 1e6:.0f} MJ",
            "the lap's energy comes from it", ("ers_deployed_j", "ers_harvested_mguk_j", "ers_harvested_mguh_j"),
            outside(-J_SHORT, LAP_J, "ers_deployed_j", "ers_harvested_mguk_j", "ers_harvested_mguh_j"),
        ),
        Rule(
            "world_position", "motion", "cars", "range", "out", "the place on the map is farther than 100 km, or none",
            "the map could not be drawn", ("world_position_x_m", "world_position_y_m", "world_position_z_m"),
            outside(-1e5, 1e5, "world_position_x_m", "world_position_y_m", "world_position_z_m"),
        ),
        Rule(
            "tyre_wear", "car_damage", "cars", "range", "out", "wear or damage of a wheel is not within 0 … 100 %",
            "it would be the worst tyre of its lap", WHEELS_PERCENT, outside(-HAIR, 100 + HAIR, *WHEELS_PERCENT),
        ),
        Rule(
            "damage", "car_damage", "cars", "range", "out", "damage or wear of the car is beyond 100 %",
            "there is no more than all of it", PERCENT, outside(0, 100, *PERCENT),
        ),
        Rule(
            "player_physics", "motion_ex", "", "presence", "flag", "something of the player's physics is no number",
            "it is NULL in core.player_trace", MOTION_EX_MEMBERS, outside(-1e30, 1e30, *MOTION_EX_MEMBERS),
        ),
        # Times that the game has settled
        Rule(
            "history_car", "session_history", "", "order", "out", "the history of a car that the format does not have",
            "there is no such car", ("car_index",), lambda rows: rows["car_index"] >= rows.samples.num_cars,
        ),
        Rule(
            "history_clock", "session_history", "", "presence", "out", "the clock of the session is no number",
            "nobody could say which history is the newest", ("header.session_time_s",),
            lambda rows: ~np.isfinite(rows["header"]["session_time_s"]),
        ),
        Rule(
            "history_laps", "session_history", "", "order", "out", "more than 100 laps in a history, or 8 stints",
            "a packet has no room for more", ("num_laps", "num_tyre_stints"),
            lambda rows: (rows["num_laps"] > 100) | (rows["num_tyre_stints"] > 8),
        ),
        Rule(
            "sectors_make_the_lap", "session_history", "laps", "sum", "flag",
            f"the sectors make another time than the lap, by more than {ROUNDING_MS} ms",
            "best sectors and the theoretical best lap would be wrong",
            ("lap_time_ms", *(f"sector{n}_{part}_part" for n in (1, 2, 3) for part in ("minutes", "ms"))),
            q.history_sum,
        ),
        Rule(
            "stints_in_order", "session_history", "", "order", "flag", "a stint ends before the one that it follows",
            "laps would belong to two stints", ("num_tyre_stints", "tyre_stints.end_lap"), q.stints_go_back,
        ),
        Rule(
            "record_time", "time_trial", "", "range", "out", "the time of a record is longer than 24 days",
            "no column holds it, and the record would stand before a good one",
            tuple(f"{record}.lap_time_ms" for record in RECORDS.values()),
            lambda rows: np.logical_or.reduce([rows[record]["lap_time_ms"] > LONGEST_MS for record in RECORDS.values()]),
        ),
        Rule(
            "records_sum", "time_trial", "", "sum", "flag",
            f"the sectors of a record make another time than its lap, by more than {ROUNDING_MS} ms",
            "one of the times is wrong", ("player_session_best", "personal_best", "rival"), q.records_sum,
        ),
        Rule(
            "start_positions", "lap_positions", "", "range", "out",
            f"a place at the start of a lap beyond {MOST_CARS}, or more laps than the packet has room for",
            "no format has so many cars", ("num_laps", "lap_start"),
            lambda rows: (rows["num_laps"] > 50) | (rows["positions"] > MOST_CARS).any(axis=(1, 2)),
        ),
        Rule(
            "result", "final_classification", "cars", "range", "out",
            "a place beyond the cars there are, more than 8 stints, or a time that is none",
            "championship points are counted from it", ("position", "num_tyre_stints", "total_race_time_s"),
            lambda rows: outside(0, MOST_CARS, "position")(rows)
            | outside(0, 8, "num_tyre_stints")(rows)
            | outside(0, 1e6, "total_race_time_s")(rows),
        ),
        Rule(
            "results_differ", "final_classification", "", "sum", "flag", "two cars were classified in one place",
            "one of them was not", ("num_cars", "cars.position"), q.results_repeat,
        ),
        # Who drives, and what
        Rule(
            "driver_name", "participants", "cars", "presence", "flag", "a driver without a name",
            "nobody finds the car in a list", ("race_number",), lambda rows: rows["name"] == b"",
        ),
        Rule(
            "participants", "participants", "", "order", "out", "more drivers than the format has cars",
            "the packet cannot hold them", ("num_active_cars",),
            lambda rows: rows["num_active_cars"] > rows.samples.num_cars,
        ),
        Rule(
            "lobby_players", "lobby_info", "", "order", "out", "more players than a lobby has slots",
            "the packet cannot hold them", ("num_players",), lambda rows: rows["num_players"] > rows.samples.num_cars,
        ),
        Rule(
            "setup", "car_setups", "cars", "range", "out", "a share beyond 100 %, or a number that cannot be",
            "it is no setup that a car can have", (*SETUP_PERCENT, *SETUP_FLOATS),
            lambda rows: outside(0, 100, *SETUP_PERCENT)(rows) | outside(-KG, KG, *SETUP_FLOATS)(rows),
        ),
        Rule(
            "tyre_sets", "tyre_sets", "", "range", "out", "a set worn by more than 100 %, or of a car that is not there",
            "there is no more than all of it", ("car_index", "tyre_sets.wear_percent"),
            lambda rows: (rows["car_index"] >= rows.samples.num_cars)
            | (rows["tyre_sets"]["wear_percent"] > 100).any(axis=1),
        ),
        Rule(
            "event_code", "event", "", "presence", "flag", "an event's code is not made of letters and digits",
            "nobody knows what happened", ("code",), q.no_code,
        ),
    )
}  # fmt: skip


@cache
def rules_of(packet: Packet) -> tuple[Rule, ...]:
    """The rules that are asked of this kind; a format may lack what a rule is about."""
    return tuple(rule for rule in RULES.values() if rule.packet == packet.name and _has(packet, rule))


def _has(packet: Packet, rule: Rule) -> bool:
    rows = packet.dtype[rule.of].base if rule.of else packet.dtype
    return rule.members[0].partition(".")[0] in (rows.names or ())
