"""Kafka stopped for five minutes under twenty rigs.

NiFi's queues fill, it answers 503, and all that comes waits in the gateway's spool. Aims: as in `outage` nothing is lost
and live viewers notice nothing; the backlog is gone in less time than Kafka was away; and memory is flat.

Flat means: the median of the resident memory in the last minute of the outage is at most FLAT above that of the first
minute in which NiFi refused, in the gateway and in NiFi alike. What waits grows by gigabytes in that time; it must do
so on disk alone.
"""

import statistics
from collections.abc import Sequence

from benchmarks.outage import RIGS, Moment, Outage, endure
from benchmarks.report import Result, Row

NAME = "kafka_outage"
STOPPED_S = 300
WINDOW_S = 60
FLAT = 0.05
MB = 2**20
REFUSAL = "HTTP 503"


def run(quick: bool) -> Result:
    stopped_s, window_s, before_s, warm_s = (60, 8, 10, 3) if quick else (STOPPED_S, WINDOW_S, 30, 15)
    outage = endure("kafka", stopped_s, before_s, warm_s)
    rows = [*refusals(outage), *memory(outage, window_s), *outage.rows(catch_up_s=stopped_s)]
    notes = [
        f"Memory is resident (RSS), {window_s} s of it in the median, looked at twice a second: the gateway's process, and "
        f"NiFi's with a heap of at most 1 GiB. Flat: at most {FLAT:.0%} more at the end of the outage than at the first 503.",
        *outage.notes(),
    ]
    return Result(NAME, f"Kafka stopped for {stopped_s} s under {RIGS} rigs", rows, notes)


def refusals(outage: Outage) -> list[Row]:
    """How NiFi told the gateway that it takes nothing, and for how long it took nothing."""
    away = outage.between(outage.down_from, outage.starting)
    down = [each for each in away if each.nifi == "down"]
    answers = {REFUSAL if each.error.startswith(REFUSAL) else each.error for each in down}
    refused_from = down[0].at if down else outage.starting
    return [
        Row(
            "until NiFi answered 503",
            refused_from - outage.down_from,
            "s",
            aim="503 and no other error",
            met=answers == {REFUSAL},
            note=", ".join(sorted(answers)),
        ),
        Row(
            "NiFi took nothing for",
            outage.up_at - refused_from,
            "s",
            note=f"Kafka was stopped for {outage.stopped_s:g} s; NiFi took blocks {outage.up_at - outage.starting:.1f} s after that",
        ),
        Row(
            "waited on disk at the end of it",
            max((each.spool_bytes for each in away), default=0) / MB,
            "MiB",
        ),
    ]


def memory(outage: Outage, window_s: float) -> list[Row]:
    """Of gateway and NiFi: the end of the outage beside the time when NiFi began to refuse, and the most of all."""
    away = outage.between(outage.down_from, outage.starting)
    refused_from = next((each.at for each in away if each.nifi == "down"), outage.down_from)
    first = outage.between(refused_from, refused_from + window_s)
    last = outage.between(outage.starting - window_s, outage.starting)
    calm = outage.between(outage.calm_from, outage.down_from)
    rows = []
    for name, title in (("gateway", "the gateway"), ("nifi", "NiFi")):
        begin, end = _median(first, name), _median(last, name)
        most = max(each.memory[name] for each in outage.seen if each.at >= outage.starting) / MB
        rows.append(
            Row(
                f"memory of {title} at the end of the outage",
                end,
                "MiB",
                peer="when NiFi began to refuse",
                theirs=begin,
                aim=f"at most {FLAT:.0%} more",
                met=bool(begin) and end <= begin * (1 + FLAT),
                note=f"{_median(calm, name):.0f} MiB before the outage, at most {most:.0f} MiB while the backlog went",
            )
        )
    return rows


def _median(moments: Sequence[Moment], name: str) -> float:
    """MiB; 0 without any."""
    return statistics.median(each.memory[name] for each in moments) / MB if moments else 0.0
