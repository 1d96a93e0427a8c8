"""The status as Prometheus metrics: each metric once, with its meaning, where it is read from what `/status` says.

What a status does not say (a system without drop counter, no relay) has no sample; a reason that has not happened
yet has its zero, since `increase()` sees no first step from nothing to one. The gateway's part of docs/metrics.md is
generated from here; what follows it is by hand:

    python -m udp_gateway.metrics
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from f1_packets import Rejected
from pitlane.settings import REPOSITORY
from udp_gateway.ledger import DROPPED, SKIPPED
from udp_gateway.sources import MAX_SOURCES

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
DOCUMENT = REPOSITORY / "docs" / "metrics.md"
NEXT_PART = "\n## NiFi\n"
PREFIX = "pitlane_gateway_"

Status = Mapping[str, Any]
Samples = Iterable[tuple[tuple[str, ...], float | None]]
"""(label values, value); None: not known, so no sample."""

NEIGHBOURS = ("nifi", "postgres", "grafana")
REASONS = {
    "rejected": Rejected.REASONS,
    "skipped": SKIPPED,
    "dropped": DROPPED,
}


def _one(*path: str) -> Callable[[Status], Samples]:
    return lambda status: [((), _at(status, *path))]


def _by_reason(term: str) -> Callable[[Status], Samples]:
    return lambda status: [((reason,), n) for reason, n in (dict.fromkeys(REASONS[term], 0) | status[term]).items()]


def _by_packet(status: Status) -> Samples:
    return [((year, name), n) for year, names in status["packets"].items() for name, n in names.items()]


def _of_rigs(field: str) -> Callable[[Status], Samples]:
    return lambda status: [((name,), rig.get(field)) for name, rig in status["rigs"].items()]


def _of_spools(field: str) -> Callable[[Status], Samples]:
    def read(status: Status) -> Samples:
        spools = status.get("spool", {})
        return [((name,), spool[field]) for name, spool in spools.items() if isinstance(spool, Mapping)]

    return read


def _is_up(status: Status) -> Samples:
    known = {"up": 1, "down": 0}  # unknown: nothing was to be handed over yet
    return [((name,), known.get(status[name]["state"])) for name in NEIGHBOURS if status.get(name)]


def _failures(status: Status) -> Samples:
    return [((name,), status[name]["failures"]) for name in NEIGHBOURS if status.get(name)]


def _of_relay(field: str) -> Callable[[Status], Samples]:
    return lambda status: [((each["target"],), each[field]) for each in status.get("relay", ())]


class Described(NamedTuple):
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    name: str
    """Without PREFIX; a counter's samples end in `_total`."""
    help: str
    labels: tuple[str, ...]
    read: Callable[[Status], Samples]

    @property
    def sample_name(self) -> str:
        return PREFIX + self.name + ("_total" if self.kind is CounterMetricFamily else "")


