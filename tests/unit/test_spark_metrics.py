"""What the stream tells of itself: Prometheus' numbers and the file beside the checkpoint."""

import re
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client import generate_latest
from pyspark.sql.streaming.listener import StreamingQueryProgress

from pitlane.settings import REPOSITORY, SparkSettings
from pitlane.stack.ports import Ports
from pitlane.stack.server import fetch
from spark import progress
from spark.errors import PortTaken
from spark.metrics import Metrics
from spark.sink import Counts
from spark.tasks import Written
from tests import prometheus

SPARK_SAYS = {
    "id": "00000000-0000-0000-0000-000000000001", "runId": "00000000-0000-0000-0000-000000000002", "name": "facts",
    "timestamp": "2026-01-01T00:00:00.000Z", "batchId": 17, "batchDuration": 610, "durationMs": {}, "eventTime": {},
    "stateOperators": [], "observedMetrics": {}, "sink": {"description": "", "numOutputRows": -1, "metrics": {}},
    "sources": [{
        "description": "", "startOffset": None, "metrics": {}, "numInputRows": 240,
        "inputRowsPerSecond": 1.0, "processedRowsPerSecond": 1.0,
        "endOffset": '{"f1.motion":{"0":10,"1":20}}', "latestOffset": '{"f1.motion":{"0":12,"1":23},"f1.event":{"0":4}}',
    }],
}  # fmt: skip


@pytest.fixture
def batch() -> StreamingQueryProgress:
    return StreamingQueryProgress.fromJson(SPARK_SAYS)


@pytest.mark.parametrize("newest", ["{'f1.motion': {'0': 12}}", '{"f1.motion":{"0":12}}', "None"])
def test_offsets_come_in_two_spellings(newest: str) -> None:
    source = SPARK_SAYS["sources"][0] | {"latestOffset": newest, "endOffset": "None"}  # type: ignore[index]
    lag = progress.lag(StreamingQueryProgress.fromJson(SPARK_SAYS | {"sources": [source]}))
    assert lag == ({} if newest == "None" else {"f1.motion": 12})


def told(metrics: Metrics) -> dict[tuple[str, ...], float]:
    found = prometheus.samples(generate_latest(metrics.registry).decode())
    return {(each.name.removeprefix("pitlane_spark_"), *each.labels.values()): each.value for each in found}


class Event:
    def __init__(self, batch: StreamingQueryProgress) -> None:
        self.progress = batch


def test_a_micro_batch_is_counted_and_the_lag_is_by_topic(batch: StreamingQueryProgress) -> None:
    metrics = Metrics()
    metrics.onQueryProgress(Event(batch))  # type: ignore[arg-type]
    metrics.written(Written(Counts(240, 1500, 2, {}), {"lap_trace": 900}))
    metrics.written(
        Written(Counts(10, 50, 0, {}, {"speed": 400}, {"speed": 3}, {"motion": 7}), {"lap_trace": 30, "event": 1})
    )
    metrics.failed()
    numbers = told(metrics)
    assert numbers["batch_seconds_count",] == 1
    assert numbers["batch_seconds_sum",] == 0.61
    assert abs(numbers["batch_end_timestamp_seconds",] - time.time()) < 60
    assert (numbers["lag_blocks", "f1.motion"], numbers["lag_blocks", "f1.event"]) == (5, 4)
    assert (numbers["blocks_total",], numbers["datagrams_total",], numbers["rejected_blocks_total",]) == (250, 1550, 2)
    assert (numbers["rows_total", "lap_trace"], numbers["rows_total", "event"]) == (930, 1)
    assert numbers["query_failures_total",] == 1
    assert (numbers["checked_total", "speed"], numbers["quarantined_total", "out", "speed"]) == (400, 3)
    assert (numbers["late_total", "motion"], numbers["late_total", "car_status"]) == (7, 0)
    assert (numbers["checked_total", "gear"], numbers["quarantined_total", "flag", "fuel_rises"]) == (0, 0)


def test_an_idle_trigger_is_no_micro_batch(batch: StreamingQueryProgress) -> None:
    metrics = Metrics()
    idle = StreamingQueryProgress.fromJson(SPARK_SAYS | {"sources": [SPARK_SAYS["sources"][0] | {"numInputRows": 0}]})
    metrics.onQueryProgress(Event(idle))  # type: ignore[arg-type]
    assert told(metrics)["batch_seconds_count",] == 0


