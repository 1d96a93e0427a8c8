"""The live dashboard: what the driver of one rig does right now.

    python -m grafana.live        writes dashboards/live.json

Three bands: numbers to read at a glance, gauges and lamps, then the last WINDOW_S seconds as curves. Every panel reads
the same stream, so Grafana opens one WebSocket for all of them.
"""

import json
from pathlib import Path

from grafana_foundation_sdk.builders import bargauge, common, gauge, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, TextBoxVariable
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import (
    AxisPlacement,
    BigValueTextMode,
    GraphGradientMode,
    LineInterpolation,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, FieldColorModeId

from grafana import colors
from grafana.panels import (
    WINDOW_S,
    at,
    bars,
    by_threshold,
    colored,
    curve,
    dial,
    fixed,
    labelled,
    numeral,
    setting,
    stepped,
    tiles,
)

FILE = Path(__file__).with_name("dashboards") / "live.json"


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
        numeral("Position", {"position": "Position"}, at(0, 0, 3, 4)).text_mode(BigValueTextMode.VALUE),
        numeral("Lap", {"lap_number": "Lap", "total_laps": "of"}, at(3, 0, 4, 4)),
        numeral("This lap", {"current_lap_time_ms": "This lap"}, at(7, 0, 4, 4))
        .text_mode(BigValueTextMode.VALUE)
        .unit(units.ClockMilliseconds),
        numeral("Last lap", {"last_lap_time_ms": "Last lap"}, at(11, 0, 4, 4))
        .text_mode(BigValueTextMode.VALUE)
        .unit(units.ClockMilliseconds)
        .mappings([labelled({0: ("–", colors.GEAR)})]),
        numeral("Gaps", {"gap_ahead_ms": "Ahead", "gap_leader_ms": "Leader"}, at(15, 0, 5, 4))
        .unit(units.Milliseconds)
        .decimals(2),
        numeral("Tyres", {"visual_tyre_compound": "Compound", "tyre_age_laps": "Age"}, at(20, 0, 4, 4))
        .override_by_name("Compound", [setting("mappings", [labelled(colors.COMPOUNDS)])])
        .override_by_name("Age", [setting("unit", "laps")]),
    ]


def _gauges() -> list[gauge.Panel | stat.Panel | bargauge.Panel]:
    """Height 7, below the numbers: the driver's panel."""
    speed = (
        dial("Speed", {"speed_kmh": "Speed"}, at(0, 4, 5, 7))
        .unit(units.KilometersPerHour)
        .min(0)
        .max(360)
        .color_scheme(fixed(colors.SPEED))
    )
    engine = (
        dial("Engine", {"engine_rpm": "Engine"}, at(5, 4, 5, 7))
        .unit("rpm")
        .min(0)
        .max(13_000)
        .thresholds(stepped(colors.ENGINE_RPM))
        .color_scheme(by_threshold())
    )
    gear = (
        numeral("Gear", {"gear": "Gear"}, at(10, 4, 3, 7))
        .text_mode(BigValueTextMode.VALUE)
        .mappings([labelled(colors.GEARS)])
        .text(common.VizTextDisplayOptions().value_size(110))
    )
    pedals = (
        bars("Pedals", {"throttle": "Throttle", "brake": "Brake"}, at(13, 4, 4, 7))
        .orientation(VizOrientation.VERTICAL)
        .unit(units.PercentUnit)
        .decimals(0)
        .min(0)
        .max(1)
        .override_by_name("Throttle", [colored(colors.THROTTLE)])
        .override_by_name("Brake", [colored(colors.BRAKE)])
    )
    ers = (
        dial("ERS store", {"ers_store_pct": "ERS store"}, at(17, 4, 4, 7))
        .unit(units.Percent)
        .decimals(0)
        .min(0)
        .max(100)
        .color_scheme(fixed(colors.ERS))
    )
    fuel = (
        numeral("Fuel", {"fuel_in_tank_kg": "In the tank", "fuel_remaining_laps": "Laps"}, at(21, 4, 3, 7))
        .description("Laps: in a race the margin over the finish, in other sessions how far the fuel goes.")
        .orientation(VizOrientation.HORIZONTAL)
        .override_by_name(
            "In the tank", [colored(colors.FUEL), setting("unit", units.Kilogram), setting("decimals", 1)]
        )
        .override_by_name(
            "Laps",
            [
                setting("color", {"mode": FieldColorModeId.THRESHOLDS}),
                setting("thresholds", stepped(colors.LAPS_MARGIN).build()),
                setting("decimals", 2),
            ],
        )
    )
    return [speed, engine, gear, pedals, ers, fuel]


