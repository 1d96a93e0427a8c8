"""The dashboards as code hold together: what one file names, another has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ASSETS = Path(__file__).resolve().parents[2] / "superset" / "assets"
COLUMN_PARAMS = ("x_axis", "groupby", "columns", "all_columns")


def load(folder: str) -> dict[str, dict[str, Any]]:
    """uuid → the file's content."""
    files = sorted((ASSETS / folder).rglob("*.yaml"))
    assert files, folder
    loaded = [yaml.safe_load(path.read_text("utf-8")) for path in files]
    by_uuid = {one["uuid"]: one for one in loaded}
    assert len(by_uuid) == len(files), "two files have one uuid"
    return by_uuid


DATABASES, DATASETS, CHARTS = load("databases"), load("datasets"), load("charts")
DASHBOARDS = {dashboard["slug"]: dashboard for dashboard in load("dashboards").values()}
each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)


def placed(dashboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """uuid → where and under which name a dashboard shows the chart."""
    charts = [each for each in dashboard["position"].values() if isinstance(each, dict) and each["type"] == "CHART"]
    assert len({each["meta"]["uuid"] for each in charts}) == len(charts), "a chart is placed twice"
    return {each["meta"]["uuid"]: each["meta"] for each in charts}


def names(dataset: dict[str, Any], part: str) -> set[str]:
    return {one[part.removesuffix("s") + "_name"] for one in dataset[part]}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda chart: chart["slice_name"])
def test_a_chart_names_what_its_dataset_has(chart: dict[str, Any]) -> None:
    dataset, params = DATASETS[chart["dataset_uuid"]], chart["params"]
    columns = [one for name in COLUMN_PARAMS for one in _listed(params.get(name))]
    columns += [one["subject"] for one in params["adhoc_filters"]]
    columns += [yaml.safe_load(order)[0] for order in params.get("order_by_cols", [])]
    columns += list(params.get("column_config", {}))
    assert columns
    assert set(columns) <= names(dataset, "columns")
    assert {*_listed(params.get("metrics")), *_listed(params.get("metric"))} <= names(dataset, "metrics")
    assert params["viz_type"] == chart["viz_type"]
    assert "session_label" in names(dataset, "columns"), "the session filter would leave this chart out"


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset["table_name"])
def test_a_dataset_is_documented_and_reads_a_view(dataset: dict[str, Any]) -> None:
    assert dataset["database_uuid"] in DATABASES
    assert dataset["schema"] == "mart"
    assert dataset["sql"] is None, "SQL belongs into postgres/views"
    assert dataset["description"]
    for one in (*dataset["columns"], *dataset["metrics"]):
        assert one["verbose_name"], one
    for metric in dataset["metrics"]:
        (column,) = re.fullmatch(r"[A-Z]+\((.+)\)", metric["expression"]).groups()  # type: ignore[union-attr]
        assert column == "*" or column in names(dataset, "columns"), metric


def test_every_chart_is_on_a_dashboard() -> None:
    assert {uuid for dashboard in DASHBOARDS.values() for uuid in placed(dashboard)} == CHARTS.keys()


@each_dashboard
def test_charts_are_placed_under_their_names(dashboard: dict[str, Any]) -> None:
    metas = placed(dashboard)
    assert all(meta["sliceName"] == CHARTS[uuid]["slice_name"] for uuid, meta in metas.items())
    ids = [meta["chartId"] for meta in metas.values()]
    assert len(set(ids)) == len(ids), "filters exclude charts by these"


@each_dashboard
def test_the_grid_is_a_tree_of_rows_that_fit(dashboard: dict[str, Any]) -> None:
    grid = {key: one for key, one in dashboard["position"].items() if isinstance(one, dict)}
    for key, one in grid.items():
        assert one["id"] == key
        for child in one.get("children", []):
            assert grid[child]["parents"][-1] == key
        if one["type"] == "ROW":
            assert sum(grid[child]["meta"]["width"] for child in one["children"]) == 12, key


@each_dashboard
def test_filters_ask_for_columns_that_exist_and_reach_their_charts(dashboard: dict[str, Any]) -> None:
    filters = {one["name"]: one for one in dashboard["metadata"]["native_filter_configuration"]}
    for one in filters.values():
        (target,) = one["targets"]
        dataset = DATASETS[target["datasetUuid"]]
        assert target["column"]["name"] in names(dataset, "columns")
        assert one["sortMetric"] is None or one["sortMetric"] in names(dataset, "metrics")
        reached = [uuid for uuid, meta in placed(dashboard).items() if meta["chartId"] not in one["scope"]["excluded"]]
        assert reached
        for uuid in reached:
            assert target["column"]["name"] in names(DATASETS[CHARTS[uuid]["dataset_uuid"]], "columns")
    assert filters["Session"]["requiredFirst"]
    assert filters["Session"]["controlValues"]["defaultToFirstItem"]


def test_the_connection_is_the_readers_and_holds_no_password() -> None:
    (database,) = DATABASES.values()
    assert database["sqlalchemy_uri"].startswith("postgresql+psycopg2://pitlane_reader:XXXXXXXXXX@")
    assert not any(database[f"allow_{what}"] for what in ("dml", "ctas", "cvas"))


def _listed(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value
