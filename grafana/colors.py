"""What the values on the dashboard look like: colours of quantities, names of codes, limits where a colour changes."""

from collections.abc import Mapping, Sequence

Labels = Mapping[int, tuple[str, str]]
"""Code → its name and colour."""
Steps = Sequence[tuple[float | None, str]]
"""Limits upwards, each with the colour from there on; the first has none."""

SPEED, RPM, GEAR = "blue", "purple", "#C8D0DA"
THROTTLE, BRAKE = "green", "red"
ERS, DEPLOYED, HARVESTED = "yellow", "orange", "green"
FUEL, LAPS_LEFT = "semi-dark-orange", "super-light-blue"
OFF, GOOD, CARE, BAD, NOTE = "#3A3F47", "green", "yellow", "red", "blue"
WHEELS = {"fl": ("Front left", "blue"), "fr": ("Front right", "light-blue"),
          "rl": ("Rear left", "orange"), "rr": ("Rear right", "light-yellow")}  # fmt: skip

COMPOUNDS = {16: ("Soft", "red"), 17: ("Medium", "yellow"), 18: ("Hard", "#E8E8E8"),
             7: ("Intermediate", "green"), 8: ("Wet", "blue")}  # fmt: skip
GEARS = {-1: ("R", CARE), 0: ("N", GEAR)}
ERS_MODES = {0: ("Off", OFF), 1: ("Medium", NOTE), 2: ("Hotlap", ERS), 3: ("Overtake", BAD)}
FUEL_MIXES = {0: ("Lean", NOTE), 1: ("Standard", OFF), 2: ("Rich", CARE), 3: ("Max", BAD)}
FLAGS = {-1: ("–", OFF), 0: ("None", OFF), 1: ("Green", GOOD), 2: ("Blue", NOTE), 3: ("Yellow", CARE)}
SAFETY_CARS = {0: ("None", OFF), 1: ("Full", CARE), 2: ("Virtual", CARE), 3: ("Formation", NOTE)}
PIT = {0: ("On track", OFF), 1: ("Pitting", NOTE), 2: ("In the pits", NOTE)}

TYRE_SURFACE_C = [(None, "blue"), (75, "green"), (110, "orange"), (125, "red")]
TYRE_CARCASS_C = [(None, "blue"), (80, "green"), (105, "orange"), (115, "red")]
TYRE_WEAR_PCT = [(None, "green"), (40, "yellow"), (60, "orange"), (75, "red")]
ENGINE_RPM = [(None, RPM), (11_000, "orange"), (11_800, "red")]
LAPS_MARGIN = [(None, "red"), (0, "yellow"), (0.3, "green")]
