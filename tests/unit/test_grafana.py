"""The provisioned Grafana files: current, read back whole by Grafana's own models, and fitting the live message.

What the gateway really sends is held against the queries in tests/integration/test_grafana_gateway.py.
"""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import live, panels
from udp_gateway.message import FIELDS
from udp_gateway.reference import SCHEMA_FILE

GRAFANA = Path(live.__file__).parent
DASHBOARD = json.loads(live.FILE.read_text(encoding="utf-8"))
PANELS = DASHBOARD["panels"]
UNITS = {value for name, value in vars(units).items() if name[0].isupper()} | {"rpm", "laps"}  # others are suffixes
NAMED_COLORS = re.compile(r"(super-light-|light-|semi-dark-|dark-)?(red|orange|yellow|green|blue|purple)|#[0-9A-F]{6}")

# Every setting of a field that the dashboard may override, as Grafana names it.
OVERRIDABLE = {
    "color", "unit", "decimals", "min", "max", "mappings", "thresholds",
    "custom.axisPlacement", "custom.axisSoftMax", "custom.fillOpacity", "custom.lineInterpolation",
}  # fmt: skip


def provisioned(kind: str) -> dict:
    return yaml.safe_load((GRAFANA / "provisioning" / kind / "pitlane.yaml").read_text(encoding="utf-8"))


def datasources() -> dict[str, dict]:
    return {source["uid"]: source for source in provisioned("datasources")["datasources"]}


def walk(value):
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(part)


def test_the_file_is_what_the_code_makes():
    assert live.FILE.read_text(encoding="utf-8") == live.text(), "run: python -m grafana.live"


def test_grafanas_models_read_everything_back():
    # A member that the models of Grafana 11.6 do not know would be gone after the round trip.
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(DASHBOARD), cls=JSONEncoder))
    assert again == DASHBOARD


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"] or "lamps")
class TestPanel:
    def test_its_queries_fit_the_live_message(self, panel):
        schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))["properties"]
        table = {field.name: field for field in FIELDS}
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target["withStreaming"] is True
            assert not target["path"].startswith("/")
            first, *others = target["fields"]
            assert (first["jsonPath"], first["type"]) == ("$.ts", "time")
            assert others
            for field in target["fields"]:
                assert field["language"] == "jsonpath"
                name = re.fullmatch(r"\$\.([a-z0-9_]+)", field["jsonPath"])[1]
                assert name in table, f"{name} is no field of the live message"
                number = {"integer", "number"} & set(schema[name]["type"] if name != "ts" else ["integer"])
                assert field["type"] in ({"number", "time"} if number else {"string"})

    def test_its_data_source_is_provisioned(self, panel):
        source = datasources()[panel["datasource"]["uid"]]
        assert source["type"] == panel["datasource"]["type"]

    def test_its_overrides_name_its_fields_and_known_settings(self, panel):
        labels = [field["name"] for target in panel["targets"] for field in target["fields"]]
        assert len(labels) == len(set(labels))
        for override in panel["fieldConfig"]["overrides"]:
            assert override["matcher"]["id"] == "byName"
            assert override["matcher"]["options"] in labels
            assert {setting["id"] for setting in override["properties"]} <= OVERRIDABLE

    def test_units_and_colours_are_grafanas(self, panel):
        config = panel["fieldConfig"]
        used = {part["unit"] for part in walk(config) if isinstance(part, dict) and "unit" in part}
        used |= {part["value"] for part in walk(config) if isinstance(part, dict) and part.get("id") == "unit"}
        assert used <= UNITS
        for part in walk(config):
            if isinstance(part, dict):
                for key in {"color", "fixedColor"} & set(part):
                    if isinstance(part[key], str):
                        assert NAMED_COLORS.fullmatch(part[key]), part[key]

    def test_a_value_is_the_newest_and_a_curve_holds_the_window(self, panel):
        if panel["type"] == "timeseries":
            assert panel["maxDataPoints"] == panels.RATE_HZ * panels.WINDOW_S
        else:
            assert panel["options"]["reduceOptions"]["calcs"] == ["lastNotNull"]
            assert panel["maxDataPoints"] == panels.LATEST


def test_every_value_of_a_switch_has_a_label():
    # The live message spells its codes out in its descriptions: "0 none, 1 medium, …".
    switches = {}
    for panel in PANELS:
        labelled = {
            override["matcher"]["options"]: setting["value"][0]["options"]
            for override in panel["fieldConfig"]["overrides"]
            for setting in override["properties"]
            if setting["id"] == "mappings"
        }
        for field in panel["targets"][0]["fields"]:
            if field["name"] in labelled:
                switches[field["jsonPath"].removeprefix("$.")] = set(labelled[field["name"]])
    assert {"drs", "ers_deploy_mode", "flag", "visual_tyre_compound"} <= set(switches)
    for field in FIELDS:
        if field.name in switches:
            said = set(re.findall(r"(-?\d+) [a-z]", field.description)) or {"0", "1"}
            assert switches[field.name] == said, field.name


def test_panels_fill_the_grid_without_overlap():
    cells = [
        {(x, y) for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])}
        for p in (panel["gridPos"] for panel in PANELS)
    ]
    assert all(one.isdisjoint(other) for one, other in combinations(cells, 2))
    taken = set().union(*cells)
    assert taken == {(x, y) for x in range(24) for y in range(max(y for _, y in taken) + 1)}
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_it_shows_what_a_driver_wants():
    shown = {field["jsonPath"] for panel in PANELS for field in panel["targets"][0]["fields"]}
    wanted = (
        "speed_kmh engine_rpm gear throttle brake fuel_in_tank_kg ers_store_pct lap_number position tyre_surface_fl_c"
    )
    assert {f"$.{name}" for name in wanted.split()} <= shown


def test_the_stream_is_a_variable_with_a_path_of_the_gateway():
    (variable,) = DASHBOARD["templating"]["list"]
    assert {target["path"] for panel in PANELS for target in panel["targets"]} == {f"${variable['name']}"}
    assert variable["query"] == "live/car"


def test_data_sources_hold_no_secret_and_name_pitlanes_settings():
    from pitlane import settings

    known = {
        f"PITLANE_{name.upper()}"
        for cls in vars(settings).values()
        if isinstance(cls, type) and issubclass(cls, settings.Settings)
        for name in cls.model_fields
    }
    sources = datasources()
    assert set(re.findall(r"\$\{(\w+)\}", yaml.dump(sources))) <= known
    assert sources["pitlane-history"]["secureJsonData"] == {"password": "${PITLANE_POSTGRES_READER_PASSWORD}"}
    assert sources["pitlane-history"]["user"] == "pitlane_reader"
    live_source = sources["pitlane-live"]
    assert live_source["jsonData"]["host"] == live_source["url"]  # one for each version of the plugin
    assert all(isinstance(value, str) for value in live_source["jsonData"].values())
    assert float(live_source["secureJsonData"]["queryParamValue1"]) == panels.RATE_HZ


def test_the_provider_takes_the_dashboards_from_the_repository():
    (provider,) = provisioned("dashboards")["providers"]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
