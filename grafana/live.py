"""The live dashboard: what the driver of one rig does right now.

    python -m grafana.live        writes dashboards/live.json

Three bands: numbers to read at a glance, gauges and lamps, then the last WINDOW_S seconds as curves. Every panel reads
the same stream, so Grafana opens one WebSocket for all of them.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, gauge, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, FieldColor, TextBoxVariable, ThresholdsConfig
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import (
    AxisPlacement,
    BarGaugeDisplayMode,
    BarGaugeValueMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphGradientMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from grafana.stream import DATASOURCE, Stream

FILE = Path(__file__).with_name("dashboards") / "live.json"

RATE_HZ = 10
"""What the data source asks the gateway for (`hz` in provisioning/datasources)."""
WINDOW_S = 40
"""About half a lap. A panel parses all its messages again for each new one, so a longer window costs the browser."""
LATEST = 5
"""Messages that a panel keeps which shows the newest value only."""
NEWEST = common.ReduceDataOptions().calcs(["lastNotNull"])

STREAM = "$stream"

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

Labels = Mapping[int, tuple[str, str]]
Steps = Sequence[tuple[float | None, str]]
P = TypeVar("P", stat.Panel, gauge.Panel, bargauge.Panel, timeseries.Panel)


def dashboard() -> Dashboard:
    board = (
        Dashboard("Pitlane live")
        .uid("pitlane-live")
        .description("The followed car of one rig, as the gateway's WebSocket sends it.")
        .tags(["pitlane"])
        .editable()
        .timezone("browser")
        .time(f"now-{WINDOW_S}s", "now")
        .live_now(True)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            TextBoxVariable("stream")
            .label("Stream")
            .description("live/car: the rig that drives. live/rig/NAME: one rig, by the name its datagrams come under.")
            .default_value("live/car")
        )
    )
    for panel in (*_numbers(), *_gauges(), _lamps(), *_curves(), *_tyres()):
        board.with_panel(panel)
    for number, built in enumerate(board.build().panels or [], start=1):
        built.id_val = number
    return board


def _numbers() -> list[stat.Panel]:
    """Height 4, at the top: where the car is in the race."""
    return [
        _numeral("Position", {"position": "Position"}, _at(0, 0, 3, 4)).text_mode(BigValueTextMode.VALUE),
        _numeral("Lap", {"lap_number": "Lap", "total_laps": "of"}, _at(3, 0, 4, 4)),
        _numeral("This lap", {"current_lap_time_ms": "This lap"}, _at(7, 0, 4, 4))
        .text_mode(BigValueTextMode.VALUE)
        .unit(units.ClockMilliseconds),
        _numeral("Last lap", {"last_lap_time_ms": "Last lap"}, _at(11, 0, 4, 4))
        .text_mode(BigValueTextMode.VALUE)
        .unit(units.ClockMilliseconds)
        .mappings([_labels({0: ("–", GEAR)})]),
        _numeral("Gaps", {"gap_ahead_ms": "Ahead", "gap_leader_ms": "Leader"}, _at(15, 0, 5, 4))
        .unit(units.Milliseconds)
        .decimals(2),
        _numeral("Tyres", {"visual_tyre_compound": "Compound", "tyre_age_laps": "Age"}, _at(20, 0, 4, 4))
        .override_by_name("Compound", [_set("mappings", [_labels(COMPOUNDS)])])
        .override_by_name("Age", [_set("unit", "laps")]),
    ]


def _gauges() -> list[gauge.Panel | stat.Panel | bargauge.Panel]:
    """Height 7, below the numbers: the driver's panel."""
    speed = (
        _gauge("Speed", {"speed_kmh": "Speed"}, _at(0, 4, 5, 7))
        .unit(units.KilometersPerHour)
        .min(0)
        .max(360)
        .color_scheme(_fixed(SPEED))
    )
    engine = (
        _gauge("Engine", {"engine_rpm": "Engine"}, _at(5, 4, 5, 7))
        .unit("rpm")
        .min(0)
        .max(13_000)
        .thresholds(_steps(ENGINE_RPM))
        .color_scheme(_by_threshold())
    )
    gear = (
        _numeral("Gear", {"gear": "Gear"}, _at(10, 4, 3, 7))
        .text_mode(BigValueTextMode.VALUE)
        .mappings([_labels(GEARS)])
        .text(common.VizTextDisplayOptions().value_size(110))
    )
    pedals = (
        _bars("Pedals", {"throttle": "Throttle", "brake": "Brake"}, _at(13, 4, 4, 7))
        .orientation(VizOrientation.VERTICAL)
        .unit(units.PercentUnit)
        .decimals(0)
        .min(0)
        .max(1)
        .override_by_name("Throttle", [_color(THROTTLE)])
        .override_by_name("Brake", [_color(BRAKE)])
    )
    ers = (
        _gauge("ERS store", {"ers_store_pct": "ERS store"}, _at(17, 4, 4, 7))
        .unit(units.Percent)
        .decimals(0)
        .min(0)
        .max(100)
        .color_scheme(_fixed(ERS))
    )
    fuel = (
        _numeral("Fuel", {"fuel_in_tank_kg": "In the tank", "fuel_remaining_laps": "Laps"}, _at(21, 4, 3, 7))
        .description("Laps: in a race the margin over the finish, in other sessions how far the fuel goes.")
        .orientation(VizOrientation.HORIZONTAL)
        .override_by_name("In the tank", [_color(FUEL), _set("unit", units.Kilogram), _set("decimals", 1)])
        .override_by_name(
            "Laps",
            [
                _set("color", {"mode": FieldColorModeId.THRESHOLDS}),
                _set("thresholds", _steps(LAPS_MARGIN).build()),
                _set("decimals", 2),
            ],
        )
    )
    return [speed, engine, gear, pedals, ers, fuel]


