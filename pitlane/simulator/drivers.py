"""Who drives: an invented field. Any likeness to real drivers is an accident; the teams bear the game's IDs.

Nationalities are the game's IDs. The first eleven pairs fill a grid of 22, the twelfth one of 24.
"""

from dataclasses import dataclass

import numpy as np

from pitlane.simulator.config import RaceConfig

NAMES = (
    ("Ada VEGA", 77), ("Björn ÅKERLUND", 27), ("Chiara ROSSETTI", 41), ("Duncan FERRIER", 10), ("Émile GARNIER", 28),
    ("Finn MARLOWE", 54), ("Gita RAO", 10), ("Hugo VAN DAELE", 22), ("Inés CALDERÓN", 52), ("Jonas WEISS", 29),
    ("Kenji MORI", 43), ("Lou TREMBLAY", 28), ("Mateo IBARRA", 2), ("Nora LINDQVIST", 27), ("Otis BARLOW", 3),
    ("Pavel DVOŘÁK", 29), ("Quinn HARPER", 10), ("Rosa MÜLLER", 29), ("Samir NASSER", 53), ("Tess KOWALSKA", 22),
    ("Uma O'BRIEN", 10), ("Viktor SØRBY", 27), ("Wren ASHDOWN", 3), ("Yuki TANABE", 43),
)  # fmt: skip

NUMBERS = (4, 7, 11, 16, 18, 22, 24, 27, 31, 34, 40, 44, 51, 55, 58, 63, 66, 71, 77, 81, 86, 89, 94, 97)

TEAMS_UNTIL_2025 = (*range(10), 41, 104)
TEAMS_2026 = (*range(476, 487), 104)
"""Seen in packets of the 2026 pack; 104 is the game's custom team."""

COLOURS = (
    (0, 190, 170), (220, 30, 40), (40, 80, 190), (120, 190, 240), (20, 120, 90), (255, 120, 180), (100, 140, 255),
    (230, 230, 235), (255, 128, 0), (80, 220, 60), (190, 150, 60), (150, 60, 200),
)  # fmt: skip


@dataclass(frozen=True)
class Driver:
    """`pace` is the factor on the best possible lap time, `react_s` the delay at lights out."""

    car_index: int
    name: str
    race_number: int
    nationality_id: int
    driver_id: int
    team_id: int
    colour: tuple[int, int, int]
    is_player: bool
    is_restricted: bool
    pace: float
    react_s: float
    grid_position: int

    @property
    def is_ai(self) -> bool:
        """The player and those who can restrict their telemetry are people."""
        return not (self.is_player or self.is_restricted)


def field(config: RaceConfig, rng: np.random.Generator) -> tuple[Driver, ...]:
    """The drivers by car index. The grid follows their pace, with a qualifying session's luck."""
    teams = TEAMS_2026 if config.packet_format >= 2026 else TEAMS_UNTIL_2025
    machines = rng.permutation(np.linspace(0.0, 0.014, len(teams)))
    pace = 1.02 + np.array([machines[car // 2] for car in range(config.cars)]) + rng.uniform(0, 0.006, config.cars)
    grid = np.argsort(np.argsort(pace + rng.normal(0, 0.003, config.cars))) + 1
    react = rng.uniform(0.18, 0.45, config.cars)
    no_driver = 65535 if config.packet_format >= 2026 else 255
    return tuple(
        Driver(
            car_index=car,
            name=NAMES[car][0],
            race_number=NUMBERS[car],
            nationality_id=NAMES[car][1],
            driver_id=no_driver if car == config.player or car in config.restricted else 200 + car,
            team_id=teams[car // 2],
            colour=COLOURS[car // 2],
            is_player=car == config.player,
            is_restricted=car in config.restricted,
            pace=float(pace[car]),
            react_s=float(react[car]),
            grid_position=int(grid[car]),
        )
        for car in range(config.cars)
    )
