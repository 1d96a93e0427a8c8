"""The numbers as Prometheus and monitors get them; read back by Prometheus' own parser."""

import re
from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import prometheus
from tests.statuses import neighbour, rig, status
from udp_gateway import metrics
from udp_gateway.health import health


def samples(said: dict[str, Any]) -> dict[tuple[str, ...], float]:
    """(name, label=value, …) → value"""
    text = metrics.Exposition(lambda: said).text().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, *(f"{label}={value}" for label, value in sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def test_every_metric_from_a_status():
    odd = 'rig=odd"name\\\n'
    found = {
        (key[0].removeprefix("pitlane_gateway_"), *key[1:]): value
        for key, value in samples(status()).items()
        if key[0].startswith("pitlane_") and value
    }
    assert found == {
        ("received_datagrams_total",): 20_000,
        ("stored_datagrams_total",): 401,
        ("skipped_datagrams_total", "reason=no_session"): 17,
        ("forwarded_datagrams_total",): 19_000,
        ("waiting_datagrams",): 532,
        ("rejected_datagrams_total", "reason=too_short"): 31,
        ("rejected_datagrams_total", "reason=wrong_size"): 12,
        ("dropped_datagrams_total", "reason=spool_full"): 7,
        ("dead_letters_forwarded_total",): 36,
        ("dead_letters_waiting",): 5,
        ("dead_letters_dropped_total",): 2,
        ("packets_total", "format=2024", "name=motion"): 9,
        ("packets_total", "format=2025", "name=motion"): 5999,
        ("packets_total", "format=2025", "name=car_telemetry"): 6000,
        ("rig_datagrams_total", "rig=left"): 7001,
        ("rig_datagrams_total", odd): 12_000,
        ("rig_rate_hertz", "rig=left"): 59.9,
        ("rig_rate_hertz", odd): 20,
        ("rig_frames_total", "rig=left"): 3500,
        ("rig_frames_total", odd): 6001,
        ("rig_frame_gaps_total", "rig=left"): 13,
        ("rig_silent_seconds", "rig=left"): 0.1,
        ("rig_silent_seconds", odd): 45,
        ("rig_viewers", "rig=left"): 2,
        ("rig_viewers", odd): 2,
        ("kernel_dropped_datagrams_total",): 3,
        ("receive_errors_total",): 1,
        ("receive_buffer_bytes",): 212_992,
        ("receive_buffer_wanted_bytes",): 8_388_608,
        ("spool_bytes", "spool=nifi"): 700_000,
        ("spool_bytes", "spool=postgres"): 1300,
        ("spool_datagrams", "spool=nifi"): 530,
        ("spool_datagrams", "spool=postgres"): 8,
        ("spool_oldest_seconds", "spool=nifi"): 4.5,
        ("spool_oldest_seconds", "spool=postgres"): 0.2,
        ("spool_limit_bytes", "spool=nifi"): 1_000_000,
        ("spool_limit_bytes", "spool=postgres"): 62_500,
        ("viewers",): 3,
        ("relay_sent_datagrams_total", "target=10.0.0.9:20778"): 19_999,
        ("relay_failed_datagrams_total", "target=10.0.0.9:20778"): 6,
        ("neighbour_up", "neighbour=postgres"): 1,
        ("neighbour_failures_total", "neighbour=nifi"): 21,
        ("neighbour_failures_total", "neighbour=postgres"): 22,
        ("uptime_seconds",): 512.5,
    }


def test_what_is_down_is_0_and_what_is_unknown_is_not_said():
    up = "pitlane_gateway_neighbour_up"
    found = samples(status(postgres=neighbour("unknown"), grafana=neighbour("up")))
    assert {key[1:]: value for key, value in found.items() if key[0] == up} == {
        ("neighbour=nifi",): 0, ("neighbour=grafana",): 1,
    }  # fmt: skip
    quiet = samples(status(kernel={"drops": None, "buffer_bytes": None, "errors": 0}, relay=[]))
    assert not [key for key in quiet if re.search("kernel_dropped|receive_buffer|relay", key[0])]


def test_a_reason_that_has_not_happened_is_0():
    quiet = samples(status(rejected={}, dropped={}, skipped={}))
    zeros = Counter(key[0] for key, value in quiet.items() if "reason=" in key[-1] and value == 0)
    assert {name.split("_")[2]: n for name, n in zeros.items()} == {"rejected": 4, "skipped": 2, "dropped": 7}


def test_the_process_is_there_too():
    assert samples(status())["process_resident_memory_bytes",] > 1e6


def test_the_documentation_is_the_table():
    """If this fails, run `python -m udp_gateway.metrics`."""
    gateway, heading, _ = metrics.DOCUMENT.read_text("utf-8").partition(metrics.NEXT_PART)
    assert heading
    assert gateway == metrics.document()


# --- alerts and scraping ------------------------------------------------------------------------------------------


def alert(rule: dict[str, Any]) -> str:
    return rule["alert"]


@pytest.mark.parametrize("rule", prometheus.rules("pitlane-gateway"), ids=alert)
def test_an_alert_names_metrics_and_labels_that_there_are(rule):
    labels = {each.sample_name: {*each.labels, "instance", "job"} for each in metrics.METRICS}
    named = re.findall(r"\b(?:pitlane_\w+|up)\b", rule["expr"])
    assert named
    assert set(named) <= {*labels, "up"}
    known = set.intersection(*(labels.get(name, {"instance", "job"}) for name in named))
    # A comparison of two metrics keeps the labels of its left side.
    assert prometheus.shown_labels(rule) | prometheus.grouped_labels(rule) <= labels.get(named[0], {"instance", "job"})
    assert prometheus.filtered_labels(rule) <= known
    # A counter alone says nothing: only how it grows does.
    counters = {name for name in named if name.endswith("_total")}
    assert counters == set(re.findall(r"(?:rate|increase)\((pitlane_\w+)", rule["expr"]))
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}