_COUNTER, _GAUGE = CounterMetricFamily, GaugeMetricFamily
METRICS = (
    Described(_COUNTER, "received_datagrams", "Datagrams from the socket.", (), _one("received")),
    Described(_COUNTER, "stored_datagrams", "Session packets whose row is in Postgres.", (), _one("stored")),
    Described(_COUNTER, "skipped_datagrams", "Session packets without a session.", ("reason",), _by_reason("skipped")),
    Described(_COUNTER, "forwarded_datagrams", "Packets that NiFi took.", (), _one("forwarded")),
    Described(_GAUGE, "waiting_datagrams", "Packets that wait for NiFi or Postgres.", (), _one("waiting")),
    Described(_COUNTER, "rejected_datagrams", "Datagrams that are no packets.", ("reason",), _by_reason("rejected")),
    Described(_COUNTER, "dropped_datagrams", "Packets given up.", ("reason",), _by_reason("dropped")),
    Described(
        _COUNTER, "dead_letters_forwarded", "Rejected datagrams that NiFi took.", (), _one("dead_letter", "forwarded")
    ),
    Described(
        _GAUGE, "dead_letters_waiting", "Rejected datagrams that wait for NiFi.", (), _one("dead_letter", "waiting")
    ),
    Described(_COUNTER, "dead_letters_dropped", "Rejected datagrams given up.", (), _one("dead_letter", "dropped")),
    Described(_COUNTER, "packets", "Packets received, by UDP format and name.", ("format", "name"), _by_packet),
    Described(_COUNTER, "rig_datagrams", "Packets received from a rig.", ("rig",), _of_rigs("datagrams")),
    Described(_GAUGE, "rig_rate_hertz", "Packets of the last second from a rig.", ("rig",), _of_rigs("rate_hz")),
    Described(_COUNTER, "rig_frames", "Frames of a rig that came.", ("rig",), _of_rigs("frames")),
    Described(
        _COUNTER,
        "rig_frame_gaps",
        "Frames of a rig that never came, by its overall frames.",
        ("rig",),
        _of_rigs("frame_gaps"),
    ),
    Described(_GAUGE, "rig_silent_seconds", "Since the last packet of a rig.", ("rig",), _of_rigs("silent_s")),
    Described(_GAUGE, "rig_viewers", "Live viewers of a rig.", ("rig",), _of_rigs("viewers")),
    Described(
        _COUNTER, "kernel_dropped_datagrams", "Datagrams lost in a full receive buffer.", (), _one("kernel", "drops")
    ),
    Described(_COUNTER, "receive_errors", "Failed reads of the socket.", (), _one("kernel", "errors")),
    Described(
        _GAUGE,
        "receive_buffer_wanted_bytes",
        "Receive buffer asked of the kernel.",
        (),
        _one("kernel", "buffer_wanted_bytes"),
    ),
    Described(
        _GAUGE, "receive_buffer_bytes", "Receive buffer that the kernel gave.", (), _one("kernel", "buffer_bytes")
    ),
    Described(_GAUGE, "spool_bytes", "Bytes that wait on disk.", ("spool",), _of_spools("bytes")),
    Described(_GAUGE, "spool_datagrams", "Datagrams that wait on disk.", ("spool",), _of_spools("datagrams")),
    Described(_GAUGE, "spool_oldest_seconds", "Age of the oldest that waits.", ("spool",), _of_spools("oldest_s")),
    Described(_GAUGE, "spool_limit_bytes", "Beyond it the oldest are dropped.", ("spool",), _of_spools("limit_bytes")),
    Described(_GAUGE, "neighbour_up", "1 while it answers, 0 while it does not.", ("neighbour",), _is_up),
    Described(_COUNTER, "neighbour_failures", "Failed attempts.", ("neighbour",), _failures),
    Described(_COUNTER, "relay_sent_datagrams", "Datagrams sent on as received.", ("target",), _of_relay("sent")),
    Described(
        _COUNTER, "relay_failed_datagrams", "Datagrams that could not be sent on.", ("target",), _of_relay("failed")
    ),
    Described(_GAUGE, "viewers", "Open live WebSockets.", (), _one("viewers")),
    Described(_GAUGE, "uptime_seconds", "Since the gateway started.", (), _one("uptime_s")),
)


class Exposition:
    """What `/metrics` answers: METRICS of the status at that moment, CPU and memory of this process."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(StatusCollector(status))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)


class StatusCollector(Collector):
    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def describe(self) -> Iterator[Metric]:
        """Asked once, when it is registered; without it the registry would ask for a status that is not there yet."""
        for each in METRICS:
            yield each.kind(PREFIX + each.name, each.help, labels=each.labels)

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        for each, family in zip(METRICS, self.describe(), strict=True):
            for labels, value in each.read(status):
                if value is not None:
                    family.add_metric(labels, value)  # type: ignore[attr-defined]
            yield family


def _at(status: Status, *path: str) -> float | None:
    found: Any = status
    for name in path:
        found = found.get(name, {})
    return None if found in (None, {}) else float(found)


TEXT = """\
<!-- The gateway's part is generated: python -m udp_gateway.metrics -->
# Metrics

The gateway, NiFi and Spark each answer in Prometheus' text format. [prometheus/scrape.yml](prometheus/scrape.yml) is a
scrape configuration for all three, and [prometheus/alerts.yml](prometheus/alerts.yml) holds rules for what should wake
somebody.

## The gateway

`GET /metrics` on its port. The numbers are those of [`/status`](gateway.md).

At any moment, summed over reasons:

    received = stored + skipped + forwarded + waiting + rejected + dropped

| metric | type | labels | what |
|---|---|---|---|
{rows}

The Host header must be an address, `localhost` or listed in `PITLANE_HTTP_HOSTS`: a Prometheus that finds the gateway
by another name needs that.

A rig has its samples until it is forgotten: of more than {rigs:,} rigs the one unseen for longest is. Beside these stand
the usual `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` … of the gateway's process.
"""


def document() -> str:
    """The gateway's part of docs/metrics.md."""
    rows = (
        f"| `{each.sample_name}` | {'counter' if each.kind is _COUNTER else 'gauge'} | "
        f"{', '.join(f'`{label}`' for label in each.labels)} | {each.help} |"
        for each in METRICS
    )
    return TEXT.format(rows="\n".join(rows), rigs=MAX_SOURCES)


if __name__ == "__main__":
    _, heading, by_hand = DOCUMENT.read_text(encoding="utf-8").partition(NEXT_PART)
    DOCUMENT.write_text(document() + heading + by_hand, encoding="utf-8")
