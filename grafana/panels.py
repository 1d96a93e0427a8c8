"""The kinds of panel on the live dashboard. Each reads fields of the stream, which are given as name → label."""

from collections.abc import Mapping
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, gauge, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeValueMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from grafana import colors
from grafana.stream import DATASOURCE, Stream

RATE_HZ = 10
"""What the data source asks the gateway for (`hz` in provisioning/datasources)."""
WINDOW_S = 40
"""About half a lap. A panel parses all its messages again for each new one, so a longer window costs the browser."""
LATEST = 5
"""Messages that a panel keeps which shows the newest value only."""
NEWEST = common.ReduceDataOptions().calcs(["lastNotNull"])

STREAM = "$stream"

P = TypeVar("P", stat.Panel, gauge.Panel, bargauge.Panel, timeseries.Panel)


def _panel(panel: P, title: str, fields: Mapping[str, str], place: GridPos, messages: int) -> P:
    return (
        panel.title(title)
        .datasource(DATASOURCE)
        .grid_pos(place)
        .max_data_points(messages)
        .with_target(Stream(STREAM, fields))
        .no_value("–")
    )


def numeral(title: str, fields: Mapping[str, str], place: GridPos) -> stat.Panel:
    """Numbers to read at a glance, Grafana's stat."""
    return (
        _panel(stat.Panel(), title, fields, place, LATEST)
        .reduce_options(NEWEST)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .color_scheme(fixed(colors.GEAR))
    )


def tiles(title: str, fields: Mapping[str, str], place: GridPos) -> stat.Panel:
    """Numerals on coloured ground, side by side."""
    return (
        _panel(stat.Panel(), title, fields, place, LATEST)
        .reduce_options(NEWEST)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.BACKGROUND_SOLID)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .orientation(VizOrientation.VERTICAL)
        .color_scheme(fixed(colors.OFF))
        .text(common.VizTextDisplayOptions().title_size(12).value_size(20))
    )


def dial(title: str, fields: Mapping[str, str], place: GridPos) -> gauge.Panel:
    """Grafana's gauge."""
    return (
        _panel(gauge.Panel(), title, fields, place, LATEST)
        .reduce_options(NEWEST)
        .show_threshold_markers(False)
        .show_threshold_labels(False)
    )


def bars(title: str, fields: Mapping[str, str], place: GridPos) -> bargauge.Panel:
    """Grafana's bar gauge."""
    return (
        _panel(bargauge.Panel(), title, fields, place, LATEST)
        .reduce_options(NEWEST)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .value_mode(BarGaugeValueMode.TEXT)
        .orientation(VizOrientation.HORIZONTAL)
        .show_unfilled(True)
        .color_scheme(by_threshold())
    )


def curve(title: str, fields: Mapping[str, str], place: GridPos) -> timeseries.Panel:
    """The last WINDOW_S seconds, Grafana's time series."""
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


def at(x: int, y: int, w: int, h: int) -> GridPos:
    return GridPos(x=x, y=y, w=w, h=h)


def setting(name: str, value: object) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=name, value=value)


def colored(color: str) -> DynamicConfigValue:
    return setting("color", fixed(color).build())


def fixed(color: str) -> FieldColor:
    return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(color)


def by_threshold() -> FieldColor:
    return FieldColor().mode(FieldColorModeId.THRESHOLDS)


def stepped(steps: colors.Steps) -> ThresholdsConfig:
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=color) for value, color in steps])
    )


def labelled(labels: colors.Labels) -> ValueMap:
    return ValueMap(
        {
            str(value): ValueMappingResult(text=text, color=color, index=place)
            for place, (value, (text, color)) in enumerate(labels.items())
        }
    )
