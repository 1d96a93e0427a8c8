"""Circuits: a closed line of the real length, and how fast a car can go around it.

The outlines are drawn by hand, right in character and not in detail; lengths, IDs and sectors are the game's.
A lap is a uniform grid of about 5 m. The speed profile is the classic three passes: what grip allows in each bend,
then what the engine can reach going forward, then what the brakes can shed going backward.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRAVITY = 9.81
GRIP = 1.75
"""Lateral g at standstill; AERO_GRIP adds to it with the square of the speed (about 4.5 g at 300 km/h)."""
AERO_GRIP = 4.0e-4
ENGINE_W_PER_KG = 900.0
TRACTION_MPS2 = 11.0
BRAKES_MPS2 = 16.0
DRAG_PER_M = 1.15e-3
"""Deceleration by drag is this times the speed squared; with the engine it gives a top speed of about 330 km/h."""
STEP_M = 5.0
SMOOTHING_HARMONICS = 42
"""The drawn corners are rounded by damping all harmonics of the outline from about this one on."""


@dataclass(frozen=True)
class Circuit:
    """What is drawn: `outline` in any unit, from the line on in driving direction. Fractions are of the lap."""

    id: int
    name: str
    length_m: int
    sector2_m: float
    sector3_m: float
    outline: tuple[tuple[float, float], ...]
    trap_fraction: float
    pit_entry_m: float = 330.0
    """Before the line."""
    pit_exit_m: float = 340.0
    """After the line; the garages lie between."""
    pit_limit_kmh: int = 80
    hill_m: float = 12.0


TRACKS = {
    "catalunya": Circuit(
        4, "Catalunya", 4664, 1624.0, 3409.6,
        ((0, 0), (330, 0), (660, 0), (730, 25), (775, 70), (850, 85), (960, 80), (1060, 120), (1100, 210), (1060, 300),
         (930, 345), (700, 375), (620, 420), (610, 490), (560, 530), (480, 500), (465, 420), (410, 380), (330, 400),
         (300, 470), (320, 560), (270, 640), (80, 690), (-180, 720), (-270, 690), (-280, 610), (-200, 560), (-60, 510),
         (40, 450), (60, 360), (-10, 310), (-150, 320), (-290, 330), (-380, 290), (-400, 200), (-360, 110), (-300, 40),
         (-200, 5), (-100, 0)),
        trap_fraction=0.125,
    ),
    "melbourne": Circuit(
        0, "Melbourne", 5276, 1757.0, 3178.6,
        ((0, 0), (250, 10), (330, 60), (390, 50), (700, 60), (930, 90), (960, 170), (1040, 200), (1180, 190),
         (1250, 260), (1200, 360), (1080, 420), (960, 520), (820, 590), (620, 610), (420, 580), (240, 600), (60, 640),
         (-40, 600), (-60, 520), (-180, 470), (-300, 420), (-340, 320), (-280, 260), (-300, 160), (-240, 60), (-120, 10)),
        trap_fraction=0.165,
    ),
    "monza": Circuit(
        11, "Monza", 5798, 1897.8, 3727.0,
        ((0, 0), (400, 0), (800, 0), (830, 40), (880, 20), (1100, 40), (1260, 120), (1330, 260), (1330, 480),
         (1370, 520), (1340, 560), (1340, 720), (1310, 830), (1220, 850), (1120, 760), (940, 620), (760, 480),
         (660, 400), (620, 420), (580, 360), (500, 330), (200, 250), (-200, 200), (-420, 180), (-500, 120), (-470, 40),
         (-360, 5), (-180, 0)),
        trap_fraction=0.105,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Track:
    """A circuit on its grid: arrays of n + 1 knots from the line to the line. `speed_mps` is a car's best."""

    circuit: Circuit
    distance_m: Array
    x_m: Array
    y_m: Array
    z_m: Array
    heading_rad: Array
    """Unwrapped; atan2(x, z) of the driving direction, as the game's yaw."""
    curvature_per_m: Array
    speed_mps: Array
    drs_zones: tuple[tuple[float, float], ...]
    """Start and end in metres of the long straights; an end may lie behind the line, above the length."""

    @property
    def length_m(self) -> float:
        return float(self.circuit.length_m)

    def snap(self, distance_m: float) -> int:
        """Index of the knot nearest to a distance."""
        return round(distance_m / float(self.distance_m[1]))

    @property
    def sector_ends(self) -> tuple[int, int, int]:
        """Knots at which the sectors end."""
        last = len(self.distance_m) - 1
        return self.snap(self.circuit.sector2_m), self.snap(self.circuit.sector3_m), last

    def at(self, values: Array, lap_distance_m: Array) -> Array:
        """Values of one of the arrays at any distances, before the line and behind it too."""
        return np.interp(np.mod(lap_distance_m, self.length_m), self.distance_m, values)


