"""The dashboard as code holds together: what one file names, another has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ASSETS = Path(__file__).resolve().parents[2] / "superset" / "assets"
COLUMN_PARAMS = ("x_axis", "groupby", "all_columns")


def load(folder: str) -> dict[str, dict[str, Any]]:
    """uuid → the file's content."""
    files = sorted((ASSETS / folder).rglob("*.yaml"))
    assert files, folder
    loaded = [yaml.safe_load(path.read_text("utf-8")) for path in files]
    by_uuid = {one["uuid"]: one for one in loaded}
    assert len(by_uuid) == len(files), "two files have one uuid"
    return by_uuid


DATABASES, DATASETS, CHARTS = load("databases"), load("datasets"), load("charts")
(DASHBOARD,) = load("dashboards").values()
FILTERS = {one["name"]: one for one in DASHBOARD["metadata"]["native_filter_configuration"]}
PLACED = {
    one["meta"]["uuid"]: one["meta"]
    for one in DASHBOARD["position"].values()
    if isinstance(one, dict) and one["type"] == "CHART"
}


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
    assert set(_listed(params.get("metrics"))) <= names(dataset, "metrics")
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


def test_the_dashboard_places_every_chart_once_under_its_name() -> None:
    assert PLACED.keys() == CHARTS.keys()
    assert all(meta["sliceName"] == CHARTS[uuid]["slice_name"] for uuid, meta in PLACED.items())
    ids = [meta["chartId"] for meta in PLACED.values()]
    assert len(set(ids)) == len(ids), "filters exclude charts by these"


def test_the_grid_is_a_tree_of_rows_that_fit() -> None:
    grid = {key: one for key, one in DASHBOARD["position"].items() if isinstance(one, dict)}
    for key, one in grid.items():
        assert one["id"] == key
        for child in one.get("children", []):
            assert grid[child]["parents"][-1] == key
        if one["type"] == "ROW":
            assert sum(grid[child]["meta"]["width"] for child in one["children"]) == 12, key


def test_filters_ask_for_columns_that_exist_and_reach_their_charts() -> None:
    for one in FILTERS.values():
        (target,) = one["targets"]
        dataset = DATASETS[target["datasetUuid"]]
        assert target["column"]["name"] in names(dataset, "columns")
        assert one["sortMetric"] is None or one["sortMetric"] in names(dataset, "metrics")
        reached = [uuid for uuid, meta in PLACED.items() if meta["chartId"] not in one["scope"]["excluded"]]
        assert reached
        for uuid in reached:
            assert target["column"]["name"] in names(DATASETS[CHARTS[uuid]["dataset_uuid"]], "columns")
    assert FILTERS["Session"]["requiredFirst"]
    assert FILTERS["Session"]["controlValues"]["defaultToFirstItem"]


def test_the_connection_is_the_readers_and_holds_no_password() -> None:
    (database,) = DATABASES.values()
    assert database["sqlalchemy_uri"].startswith("postgresql+psycopg2://pitlane_reader:XXXXXXXXXX@")
    assert not any(database[f"allow_{what}"] for what in ("dml", "ctas", "cvas"))


def _listed(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value