def _lamps() -> stat.Panel:
    """Height 3, the whole width: one tile for each switch and signal, grey when there is nothing to see.

    Aero and overtake mode came with 2026, in place of DRS; what a format does not have shows as a dash.
    """
    lamps: dict[str, tuple[str, colors.Labels]] = {
        "drs": ("DRS", {0: ("Closed", colors.OFF), 1: ("Open", colors.GOOD)}),
        "drs_allowed": ("DRS allowed", {0: ("No", colors.OFF), 1: ("Yes", colors.GOOD)}),
        "active_aero_mode": ("Aero", {0: ("Corner", colors.OFF), 1: ("Straight", colors.GOOD)}),
        "overtake_active": ("Overtake", {0: ("Off", colors.OFF), 1: ("On", colors.BAD)}),
        "ers_deploy_mode": ("ERS mode", colors.ERS_MODES),
        "fuel_mix": ("Fuel mix", colors.FUEL_MIXES),
        "pit_limiter": ("Limiter", {0: ("Off", colors.OFF), 1: ("On", colors.NOTE)}),
        "pit_status": ("Pits", colors.PIT),
        "lap_invalid": ("Lap", {0: ("Valid", colors.OFF), 1: ("Invalid", colors.BAD)}),
        "flag": ("Flag", colors.FLAGS),
        "safety_car_status": ("Safety car", colors.SAFETY_CARS),
    }
    panel = tiles("", {name: label for name, (label, _) in lamps.items()}, at(0, 11, 24, 3))
    for label, labels in lamps.values():
        panel.override_by_name(label, [setting("mappings", [labelled(labels)])])
    return panel


def _curves() -> list[timeseries.Panel]:
    """Height 8 each: the last seconds."""
    speed = (
        curve("Speed", {"speed_kmh": "Speed"}, at(0, 14, 12, 8))
        .unit(units.KilometersPerHour)
        .min(0)
        .axis_soft_max(340)
        .fill_opacity(15)
        .gradient_mode(GraphGradientMode.OPACITY)
        .color_scheme(fixed(colors.SPEED))
    )
    engine = (
        curve("Engine and gear", {"engine_rpm": "Engine", "gear": "Gear"}, at(12, 14, 12, 8))
        .override_by_name(
            "Engine",
            [colored(colors.RPM), setting("unit", "rpm"), setting("min", 0), setting("custom.axisSoftMax", 13_000)],
        )
        .override_by_name(
            "Gear",
            [
                colored(colors.GEAR),
                setting("custom.axisPlacement", AxisPlacement.RIGHT),
                setting("custom.lineInterpolation", LineInterpolation.STEP_AFTER),
                setting("decimals", 0),
                setting("min", -1),
                setting("max", 9),
            ],
        )
    )
    pedals = (
        curve("Throttle and brake", {"throttle": "Throttle", "brake": "Brake"}, at(0, 22, 12, 8))
        .unit(units.PercentUnit)
        .decimals(0)
        .min(0)
        .max(1)
        .fill_opacity(10)
        .override_by_name("Throttle", [colored(colors.THROTTLE)])
        .override_by_name("Brake", [colored(colors.BRAKE)])
    )
    energy = {"ers_store_pct": "Store", "ers_deployed_j": "Deployed this lap", "ers_harvested_j": "Harvested this lap"}
    right = setting("custom.axisPlacement", AxisPlacement.RIGHT)
    joules = [right, setting("unit", units.Joule), setting("min", 0), setting("custom.axisSoftMax", 4_000_000)]
    ers = (
        curve("ERS", energy, at(12, 22, 12, 8))
        .override_by_name(
            "Store",
            [
                colored(colors.ERS),
                setting("unit", units.Percent),
                setting("min", 0),
                setting("max", 100),
                setting("custom.fillOpacity", 20),
            ],
        )
        .override_by_name("Deployed this lap", [colored(colors.DEPLOYED), *joules])
        .override_by_name("Harvested this lap", [colored(colors.HARVESTED), *joules])
    )
    fuel = (
        curve("Fuel", {"fuel_in_tank_kg": "In the tank", "fuel_remaining_laps": "Laps"}, at(0, 30, 8, 8))
        .decimals(2)
        .override_by_name("In the tank", [colored(colors.FUEL), setting("unit", units.Kilogram)])
        .override_by_name("Laps", [colored(colors.LAPS_LEFT), setting("unit", "laps"), right])
    )
    return [speed, engine, pedals, ers, fuel]


def _tyres() -> list[timeseries.Panel | bargauge.Panel]:
    surface = curve("Tyre surface", _wheels("tyre_surface_{}_c"), at(8, 30, 8, 8)).unit(units.Celsius).decimals(0)
    for label, color in colors.WHEELS.values():
        surface.override_by_name(label, [colored(color)])
    carcass = (
        bars("Tyre carcass", _wheels("tyre_inner_{}_c"), at(16, 30, 4, 8))
        .unit(units.Celsius)
        .min(40)
        .max(130)
        .thresholds(stepped(colors.TYRE_CARCASS_C))
    )
    wear = (
        bars("Tyre wear", _wheels("tyre_wear_{}_pct"), at(20, 30, 4, 8))
        .unit(units.Percent)
        .decimals(0)
        .min(0)
        .max(100)
        .thresholds(stepped(colors.TYRE_WEAR_PCT))
    )
    return [surface.thresholds(stepped(colors.TYRE_SURFACE_C)), carcass, wear]


def _wheels(name: str) -> dict[str, str]:
    return {name.format(short): label for short, (label, _) in colors.WHEELS.items()}


def text() -> str:
    """The dashboard as Grafana's file provider reads it."""
    return json.dumps(dashboard().build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
