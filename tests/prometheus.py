"""Prometheus' rules and scrape configuration as they stand in docs/prometheus, and as much of PromQL as they need."""

import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import yaml
from prometheus_client.parser import text_string_to_metric_families

from pitlane.settings import REPOSITORY

FOLDER = REPOSITORY / "docs" / "prometheus"
COMPARE = {">": operator.gt, "<": operator.lt, "==": operator.eq}
MATCHES = {
    "=": operator.eq,
    "!=": operator.ne,
    "=~": lambda value, pattern: re.fullmatch(pattern, value) is not None,
    "!~": lambda value, pattern: re.fullmatch(pattern, value) is None,
}


class Sample(NamedTuple):
    name: str
    labels: Mapping[str, str]
    value: float


def rules(group: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    (found,) = [each["rules"] for each in groups if each["name"] == group]
    return found


def scrape() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "scrape.yml").read_text("utf-8"))


def nifi_path() -> str:
    """Path and query with which Prometheus asks NiFi."""
    (job,) = [each for each in scrape()["scrape_configs"] if each["job_name"] == "pitlane-nifi"]
    return f"{job['metrics_path']}?{urlencode(job['params'], doseq=True)}"


def documented_of_nifi() -> dict[str, set[str]]:
    """Metric → labels, of the table in docs/metrics.md."""
    lines = (REPOSITORY / "docs" / "metrics.md").read_text("utf-8").splitlines()
    rows = [line.split("|") for line in lines if line.startswith("| `nifi_")]
    return {row[1].strip(" `"): set(re.findall(r"`(\w+)`", row[2])) for row in rows}


def samples(text: str) -> list[Sample]:
    families = text_string_to_metric_families(text)
    return [Sample(each.name, each.labels, each.value) for family in families for each in family.samples]


def shown_labels(rule: Mapping[str, Any]) -> set[str]:
    return set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))


def grouped_labels(rule: Mapping[str, Any]) -> set[str]:
    return set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"]))))


def filtered_labels(rule: Mapping[str, Any]) -> set[str]:
    return set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", rule["expr"]))


def firing(expression: str, there: Iterable[Sample]) -> list[Sample]:
    """What an alert's expression selects: `NAME{…} > 1`, several with `or`, `sum by (…) (NAME{…}) > 1`."""
    found = []
    for part in re.split(r"\s+or\s+", expression):
        read = re.fullmatch(
            r"(?:sum by \((?P<by>[^)]*)\) \()?(?P<name>\w+)\{(?P<where>.*)\}\)? (?P<is>[><=]+) (?P<than>[\d.]+)", part
        )
        assert read is not None, part
        matchers = re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', read["where"])
        chosen = [
            each
            for each in there
            if each.name == read["name"]
            and all(MATCHES[how](each.labels.get(label, ""), value) for label, how, value in matchers)
        ]
        if read["by"]:
            chosen = _summed(chosen, [each.strip() for each in read["by"].split(",")])
        found += [each for each in chosen if COMPARE[read["is"]](each.value, float(read["than"]))]
    return found


def _summed(given: Iterable[Sample], by: Iterable[str]) -> list[Sample]:
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    for each in given:
        key = tuple((label, each.labels.get(label, "")) for label in by)
        sums[key] = sums.get(key, 0) + each.value
    return [Sample("", dict(key), value) for key, value in sums.items()]