def _lamps() -> stat.Panel:
    """Height 3, the whole width: one tile for each switch and signal, grey when there is nothing to see.

    Aero and overtake mode came with 2026, in place of DRS; what a format does not have shows as a dash.
    """
    lamps: dict[str, tuple[str, Labels]] = {
        "drs": ("DRS", {0: ("Closed", OFF), 1: ("Open", GOOD)}),
        "drs_allowed": ("DRS allowed", {0: ("No", OFF), 1: ("Yes", GOOD)}),
        "active_aero_mode": ("Aero", {0: ("Corner", OFF), 1: ("Straight", GOOD)}),
        "overtake_active": ("Overtake", {0: ("Off", OFF), 1: ("On", BAD)}),
        "ers_deploy_mode": ("ERS mode", ERS_MODES),
        "fuel_mix": ("Fuel mix", FUEL_MIXES),
        "pit_limiter": ("Limiter", {0: ("Off", OFF), 1: ("On", NOTE)}),
        "pit_status": ("Pits", PIT),
        "lap_invalid": ("Lap", {0: ("Valid", OFF), 1: ("Invalid", BAD)}),
        "flag": ("Flag", FLAGS),
        "safety_car_status": ("Safety car", SAFETY_CARS),
    }
    panel = (
        _panel(stat.Panel(), "", {name: label for name, (label, _) in lamps.items()}, _at(0, 11, 24, 3), LATEST)
        .reduce_options(NEWEST)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.BACKGROUND_SOLID)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .orientation(VizOrientation.VERTICAL)
        .color_scheme(_fixed(OFF))
        .text(common.VizTextDisplayOptions().title_size(12).value_size(20))
    )
    for label, labels in lamps.values():
        panel.override_by_name(label, [_set("mappings", [_labels(labels)])])
    return panel


def _curves() -> list[timeseries.Panel]:
    """Height 8 each: the last seconds."""
    speed = (
        _curve("Speed", {"speed_kmh": "Speed"}, _at(0, 14, 12, 8))
        .unit(units.KilometersPerHour)
        .min(0)
        .axis_soft_max(340)
        .fill_opacity(15)
        .gradient_mode(GraphGradientMode.OPACITY)
        .color_scheme(_fixed(SPEED))
    )
    engine = (
        _curve("Engine and gear", {"engine_rpm": "Engine", "gear": "Gear"}, _at(12, 14, 12, 8))
        .override_by_name(
            "Engine", [_color(RPM), _set("unit", "rpm"), _set("min", 0), _set("custom.axisSoftMax", 13_000)]
        )
        .override_by_name(
            "Gear",
            [
                _color(GEAR),
                _set("custom.axisPlacement", AxisPlacement.RIGHT),
                _set("custom.lineInterpolation", LineInterpolation.STEP_AFTER),
                _set("decimals", 0),
                _set("min", -1),
                _set("max", 9),
            ],
        )
    )
    pedals = (
        _curve("Throttle and brake", {"throttle": "Throttle", "brake": "Brake"}, _at(0, 22, 12, 8))
        .unit(units.PercentUnit)
        .decimals(0)
        .min(0)
        .max(1)
        .fill_opacity(10)
        .override_by_name("Throttle", [_color(THROTTLE)])
        .override_by_name("Brake", [_color(BRAKE)])
    )
    energy = {"ers_store_pct": "Store", "ers_deployed_j": "Deployed this lap", "ers_harvested_j": "Harvested this lap"}
    right = _set("custom.axisPlacement", AxisPlacement.RIGHT)
    joules = [right, _set("unit", units.Joule), _set("min", 0), _set("custom.axisSoftMax", 4_000_000)]
    ers = (
        _curve("ERS", energy, _at(12, 22, 12, 8))
        .override_by_name(
            "Store",
            [
                _color(ERS),
                _set("unit", units.Percent),
                _set("min", 0),
                _set("max", 100),
                _set("custom.fillOpacity", 20),
            ],
        )
        .override_by_name("Deployed this lap", [_color(DEPLOYED), *joules])
        .override_by_name("Harvested this lap", [_color(HARVESTED), *joules])
    )
    fuel = (
        _curve("Fuel", {"fuel_in_tank_kg": "In the tank", "fuel_remaining_laps": "Laps"}, _at(0, 30, 8, 8))
        .decimals(2)
        .override_by_name("In the tank", [_color(FUEL), _set("unit", units.Kilogram)])
        .override_by_name("Laps", [_color(LAPS_LEFT), _set("unit", "laps"), right])
    )
    return [speed, engine, pedals, ers, fuel]