def test_the_archive_is_counted_for_itself(batch: StreamingQueryProgress) -> None:
    metrics = Metrics()
    metrics.onQueryProgress(Event(StreamingQueryProgress.fromJson(SPARK_SAYS | {"name": "archive"})))  # type: ignore[arg-type]
    metrics.archived(150, 300_000)
    metrics.archived(0, 0)
    metrics.archive_failed()
    metrics.archive_is(up=True)
    numbers = told(metrics)
    assert numbers["archive_lag_blocks",] == 9
    assert (numbers["archive_blocks_total",], numbers["archive_bytes_total",]) == (150, 300_000)
    assert (numbers["archive_failures_total",], numbers["archive_up",]) == (1, 1)
    assert numbers["batch_seconds_count",] == 0
    assert not any(name == "lag_blocks" for name, *_ in numbers)


def test_it_is_served_and_a_taken_port_is_told() -> None:
    settings = SparkSettings(_env_file=None, spark_port=Ports.free().spark)
    server, _ = Metrics().serve(settings)
    try:
        assert b"pitlane_spark_rows_total" in fetch(f"http://127.0.0.1:{settings.spark_port}/metrics")
        with pytest.raises(PortTaken, match=str(settings.spark_port)):
            Metrics().serve(settings)
    finally:
        server.shutdown()
        server.server_close()


def test_the_file_says_how_it_stands(tmp_path: Any, batch: StreamingQueryProgress) -> None:
    checkpoint = tmp_path / "checkpoint"
    assert list(progress.in_words(progress.read(checkpoint))) == ["the stream is stopped"]
    progress.write(checkpoint, "running", **progress.of_batch(batch))
    assert list(progress.in_words(progress.read(checkpoint))) == [
        "the stream is running", "micro-batch 17: 240 blocks in 0.6 s", "behind by 9 blocks", "  f1.motion  5",
        "  f1.event  4",
    ]  # fmt: skip
    long_ago = orjson.loads(progress.file(checkpoint).read_bytes()) | {"at": time.time() - 60}
    progress.file(checkpoint).write_bytes(orjson.dumps(long_ago))
    assert progress.read(checkpoint)["state"] == "silent"
    archive = {"state": "retrying", "lag": 1200, "error": "OSError: No space left on device"}
    progress.write(checkpoint, "running", archive=archive)
    assert list(progress.in_words(progress.read(checkpoint))) == [
        "the stream is running",
        "the raw archive is retrying behind by 1,200 blocks (OSError: No space left on device)",
    ]
    progress.write(checkpoint, "retrying", error="Postgres does not answer")
    assert list(progress.in_words(progress.read(checkpoint))) == ["the stream is retrying (Postgres does not answer)"]


def test_a_disk_that_takes_no_more_does_not_end_the_stream(tmp_path: Path) -> None:
    in_the_way = tmp_path / "spark"
    in_the_way.write_text("a file where a folder should be")
    progress.write(in_the_way / "checkpoint", "running")
    assert progress.read(in_the_way / "checkpoint")["state"] == "stopped"


# --- the documentation, alerts and scraping -----------------------------------------------------------------------


def there_is() -> dict[str, set[str]]:
    """Metric as Prometheus names it → labels."""
    collected = [each for each in Metrics().registry.collect() if each.type != "unknown"]
    suffix = {"counter": "_total"}
    labels = {
        "lag_blocks": {"topic"},
        "rows_total": {"fact"},
        "late_total": {"packet"},
        "checked_total": {"rule"},
        "quarantined_total": {"rule", "effect"},
    }
    names = [each.name + suffix.get(each.type, "") for each in collected]
    return {name: labels.get(name.removeprefix("pitlane_spark_"), set()) for name in names}


def test_every_metric_is_documented() -> None:
    lines = (REPOSITORY / "docs" / "metrics.md").read_text("utf-8").splitlines()
    rows = [line.split("|") for line in lines if line.startswith("| `pitlane_spark_")]
    assert {row[1].strip(" `"): set(re.findall(r"`(\w+)`", row[3])) for row in rows} == there_is()


@pytest.mark.parametrize("rule", prometheus.rules("pitlane-spark"), ids=lambda rule: rule["alert"])
def test_an_alert_names_what_there_is(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"\b(?:pitlane_\w+|up)\b", rule["expr"]))
    assert named
    assert named <= {*there_is(), "up"}
    counters = {name for name in named if name.endswith("_total")}
    assert counters == set(re.findall(r"increase\((pitlane_\w+)", rule["expr"]))
    assert prometheus.shown_labels(rule) <= {"instance"}.union(*(there_is().get(name, set()) for name in named))
