"""Session (1), Participants (4), FinalClassification (8) and LobbyInfo (9): the frame around the race."""

import numpy as np

from pitlane.simulator.events import MECHANICAL_FAILURE
from pitlane.simulator.model import CarRace, RaceModel
from pitlane.simulator.state import FINISHED, RETIRED
from pitlane.simulator.timing import RUNNING_STINT
from pitlane.simulator.wire import Packets, Wire, names_of

RACE = 15
ONLINE_CUSTOM = 4
"""Game mode, as real packets of a custom race show it."""
SESSION_DURATION_S = 7200
FINISHED_REASON = 2
AI_PLATFORM, STEAM = 255, 1
SECOND_COLOUR = (20, 20, 24)
"""Of every livery."""
POINTS = (25, 18, 15, 12, 10, 8, 6, 4, 2, 1)
FORMULA_2026 = 13


class SessionPackets:
    """The packets about the session of one race."""

    def __init__(self, wire: Wire, model: RaceModel) -> None:
        self.wire, self.model, self.config = wire, model, model.config

    def session(self, frame: int, time_s: float) -> Packets:
        """The session as of a frame: a dry day whose track warms up slowly."""
        track = self.model.track
        circuit = track.circuit
        packets = self.wire.blank("session", np.array([frame]))
        packet = packets[0]
        driven_s = max(time_s, 0.0)
        packet["track_temperature_c"], packet["air_temperature_c"] = 31 + int(driven_s // 240) % 8, 23
        packet["total_laps"] = self.config.laps
        packet["track_length_m"] = circuit.length_m
        packet["session_type"] = RACE
        packet["track_id"] = circuit.id
        packet["formula"] = FORMULA_2026 if self.wire.format >= 2026 else 0
        packet["session_duration_s"] = SESSION_DURATION_S
        packet["session_time_left_s"] = max(SESSION_DURATION_S - int(driven_s), 0)
        packet["pit_speed_limit_kmh"] = circuit.pit_limit_kmh
        packet["spectator_car_index"] = 255
        packet["num_marshal_zones"] = 16
        packet["marshal_zones"]["start_fraction"][:16] = np.arange(16) / 16
        packet["network_game"] = int(bool(self.config.restricted))
        packet["num_weather_forecast_samples"] = 3
        forecast = packet["weather_forecast_samples"][:3]
        forecast["session_type"], forecast["time_offset_min"] = RACE, (0, 5, 10)
        forecast["track_temperature_c"], forecast["air_temperature_c"], forecast["rain_percent"] = 31, 23, 2
        packet["ai_difficulty"] = 90
        for name in ("season_link", "weekend_link", "session_link"):
            packet[name] = self.config.session_uid % 2**32
        packet["pit_stop_window_ideal_lap"] = self.config.laps // 2
        packet["pit_stop_window_latest_lap"] = min(self.config.laps // 2 + 2, self.config.laps)
        packet["game_mode"], packet["rule_set"] = ONLINE_CUSTOM, 1
        packet["time_of_day_min"] = 14 * 60 + int(driven_s // 60)
        packet["session_length"] = 3
        if "sector2_start_m" in names_of(packets):
            packet["num_sessions_in_weekend"], packet["weekend_structure"][0] = 1, RACE
            packet["sector2_start_m"], packet["sector3_start_m"] = circuit.sector2_m, circuit.sector3_m
        if "num_drs_zones" in names_of(packets):
            zones = np.array(track.drs_zones) / track.length_m % 1
            for kind in ("drs_zones", "active_aero_zones_full"):
                packet[f"num_{kind}"] = len(zones)
                packet[kind]["start_fraction"][: len(zones)] = zones[:, 0]
                packet[kind]["end_fraction"][: len(zones)] = zones[:, 1]
            packet["start_reaction_time_s"] = self.model.cars[self.config.player].driver.react_s if time_s > 1 else 0
        return packets

    def participants(self, frame: int) -> Packets:
        """Who drives, as of a frame. Empty slots look as in the game: every ID at its highest value."""
        packets = self.wire.blank("participants", np.array([frame]))
        packet = packets[0]
        packet["num_active_cars"] = len(self.model.cars)
        for name in ("driver_id", "network_id", "team_id", "nationality"):
            packet["cars"][name] = np.iinfo(packet["cars"].dtype[name]).max
        for car, row in zip(self.model.cars, packet["cars"], strict=False):
            driver = car.driver
            row["ai_controlled"] = driver.is_ai
            row["driver_id"], row["team_id"] = driver.driver_id, driver.team_id
            row["race_number"], row["nationality"] = driver.race_number, driver.nationality_id
            row["name"] = driver.name.encode()
            row["your_telemetry"] = not driver.is_restricted
            row["show_online_names"] = not driver.is_ai
            row["platform"] = AI_PLATFORM if driver.is_ai else STEAM
            if "num_colours" in names_of(packet["cars"]):
                row["num_colours"] = 2
                row["livery_colours"][0], row["livery_colours"][1] = driver.colour, SECOND_COLOUR
        return packets

    def lobby(self, session_time_s: float) -> Packets:
        """Everybody in the lobby, ready. There is no session yet."""
        packets = self.wire.lobby("lobby_info", session_time_s)
        packet = packets[0]
        packet["num_players"] = len(self.model.cars)
        for car, row in zip(self.model.cars, packet["cars"], strict=False):
            driver = car.driver
            row["ai_controlled"] = driver.is_ai
            row["team_id"], row["nationality"], row["car_number"] = (
                driver.team_id,
                driver.nationality_id,
                driver.race_number,
            )
            row["platform"] = AI_PLATFORM if driver.is_ai else STEAM
            row["name"] = driver.name.encode()
            row["ready_status"] = 1
            if "your_telemetry" in names_of(packet["cars"]):
                row["your_telemetry"], row["show_online_names"] = not driver.is_restricted, not driver.is_ai
        return packets

    def final_classification(self) -> Packets:
        """How it ended, with frame 0."""
        packets = self.wire.closing("final_classification")
        packet = packets[0]
        packet["num_cars"] = len(self.model.cars)
        for position, car in enumerate(self.model.classification(), 1):
            row = packet["cars"][car.driver.car_index]
            row["position"] = position
            row["num_laps"] = car.laps_done
            row["grid_position"] = car.driver.grid_position
            row["points"] = points(position, car)
            row["num_pit_stops"] = len(car.stops)
            row["result_status"], reason = result_ids(car)
            if "result_reason" in names_of(packet["cars"]):
                row["result_reason"] = reason
            row["best_lap_time_ms"] = car.best_lap_ms
            row["total_race_time_s"] = car.finish_ms / 1000
            row["penalties_time_s"] = car.penalties_s
            row["num_penalties"] = car.penalties
            row["num_tyre_stints"] = len(car.stints)
            row["tyre_stints_actual"][: len(car.stints)] = [stint.compound.actual_id for stint in car.stints]
            row["tyre_stints_visual"][: len(car.stints)] = [stint.compound.visual_id for stint in car.stints]
            ends = [*(stop.lap for stop in car.stops), RUNNING_STINT]
            row["tyre_stints_end_laps"][: len(ends)] = ends
        return packets


def points(position: int, car: CarRace) -> int:
    return POINTS[position - 1] if position <= len(POINTS) and not car.is_retired else 0


def result_ids(car: CarRace) -> tuple[int, int]:
    """Result status and result reason."""
    return (RETIRED, MECHANICAL_FAILURE) if car.is_retired else (FINISHED, FINISHED_REASON)
