"""CarSetups (5), CarTelemetry (6), CarStatus (7), CarDamage (10), TyreSets (12) and CarTelemetry2 (16): the machine.

Pedals, gears and temperatures follow from speed and acceleration; fuel, ERS and wear from the model's laps. A
restricted car's fuel, ERS, damage, set-up and tyre sets are zero, as the game sends them to others.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pitlane.simulator import energy
from pitlane.simulator.model import RaceModel
from pitlane.simulator.state import Ints, State
from pitlane.simulator.track import DRAG_PER_M, Array, acceleration_limit, braking_limit
from pitlane.simulator.tyres import COMPOUNDS, WHEEL_WEAR
from pitlane.simulator.wire import Packets, Wire, names_of

GEAR_TOP_KMH = np.array([95, 130, 170, 210, 250, 285, 315])
"""Speeds at which the driver shifts up; the eighth gear goes on."""
REDLINE_RPM, IDLE_RPM, MAX_RPM = 12_000, 4_000, 13_100
ICE_W = 520e3
FUEL_CAPACITY_KG = 110.0
MAX_GEARS = 9
DRS_GAP_MS = 1_000
DRS_FROM_LAP = 3
HIT_WING_PERCENT = 11
"""What a collision leaves of damage to the front wing."""
TYRE_SETS = (8, 3, 2)
"""Sets of soft, medium and hard in a weekend; four intermediate and three wet ones make it twenty."""
INTERMEDIATE_ID, WET_ID = 7, 8
SETUP = {
    "front_wing": 28, "rear_wing": 25, "on_throttle_percent": 70, "off_throttle_percent": 45,
    "front_camber_deg": -3.4, "rear_camber_deg": -2.0, "front_toe_deg": 0.02, "rear_toe_deg": 0.12,
    "front_suspension": 38, "rear_suspension": 8, "front_anti_roll_bar": 12, "rear_anti_roll_bar": 10,
    "front_ride_height": 24, "rear_ride_height": 50, "brake_pressure_percent": 98, "brake_bias_percent": 56,
    "engine_braking_percent": 50, "rear_left_tyre_pressure_psi": 21.8, "rear_right_tyre_pressure_psi": 21.8,
    "front_left_tyre_pressure_psi": 23.6, "front_right_tyre_pressure_psi": 23.6, "ballast": 6,
}  # fmt: skip
WING_AT_STOP = 2
"""Clicks that the player's crew adds to the front wing at each stop."""
PRIVATE_STATUS = (
    "fuel_mix", "front_brake_bias_percent", "fuel_in_tank_kg", "fuel_capacity_kg", "fuel_remaining_laps",
    "engine_power_ice_w", "engine_power_mguk_w", "ers_store_j", "ers_deploy_mode", "ers_harvested_mguk_j",
    "ers_harvested_mguh_j", "ers_deployed_j",
)  # fmt: skip


T = TypeVar("T")