@pytest.mark.parametrize("rule", prometheus.rules("pitlane-nifi"), ids=alert)
def test_an_alert_of_nifi_names_what_is_documented_of_it(rule):
    """That NiFi has all this is tested with a real one: tests/integration/test_nifi_metrics.py."""
    documented = {name: {*labels, "instance"} for name, labels in prometheus.documented_of_nifi().items()}
    named = re.findall(r"\b(?:nifi_\w+|up)\b", rule["expr"])
    known = set.intersection(*({"up": {"instance", "job"}, **documented}[name] for name in named))
    used = prometheus.shown_labels(rule) | prometheus.grouped_labels(rule) | prometheus.filtered_labels(rule)
    assert used <= known
    # All of NiFi's are gauges.
    assert not re.search(r"rate|increase", rule["expr"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_the_scrape_configuration_meets_the_ports_of_the_demo():
    scrape = prometheus.scrape()
    assert [(prometheus.FOLDER / name).is_file() for name in scrape["rule_files"]] == [True]
    targets = {job["job_name"]: job["static_configs"] for job in scrape["scrape_configs"]}
    assert targets == {
        "pitlane-gateway": [{"targets": ["127.0.0.1:20780"]}],
        "pitlane-spark": [{"targets": ["127.0.0.1:20788"]}],
        "pitlane-nifi": [{"targets": ["127.0.0.1:20781"]}],
    }
    for job in targets:
        assert f'up{{job="{job}"}} == 0' in [rule["expr"] for rule in prometheus.rules(job)]


# --- health -------------------------------------------------------------------------------------------------------


def test_health_says_what_needs_a_hand():
    assert health(status()) == {
        "status": "degraded",
        "why": ["nifi is down", "the spool for nifi is 70% full"],
        "feed": "live",
        "rigs": {"live": 1, "stale": 1},
        "spool": {"nifi": {"bytes": 700_000, "oldest_s": 4.5}, "postgres": {"bytes": 1300, "oldest_s": 0.2}},
        "nifi": "down",
        "postgres": "up",
    }


def test_a_gateway_that_nobody_sends_to_is_well():
    empty = {"bytes": 0, "datagrams": 0, "oldest_s": 0.0, "limit_bytes": 1000}
    spool = {"nifi": empty, "postgres": empty}
    waits = health(status(rigs={}, spool=spool, nifi=neighbour("unknown"), postgres=neighbour("unknown")))
    assert (waits["status"], waits["why"], waits["feed"]) == ("ok", [], "stale")
    paused = health(status(rigs={"a": rig(silent_s=2.0)}, spool=spool, nifi=neighbour()))
    assert (paused["status"], paused["feed"], paused["rigs"]) == ("ok", "stale", {"live": 0, "stale": 1})


@pytest.mark.parametrize("name", ["nifi", "postgres"])
def test_a_neighbour_away_or_a_spool_half_full_is_degraded(name):
    empty = {"bytes": 0, "datagrams": 0, "oldest_s": 0.0, "limit_bytes": 1000}
    spool = {"nifi": empty, "postgres": empty | {"limit_bytes": 1_000_000}, name: empty}
    well = status(nifi=neighbour(), postgres=neighbour(), spool=spool)
    assert health(well)["status"] == "ok"
    assert health(well | {name: neighbour("down")})["why"] == [f"{name} is down"]
    assert health(well | {"spool": spool | {name: empty | {"bytes": 500}}})["status"] == "ok"
    assert health(well | {"spool": spool | {name: empty | {"bytes": 510}}})["why"] == [
        f"the spool for {name} is 51% full"
    ]
