"""What the streaming application tells Prometheus, on a port of its own (docs/metrics.md, "Spark").

The numbers of a micro-batch come from Spark itself, through a StreamingQueryListener, and from what was written: both
after it, so nothing here is on the way of the data.
"""

import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)

from pitlane.settings import SparkSettings
from spark import progress
from spark.errors import PortTaken
from spark.facts import FACTS
from spark.jobs.pending import WHOLE
from spark.quality.rules import RULES
from spark.tasks import Written

QUERY = "facts"
"""Name of the query that writes the facts; the listener is told of the archive's as well."""
SECONDS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


class Metrics(StreamingQueryListener):
    """Keeps them; one for each application, whatever queries it starts one after the other."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._batch = Histogram(
            "pitlane_spark_batch_seconds", "Length of a micro-batch.", buckets=SECONDS, registry=self.registry
        )
        self._last = self._gauge("batch_end_timestamp_seconds", "When the last micro-batch ended.")
        self._lag = self._gauge("lag_blocks", "Blocks in Kafka that were not read yet.", "topic")
        self._failures = self._counter("query_failures", "Times that the query failed and was started again.")
        self._blocks = self._counter("blocks", "Blocks read.")
        self._datagrams = self._counter("datagrams", "Datagrams in them.")
        self._rejected = self._counter("rejected_blocks", "Blocks that no packet table could read.")
        self._rows = self._counter("rows", "Rows handed to Postgres, also those that change nothing.", "fact")
        self._checked = self._counter("checked", "Rows of packets that a rule of quality was asked of.", "rule")
        self._quarantined = self._counter("quarantined", "Rows of packets that broke a rule.", "rule", "effect")
        self._late = self._counter("late", "Datagrams given up without LapData of their frame.", "packet")
        for fact in FACTS:
            self._rows.labels(fact)
        for packet in WHOLE[1:]:
            self._late.labels(packet)
        for rule in RULES.values():
            self._checked.labels(rule.slug)
            self._quarantined.labels(rule.slug, rule.effect)
        self._archive_up = self._gauge("archive_up", "1 when the raw archive is written, 0 when it fails or is off.")
        self._archive_lag = self._gauge("archive_lag_blocks", "Blocks in Kafka that are not in the archive yet.")
        self._archive_failures = self._counter("archive_failures", "Times that the archive failed and was tried again.")
        self._archive_blocks = self._counter("archive_blocks", "Blocks written to the archive.")
        self._archive_bytes = self._counter("archive_bytes", "Bytes that they take on disk.")

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"pitlane_spark_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"pitlane_spark_{name}", what, labels, registry=self.registry)

    def written(self, written: Written) -> None:
        """A micro-batch is in the tables now, and was not before."""
        self._blocks.inc(written.counts.blocks)
        self._datagrams.inc(written.counts.datagrams)
        self._rejected.inc(written.counts.rejected_blocks)
        for fact, number in written.rows.items():
            self._rows.labels(fact).inc(number)
        for rule, number in written.counts.checked.items():
            self._checked.labels(rule).inc(number)
        for rule, number in written.counts.broken.items():
            self._quarantined.labels(rule, RULES[rule].effect).inc(number)
        for packet, number in written.counts.late.items():
            self._late.labels(packet).inc(number)

    def failed(self) -> None:
        self._failures.inc()

    def archived(self, blocks: int, num_bytes: int) -> None:
        self._archive_blocks.inc(blocks)
        self._archive_bytes.inc(num_bytes)

    def archive_is(self, *, up: bool) -> None:
        self._archive_up.set(up)

    def archive_failed(self) -> None:
        self._archive_failures.inc()

    def serve(self, settings: SparkSettings) -> tuple[WSGIServer, threading.Thread]:
        """Answers until the server is shut down. Raises PortTaken."""
        try:
            return start_http_server(settings.spark_port, settings.spark_host, self.registry)
        except OSError as error:
            raise PortTaken(
                f"Spark's metrics cannot be served on {settings.spark_host}:{settings.spark_port}: {error.strerror}",
                "end that program, or set PITLANE_SPARK_PORT",
            ) from error

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802 (named by Spark)
        pass

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802 (named by Spark)
        last = event.progress
        if last.name != QUERY:
            self._archive_lag.set(sum(progress.lag(last).values()))
            return
        if last.numInputRows:
            self._batch.observe(last.batchDuration / 1000)
            self._last.set_to_current_time()
        for topic, blocks in progress.lag(last).items():
            self._lag.labels(topic).set(blocks)

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802 (named by Spark)
        pass

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802 (named by Spark)
        pass