def acceleration_limit(speed_mps: Array | float) -> Array:
    """m/s² the engine can give at this speed, drag not taken off."""
    return np.minimum(TRACTION_MPS2, ENGINE_W_PER_KG / np.maximum(speed_mps, 1.0))


def braking_limit(speed_mps: Array | float) -> Array:
    """m/s² the brakes can take off, drag not counted."""
    return np.asarray(BRAKES_MPS2 + 3.5e-3 * np.square(speed_mps))


@cache
def load(name: str) -> Track:
    """The track of that name in TRACKS."""
    circuit = TRACKS[name]
    x, z = _closed_line(circuit)
    distance = np.linspace(0.0, circuit.length_m, len(x))
    step = distance[1]
    dx, dz = _slope(x, step), _slope(z, step)
    heading = np.unwrap(np.arctan2(dx, dz))
    turn = np.diff(heading, append=heading[1] + heading[-1] - heading[0])
    curvature = turn / step
    curvature[-1] = curvature[0]
    phase = 2 * np.pi * distance / circuit.length_m
    hills = circuit.hill_m * (np.sin(phase + 0.6) + 0.4 * np.sin(3 * phase))
    speed = _speed_profile(curvature, step)
    return Track(circuit, distance, x, hills - hills[0], z, heading, curvature, speed, _straights(distance, curvature))


def _closed_line(circuit: Circuit) -> tuple[Array, Array]:
    """The outline rounded, of exactly the circuit's length, at equal steps along itself."""
    points = np.array([complex(*point) for point in circuit.outline])
    knots = round(circuit.length_m / STEP_M)
    line = _resample(points, knots)
    harmonics = np.fft.fftfreq(knots, 1 / knots)
    line = np.fft.ifft(np.fft.fft(line) * np.exp(-((harmonics / SMOOTHING_HARMONICS) ** 2)))
    line = _resample(line, knots)
    closed = np.append(line, line[0])
    closed *= circuit.length_m / np.abs(np.diff(closed)).sum()
    return closed.real.copy(), closed.imag.copy()


def _resample(points: NDArray[np.complex128], count: int) -> NDArray[np.complex128]:
    closed = np.append(points, points[0])
    along = np.concatenate([[0.0], np.abs(np.diff(closed)).cumsum()])
    at = np.linspace(0, along[-1], count, endpoint=False)
    return np.asarray(np.interp(at, along, closed.real) + 1j * np.interp(at, along, closed.imag))


def _slope(values: Array, step: float) -> Array:
    """Derivative along a closed line whose last knot is its first."""
    slope = (np.append(values[1:], values[1]) - np.append(values[-2], values[:-1])) / (2 * step)
    return np.asarray(slope)


def _speed_profile(curvature: Array, step: float) -> Array:
    bend = np.abs(curvature)
    aero = GRAVITY * AERO_GRIP
    with np.errstate(divide="ignore"):
        allowed = np.where(bend > aero, np.sqrt(GRAVITY * GRIP / np.maximum(bend - aero, 1e-9)), np.inf)
    speed = np.minimum(allowed[:-1], 95.0)
    # Twice around, so that the pass begins with the speed that it ends with.
    for i in range(2 * len(speed)):
        before, here = speed[(i - 1) % len(speed)], i % len(speed)
        push = float(acceleration_limit(before)) - DRAG_PER_M * before**2
        speed[here] = min(speed[here], np.sqrt(before**2 + 2 * push * step))
    for i in range(2 * len(speed), 0, -1):
        after, here = speed[(i + 1) % len(speed)], i % len(speed)
        push = float(braking_limit(after)) + DRAG_PER_M * after**2
        speed[here] = min(speed[here], np.sqrt(after**2 + 2 * push * step))
    return np.append(speed, speed[0])


def _straights(distance: Array, curvature: Array) -> tuple[tuple[float, float], ...]:
    """Stretches of at least 300 m with next to no bend, where DRS may be used."""
    straight = np.abs(curvature) < 1 / 700
    edges = np.flatnonzero(np.diff(np.concatenate([[0], straight.astype(int), [0]])))
    zones = [(float(distance[a]), float(distance[b - 1])) for a, b in edges.reshape(-1, 2)]
    length = float(distance[-1])
    if len(zones) > 1 and zones[0][0] == 0.0 and zones[-1][1] == length:  # one straight, cut by the line
        zones = [*zones[1:-1], (zones[-1][0], length + zones[0][1])]
    return tuple((a + 50.0, b) for a, b in zones if b - a > 300.0)[:4]