def _tyres() -> list[timeseries.Panel | bargauge.Panel]:
    surface = _curve("Tyre surface", _wheels("tyre_surface_{}_c"), _at(8, 30, 8, 8)).unit(units.Celsius).decimals(0)
    for label, color in WHEELS.values():
        surface.override_by_name(label, [_color(color)])
    carcass = (
        _bars("Tyre carcass", _wheels("tyre_inner_{}_c"), _at(16, 30, 4, 8))
        .unit(units.Celsius)
        .min(40)
        .max(130)
        .thresholds(_steps(TYRE_CARCASS_C))
    )
    wear = (
        _bars("Tyre wear", _wheels("tyre_wear_{}_pct"), _at(20, 30, 4, 8))
        .unit(units.Percent)
        .decimals(0)
        .min(0)
        .max(100)
        .thresholds(_steps(TYRE_WEAR_PCT))
    )
    return [surface.thresholds(_steps(TYRE_SURFACE_C)), carcass, wear]


def _wheels(name: str) -> dict[str, str]:
    return {name.format(short): label for short, (label, _) in WHEELS.items()}


def _panel(panel: P, title: str, fields: Mapping[str, str], place: GridPos, messages: int) -> P:
    return (
        panel.title(title)
        .datasource(DATASOURCE)
        .grid_pos(place)
        .max_data_points(messages)
        .with_target(Stream(STREAM, fields))
        .no_value("–")
    )


def _numeral(title: str, fields: Mapping[str, str], place: GridPos) -> stat.Panel:
    return (
        _panel(stat.Panel(), title, fields, place, LATEST)
        .reduce_options(NEWEST)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .color_scheme(_fixed(GEAR))
    )


def _gauge(title: str, fields: Mapping[str, str], place: GridPos) -> gauge.Panel:
    return (
        _panel(gauge.Panel(), title, fields, place, LATEST)
        .reduce_options(NEWEST)
        .show_threshold_markers(False)
        .show_threshold_labels(False)
    )


def _bars(title: str, fields: Mapping[str, str], place: GridPos) -> bargauge.Panel:
    return (
        _panel(bargauge.Panel(), title, fields, place, LATEST)
        .reduce_options(NEWEST)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .value_mode(BarGaugeValueMode.TEXT)
        .orientation(VizOrientation.HORIZONTAL)
        .show_unfilled(True)
        .color_scheme(_by_threshold())
    )


def _curve(title: str, fields: Mapping[str, str], place: GridPos) -> timeseries.Panel:
    return (
        _panel(timeseries.Panel(), title, fields, place, RATE_HZ * WINDOW_S)
        .line_width(2)
        .show_points(VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(len(fields) > 1)
            .calcs(["lastNotNull"])
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )


def _at(x: int, y: int, w: int, h: int) -> GridPos:
    return GridPos(x=x, y=y, w=w, h=h)


def _set(setting: str, value: object) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=setting, value=value)


def _color(color: str) -> DynamicConfigValue:
    return _set("color", _fixed(color).build())


def _fixed(color: str) -> FieldColor:
    return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(color)


def _by_threshold() -> FieldColor:
    return FieldColor().mode(FieldColorModeId.THRESHOLDS)


def _steps(steps: Steps) -> ThresholdsConfig:
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=color) for value, color in steps])
    )


def _labels(labels: Labels) -> ValueMap:
    return ValueMap(
        {
            str(value): ValueMappingResult(text=text, color=color, index=place)
            for place, (value, (text, color)) in enumerate(labels.items())
        }
    )


def text() -> str:
    """The dashboard as Grafana's file provider reads it."""
    return json.dumps(dashboard().build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
