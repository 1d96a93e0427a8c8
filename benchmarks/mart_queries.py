"""How long the views of mart take as people query them: every view by itself, and every chart of the dashboards.

| query | what is asked |
|---|---|
| a view of one session | all its columns and rows `WHERE session_label = …`, which every dashboard sets |
| `mart.lap_trace` | two laps of a session, by their labels |
| `mart.lap_overlay` | the session and the laps chosen: "Two fastest", and two laps by their labels |
| `mart.season_standing` | one season, from its first round to its last |
| a view of all sessions (`mart.session_choice` …) | everything in it |
| a chart | what Superset makes of its YAML: columns, metrics, filters of its own, session and lap choice of the dashboard |
"""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
import yaml
from psycopg import sql

from benchmarks.report import Row
from pitlane.settings import REPOSITORY
from postgres import document

AIM_MS = 200
RUNS = 5
"""Of each query, each on another session where there are so many."""
ASSETS = REPOSITORY / "superset" / "assets"
OVERLAY = "mart.lap_overlay"
OF_LAPS = {"mart.lap_trace": "lap_label", OVERLAY: "lap_choice"}
"""View → the column that says which laps are wanted: nobody reads every lap's trace at once."""
CHOICE = "Two fastest"
COLUMN_PARAMS = ("x_axis", "groupby", "columns", "all_columns")

Values = Mapping[str, str]
"""column → what people may choose in it"""


class Query(NamedTuple):
    what: str
    statement: sql.Composed
    filters: tuple[str, ...]
    """Which of the choices it takes, in the order of its placeholders."""


def timings(connection: psycopg.Connection) -> list[Row]:
    """A row for each query: the median of RUNS in milliseconds, with the slowest and the rows that came in its note.

    `connection` may read mart; at least one session is there. Every query runs once before it is timed, on the first
    session, so that plans and catalogue are known as they are to a dashboard that is open.
    """
    chosen = _choices(connection)
    return [_timed(connection, query, chosen) for query in queries()]


def queries() -> list[Query]:
    """Of every view, in the order in which they are made, then of every chart."""
    return [query for view in document.views() for query in _of_view(view)] + list(_of_charts())


def _choices(connection: psycopg.Connection) -> list[Values]:
    """What is asked for in each run: sessions spread over all there are, and two laps of each."""
    found = connection.execute("SELECT session_label FROM mart.session ORDER BY started_at").fetchall()
    labels = [label for (label,) in found][:: max(1, len(found) // RUNS)]
    chosen: list[Values] = []
    for label in labels:
        query = "SELECT lap_label FROM mart.lap WHERE session_label = %s ORDER BY overlay_place OFFSET 5 LIMIT 2"
        one, other = (row[0] for row in connection.execute(query, [label]))
        season = connection.execute("SELECT min(season) FROM mart.season_standing").fetchone()
        chosen.append(
            {"session_label": label, "season": season[0] if season else "", "one": one, "other": other, "pair": CHOICE}
        )
    return [chosen[run % len(chosen)] for run in range(RUNS)]


def _of_view(view: document.View) -> Iterable[Query]:
    everything = sql.SQL("*")
    if view.name in OF_LAPS:
        by_label = _where("session_label"), _among(OF_LAPS[view.name])
        yield _query(f"{view.name}: two laps", view.name, everything, by_label, ("session_label", "one", "other"))
        if view.name == OVERLAY:
            pair = _where("session_label"), _where("lap_choice")
            yield _query(f"{view.name}: {CHOICE}", view.name, everything, pair, ("session_label", "pair"))
    elif "season" in view.columns:
        yield _query(f"{view.name}: a season", view.name, everything, (_where("season"),), ("season",))
    elif "session_label" in view.columns and view.name not in ("mart.session", "mart.session_choice"):
        session = (_where("session_label"),)
        yield _query(f"{view.name}: a session", view.name, everything, session, ("session_label",))
    else:
        yield _query(f"{view.name}: everything", view.name, everything, (), ())


def _of_charts() -> Iterable[Query]:
    datasets = [yaml.safe_load(path.read_text("utf-8")) for path in sorted((ASSETS / "datasets").rglob("*.yaml"))]
    by_uuid: dict[str, dict[str, Any]] = {dataset["uuid"]: dataset for dataset in datasets}
    for path in sorted((ASSETS / "charts").glob("*.yaml")):
        chart = yaml.safe_load(path.read_text("utf-8"))
        dataset, params = by_uuid[chart["dataset_uuid"]], chart["params"]
        view = f"{dataset['schema']}.{dataset['table_name']}"
        expressions = {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}
        columns = [name for part in COLUMN_PARAMS for name in _listed(params.get(part))]
        measures = [*_listed(params.get("metrics")), *_listed(params.get("metric"))]
        metrics = [sql.SQL(expressions[name]) for name in measures]
        names = [sql.Identifier(column) for column in columns]
        where = [_where("session_label"), *map(_own_filter, params["adhoc_filters"])]
        filters = ["session_label"]
        if view == OVERLAY:
            where.append(_where("lap_choice"))
            filters.append("pair")
        selected = sql.SQL(", ").join([*names, *metrics])
        grouped = sql.SQL(" GROUP BY {}").format(sql.SQL(", ").join(names)) if metrics else sql.SQL("")
        yield _query(f"chart {chart['slice_name']}, {view}", view, selected, where, filters, grouped)


def _listed(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


def _query(
    what: str,
    view: str,
    selected: sql.Composable,
    where: Sequence[sql.Composable],
    filters: Sequence[str],
    grouped: sql.Composable = sql.SQL(""),  # noqa: B008 (it does not change)
) -> Query:
    conditions = sql.SQL(" AND ").join(where) if where else sql.SQL("true")
    statement = sql.SQL("SELECT {} FROM {} WHERE {}{}").format(
        selected, sql.Identifier(*view.split(".")), conditions, grouped
    )
    return Query(what, statement, tuple(filters))


def _where(column: str) -> sql.Composed:
    return sql.SQL("{} IN (%s)").format(sql.Identifier(column))


def _among(column: str) -> sql.Composed:
    return sql.SQL("{} IN (%s, %s)").format(sql.Identifier(column))


def _own_filter(given: Mapping[str, Any]) -> sql.Composed:
    """A chart's own filter, of the simple kind."""
    subject, value = sql.Identifier(given["subject"]), given.get("comparator")
    operator = {"==": "="}.get(given["operator"], given["operator"])
    if value is None:
        return sql.SQL("{} {}").format(subject, sql.SQL(operator))
    if isinstance(value, list):
        return sql.SQL("{} {} ({})").format(subject, sql.SQL(operator), sql.SQL(", ").join(map(sql.Literal, value)))
    return sql.SQL("{} {} {}").format(subject, sql.SQL(operator), sql.Literal(value))


def _timed(connection: psycopg.Connection, query: Query, chosen: Sequence[Values]) -> Row:
    # Superset writes the values into its statements, so that Postgres plans for them: a client's cursor does as well.
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(query.statement, [chosen[0][name] for name in query.filters])
        took_ms, rows = [], 0
        for choice in chosen:
            begun = time.perf_counter()
            cursor.execute(query.statement, [choice[name] for name in query.filters])
            rows = len(cursor.fetchall())
            took_ms.append((time.perf_counter() - begun) * 1000)
    median = statistics.median(took_ms)
    note = f"{rows:,} rows, slowest {max(took_ms):.0f} ms"
    return Row(query.what, median, "ms", aim=f"below {AIM_MS} ms", met=median < AIM_MS, note=note)