class Machine:
    """The packets about the cars of one race."""

    def __init__(self, wire: Wire, model: RaceModel) -> None:
        self.wire, self.model = wire, model
        self.cars = len(model.cars)
        self.restricted = [car.driver.car_index for car in model.cars if car.driver.is_restricted]
        laps = max(len(car.energy_laps) for car in model.cars)
        self._energy = {
            name: np.array([[getattr(lap, name) for lap in _padded(car.energy_laps, laps)] for car in model.cars])
            for name in ("fuel_start_kg", "fuel_used_kg", "store_start_j", "deployed_j", "harvested_j")
        }
        stints = max(len(car.stints) for car in model.cars)
        self._compounds = np.array(
            [[COMPOUNDS.index(stint.compound) for stint in _padded(car.stints, stints)] for car in model.cars]
        )

    def telemetry(self, frames: Ints, state: State, gaps_ms: Ints) -> Packets:
        """A CarTelemetry packet for each frame."""
        packets = self.wire.blank("car_telemetry", frames)
        cars = packets["cars"][:, : self.cars]
        throttle, brake = pedals(state)
        curvature = self.model.track.at(self.model.track.curvature_per_m, state.lap_distance_m)
        kmh = state.speed_mps * 3.6
        gear = np.where(kmh < 1, 0, np.searchsorted(GEAR_TOP_KMH, kmh) + 1)
        top = np.append(GEAR_TOP_KMH, 345)[np.maximum(gear, 1) - 1]
        rpm = np.clip(REDLINE_RPM * kmh / top, IDLE_RPM, REDLINE_RPM)
        lights = np.clip((rpm - 9_500) / (REDLINE_RPM - 9_500), 0, 1)
        cars["speed_kmh"] = speed_kmh(state)
        cars["throttle"], cars["brake"] = throttle, brake
        cars["steer"] = np.clip(curvature * 14, -1, 1) * (state.speed_mps > 1)
        cars["gear"], cars["engine_rpm"] = gear, rpm
        cars["rev_lights_percent"] = lights * 100
        cars["rev_lights_bits"] = (1 << np.round(lights * 15).astype(int)) - 1
        cars["brakes_temperature_c"] = (320 + 500 * brake + 0.6 * kmh)[..., None] * np.array([0.9, 0.9, 1.0, 1.0])
        work = np.clip(np.square(state.speed_mps) * np.abs(curvature) / 40, 0, 1)
        cars["tyres_surface_temperature_c"] = (84 + 22 * work)[..., None] + np.array([2, 2, 0, 0])
        cars["tyres_inner_temperature_c"] = (94 + 4 * work)[..., None] + np.array([1, 1, 0, 0])
        cars["engine_temperature_c"] = 108 + 6 * throttle
        cars["tyres_pressure_psi"] = np.array([22.4, 22.4, 24.6, 24.6])
        if self.wire.format < 2026:
            cars["drs"] = self._drs_allowed(state, gaps_ms) & (throttle > 0.8)
        packets["mfd_panel_index"] = packets["mfd_panel_index_secondary"] = 255
        return packets

    def status(self, frames: Ints, state: State, gaps_ms: Ints) -> Packets:
        """A CarStatus packet for each frame."""
        packets = self.wire.blank("car_status", frames)
        cars = packets["cars"][:, : self.cars]
        throttle, _ = pedals(state)
        power = self.energy(state)
        rule = energy.rules(self.wire.format)
        laps_left = (
            self.model.config.laps - (state.lap - 1) - np.maximum(state.lap_distance_m, 0) / self.model.track.length_m
        )
        burn = self._energy["fuel_used_kg"][:, 0]
        cars["anti_lock_brakes"], cars["traction_control"] = 1, 0
        cars["fuel_mix"], cars["front_brake_bias_percent"] = 1, 56
        cars["pit_limiter_status"] = state.pit_status > 0
        cars["fuel_in_tank_kg"], cars["fuel_capacity_kg"] = power["fuel_kg"], FUEL_CAPACITY_KG
        cars["fuel_remaining_laps"] = power["fuel_kg"] / burn - laps_left
        cars["max_rpm"], cars["idle_rpm"], cars["max_gears"] = MAX_RPM, IDLE_RPM, MAX_GEARS
        if self.wire.format < 2026:
            cars["drs_allowed"] = self._drs_allowed(state, gaps_ms)
        else:
            cars["ers_harvest_limit_j"] = rule.harvest_limit_j
        compound = self.compound(state)
        cars["actual_tyre_compound"] = np.array([c.actual_id for c in COMPOUNDS])[compound]
        cars["visual_tyre_compound"] = np.array([c.visual_id for c in COMPOUNDS])[compound]
        cars["tyres_age_laps"] = state.tyre_age_laps
        deploys = (throttle > 0.95) & (state.speed_mps > 40)
        cars["engine_power_ice_w"], cars["engine_power_mguk_w"] = throttle * ICE_W, deploys * 120e3
        cars["ers_store_j"] = power["store_j"]
        cars["ers_deploy_mode"] = np.where(deploys & (gaps_ms < DRS_GAP_MS) & (state.position > 1), 3, 1)
        cars["ers_harvested_mguk_j"] = power["harvested_j"] * rule.harvest_mguk_share
        cars["ers_harvested_mguh_j"] = power["harvested_j"] * (1 - rule.harvest_mguk_share)
        cars["ers_deployed_j"] = power["deployed_j"]
        for name in PRIVATE_STATUS:
            cars[name][:, self.restricted] = 0
        return packets

    def energy(self, state: State) -> dict[str, Array]:
        """Fuel in kg, ERS store and what was deployed and harvested in this lap in J, (frames, cars)."""
        lap = (np.arange(self.cars)[None, :], state.lap - 1)
        shares, at = self.model.shares, state.lap_distance_m
        deployed = self._energy["deployed_j"][lap] * shares.at(shares.deploy, at)
        harvested = self._energy["harvested_j"][lap] * shares.at(shares.harvest, at)
        return {
            "fuel_kg": self._energy["fuel_start_kg"][lap]
            - self._energy["fuel_used_kg"][lap] * shares.at(shares.burn, at),
            "store_j": self._energy["store_start_j"][lap] + harvested - deployed,
            "deployed_j": deployed,
            "harvested_j": harvested,
        }

    def compound(self, state: State) -> Ints:
        """Index into COMPOUNDS of what each car has on."""
        return np.asarray(self._compounds[np.arange(self.cars)[None, :], state.stint])

    def wear_percent(self, state: State) -> Array:
        """(frames, cars, wheels)."""
        share = np.clip(state.lap_distance_m / self.model.track.length_m, 0, 1)
        laps = state.tyre_age_laps + share
        rate = np.array([c.wear_percent for c in COMPOUNDS])[self.compound(state)]
        return np.asarray(np.minimum(laps * rate, 99.0)[..., None] * WHEEL_WEAR)

    def damage(self, frames: Ints, state: State) -> Packets:
        """A CarDamage packet for each frame."""
        packets = self.wire.blank("car_damage", frames)
        cars = packets["cars"][:, : self.cars]
        wear = self.wear_percent(state)
        cars["tyres_wear_percent"] = wear
        cars["tyres_damage_percent"] = wear * 0.8
        if "tyre_blisters_percent" in names_of(cars):
            cars["tyre_blisters_percent"] = np.maximum(wear - 25, 0) * 0.2
        for index, car in enumerate(self.model.cars):
            for incident in car.incidents:
                if incident.kind == "collision":
                    hit = state.time_s >= incident.time_s
                    cars["front_left_wing_damage"][:, index] = np.where(hit, HIT_WING_PERCENT, 0)
            if car.is_retired:
                cars["engine_damage"][:, index] = np.where(state.time_s >= car.retired_s, 100, 0)
        cars["engine_ice_wear"] = ice_wear_percent(state.lap)
        cars[:, self.restricted] = np.zeros((), cars.dtype)
        return packets

    def telemetry_2(self, frames: Ints, state: State, gaps_ms: Ints) -> Packets:
        """A CarTelemetry2 packet for each frame: active aero opens on the straights, overtake within a second."""
        packets = self.wire.blank("car_telemetry_2", frames)
        cars = packets["cars"][:, : self.cars]
        cars["active_aero_available"] = self._in_zone(state)
        cars["active_aero_mode"] = self.opens_wings(state)
        cars["overtake_available"] = (gaps_ms < DRS_GAP_MS) & (state.position > 1) & state.is_racing
        cars["overtake_active"] = self.overtakes(state, gaps_ms)
        cars["has_2026_regulations"] = 1
        return packets

    def opens_wings(self, state: State) -> NDArray[np.bool_]:
        """(frames, cars): active aero in use."""
        throttle, _ = pedals(state)
        return np.asarray(self._in_zone(state) & (throttle > 0.8))

    def overtakes(self, state: State, gaps_ms: Ints) -> NDArray[np.bool_]:
        """(frames, cars): overtake in use."""
        throttle, _ = pedals(state)
        return np.asarray((gaps_ms < DRS_GAP_MS) & (state.position > 1) & state.is_racing & (throttle > 0.95))

    def setup(self, index: int, time_s: float) -> dict[str, float]:
        """A car's setup at a time, by member."""
        car = self.model.cars[index]
        changes = sum(stop.release_s <= time_s for stop in car.stops) if car.driver.is_player else 0
        fuel_kg = float(self._energy["fuel_start_kg"][index, 0])
        return SETUP | {"front_wing": SETUP["front_wing"] + WING_AT_STOP * changes, "fuel_load_kg": fuel_kg}

    def setups(self, frame: int, time_s: float) -> Packets:
        """A CarSetups packet."""
        packets = self.wire.blank("car_setups", np.array([frame]))
        cars = packets["cars"][:, : self.cars]
        setups = [self.setup(index, time_s) for index in range(self.cars)]
        for name in set(setups[0]) & names_of(cars):
            cars[name] = [setup[name] for setup in setups]
        cars[:, self.restricted] = np.zeros((), cars.dtype)
        if "next_front_wing_value" in names_of(packets):
            packets["next_front_wing_value"] = SETUP["front_wing"] + WING_AT_STOP
        return packets

    def tyre_sets(self, frame: int, state: State, index: int) -> Packets:
        """One car's sets of tyres; `state` is that of the one frame."""
        packets = self.wire.blank("tyre_sets", np.array([frame]))
        packet = packets[0]
        packet["car_index"] = index
        if index in self.restricted:
            return packets
        fitted = int(self.compound(state)[0, index])
        sets, at = packet["tyre_sets"], 0
        for number, compound in zip(TYRE_SETS, COMPOUNDS, strict=True):
            group = sets[at : at + number]
            group["actual_tyre_compound"], group["visual_tyre_compound"] = compound.actual_id, compound.visual_id
            group["life_span_laps"] = group["usable_life_laps"] = compound.life_laps
            group["lap_delta_time_ms"] = round(1000 * compound.offset * 80)
            if compound is COMPOUNDS[fitted]:
                packet["fitted_index"] = at
                sets[at]["fitted"], sets[at]["wear_percent"] = 1, self.wear_percent(state)[0, index, 0]
            at += number
        for number, compound_id in ((4, INTERMEDIATE_ID), (3, WET_ID)):
            group = sets[at : at + number]
            group["actual_tyre_compound"] = group["visual_tyre_compound"] = compound_id
            group["life_span_laps"] = group["usable_life_laps"] = 30
            at += number
        sets["available"], sets["recommended_session"] = 1, 15
        return packets

    def _in_zone(self, state: State) -> NDArray[np.bool_]:
        length, at = self.model.track.length_m, state.lap_distance_m
        inside = np.zeros(at.shape, dtype=bool)
        for begin, end in self.model.track.drs_zones:
            inside |= ((at >= begin) & (at <= end)) | (at <= end - length)
        return np.asarray(inside & (state.pit_status == 0) & state.is_racing & (state.time_s > 0)[:, None])

    def _drs_allowed(self, state: State, gaps_ms: Ints) -> NDArray[np.bool_]:
        close = (gaps_ms < DRS_GAP_MS) & (state.position > 1) & (state.lap >= DRS_FROM_LAP)
        return np.asarray(close & self._in_zone(state))


def pedals(state: State) -> tuple[Array, Array]:
    """Throttle and brake, 0 to 1, that make this acceleration at this speed against the drag."""
    force = state.acceleration_mps2 + DRAG_PER_M * np.square(state.speed_mps)
    throttle = np.clip(force / acceleration_limit(state.speed_mps), 0, 1)
    brake = np.clip(-force / braking_limit(state.speed_mps), 0, 1)
    return throttle, brake


def ice_wear_percent(lap: Ints) -> Ints:
    """Of the combustion engine."""
    return np.asarray(4 + lap // 12)


def speed_kmh(state: State) -> Ints:
    """As the game sends it: whole km/h, cut."""
    return np.asarray(state.speed_mps * 3.6, dtype=np.int64)


def _padded(items: tuple[T, ...], count: int) -> list[T]:
    """The items with the last one again and again; what pads is never looked up."""
    return [*items, *[items[-1]] * (count - len(items))]
