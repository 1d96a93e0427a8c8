"""Motion (0) and MotionEx (13): where the cars are on the map, which way they go, and what the player's car feels."""

import numpy as np

from pitlane.simulator.model import RaceModel
from pitlane.simulator.state import Ints, State
from pitlane.simulator.track import DRAG_PER_M, GRAVITY
from pitlane.simulator.wire import Packets, Wire, names_of

UNIT = 32767
"""Directions are unit vectors times this."""
QUANTISED_G = 1000
"""Steps of the g-forces of 2026, judged by what real packets show in corners."""
LANE_M = 1.6
"""How far to the side of the line the cars keep, alternating: on the grid they stand in two rows."""


def motion(wire: Wire, model: RaceModel, frames: Ints, state: State) -> Packets:
    """A Motion packet for each frame."""
    track, count = model.track, len(model.cars)
    at = state.lap_distance_m
    heading = track.at(track.heading_rad, at)
    curvature = track.at(track.curvature_per_m, at)
    forward_x, forward_z = np.sin(heading), np.cos(heading)
    right_x, right_z = -forward_z, forward_x
    side = np.where(state.pit_status > 0, 8.0, LANE_M * (-1.0) ** np.arange(count))
    lateral_g = np.square(state.speed_mps) * curvature / GRAVITY
    longitudinal_g = state.acceleration_mps2 / GRAVITY
    packets = wire.blank("motion", frames)
    cars = packets["cars"][:, :count]
    cars["world_position_x_m"] = track.at(track.x_m, at) + side * right_x
    cars["world_position_y_m"] = track.at(track.y_m, at)
    cars["world_position_z_m"] = track.at(track.z_m, at) + side * right_z
    cars["world_velocity_x_mps"] = state.speed_mps * forward_x
    cars["world_velocity_z_mps"] = state.speed_mps * forward_z
    cars["world_forward_x"], cars["world_forward_z"] = UNIT * forward_x, UNIT * forward_z
    cars["world_right_x"], cars["world_right_z"] = UNIT * right_x, UNIT * right_z
    scale = QUANTISED_G if wire.format >= 2026 else 1
    cars["g_force_lateral"] = np.clip(lateral_g, -6, 6) * scale
    cars["g_force_longitudinal"] = np.clip(longitudinal_g, -6, 6) * scale
    cars["yaw_rad"] = np.arctan2(forward_x, forward_z)
    cars["roll_rad"] = np.clip(lateral_g, -6, 6) * 0.006
    cars["pitch_rad"] = np.clip(longitudinal_g, -6, 6) * -0.004
    return packets


def motion_ex(wire: Wire, model: RaceModel, frames: Ints, state: State) -> Packets:
    """A MotionEx packet for each frame: the player's car alone."""
    player = model.config.player
    speed, acceleration = state.speed_mps[:, player], state.acceleration_mps2[:, player]
    track = model.track
    curvature = track.at(track.curvature_per_m, state.lap_distance_m[:, player])
    load_n = 2000.0 + 1.9 * np.square(speed)
    packets = wire.blank("motion_ex", frames)
    packets["wheel_speed_mps"] = speed[:, None]
    packets["wheel_slip_ratio"] = (acceleration / 400.0)[:, None]
    packets["wheel_slip_angle_rad"] = (curvature * 1.2)[:, None]
    packets["wheel_lateral_force"] = (np.square(speed) * curvature * 200.0)[:, None]
    packets["wheel_longitudinal_force"] = ((acceleration + DRAG_PER_M * np.square(speed)) * 200.0)[:, None]
    packets["wheel_vertical_force"] = load_n[:, None] * np.array([1.06, 1.06, 0.94, 0.94])
    packets["suspension_position_mm"] = (load_n / 400.0)[:, None] * np.array([0.4, 0.4, 1.0, 1.0])
    packets["centre_of_gravity_height_m"] = 0.27 - 3e-6 * load_n
    packets["local_velocity_z_mps"] = speed
    packets["angular_velocity_y_radps"] = speed * curvature
    packets["front_wheels_angle_rad"] = curvature * 3.6
    for name, value in (("front_aero_height_m", 0.030), ("rear_aero_height_m", 0.052)):
        if name in names_of(packets):
            packets[name] = value - 1e-6 * load_n
    return packets
