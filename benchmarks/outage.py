"""NiFi stopped for a minute under twenty rigs.

Aims: nothing is lost, live viewers notice nothing, and a minute after NiFi takes blocks again the backlog is gone.
"""

import statistics
import threading
import time
from typing import Any

from benchmarks import load
from benchmarks.load import due_s
from benchmarks.pipeline import in_kafka, running, settled, unaccounted, viewers, wait
from benchmarks.report import Result, Row, none
from pitlane.stack.stack import Stack

NAME = "outage"
RIGS, RATE_HZ, PACKET_FORMAT = 20, 60, 2026
STOPPED_S = 60
CATCH_UP_S = 60
VIEWERS = 3
WATCHED = 0
"""The rig whose viewers are measured."""

A_SECOND = 8300
"""Datagrams of all rigs in a second: no more than that is on its way to NiFi, not a backlog."""

P99_SLACK_MS = 5.0
"""Unchanged means: no further than this from the p99 before; a rerun without an outage moves it as much."""


class Backlog(threading.Thread):
    """Watches the gateway's status: (CLOCK_MONOTONIC, datagrams waiting, state of NiFi)."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._ended = threading.Event()
        self.seen: list[tuple[float, int, str]] = []

    def run(self) -> None:
        while not self._ended.wait(0.5):
            try:
                status: dict[str, Any] = self._stack.gateway.status()
            except OSError:
                continue
            self.seen.append((time.monotonic(), status["waiting"], status["nifi"]["state"]))

    def end(self) -> None:
        self._ended.set()
        self.join()


def run(quick: bool) -> Result:
    stopped_s, before_s, warm_s = (10, 10, 3) if quick else (STOPPED_S, 30, 15)
    with running("Gateway") as stack:
        rigs = ("--rigs", str(RIGS), "--rate", str(RATE_HZ), "--format", str(PACKET_FORMAT), "--seconds", str(3600))
        url = f"ws://127.0.0.1:{stack.ports.gateway}/live/rig/{load.sources(RIGS)[WATCHED]}"
        backlog = Backlog(stack)
        backlog.start()
        with load.sending(stack.ports.udp, *rigs) as sender, viewers(url, VIEWERS) as watch:
            time.sleep(warm_s)
            calm_from = time.monotonic()
            time.sleep(before_s)
            usual = max(A_SECOND, *(waiting for at, waiting, _ in backlog.seen if at >= calm_from))
            down_from = time.monotonic()
            stack.nifi.stop()
            time.sleep(max(0.0, down_from + stopped_s - time.monotonic()))
            starting = time.monotonic()
            stack.nifi.start()
            wait(lambda: backlog.seen[-1][2] == "up", 120)
            up_at = next((at for at, _, state in backlog.seen if at > starting and state == "up"), time.monotonic())

            def caught_up() -> bool:
                return backlog.seen[-1][1] <= usual

            gone = wait(caught_up, 3 * CATCH_UP_S)
            gone_after = time.monotonic() - up_at
            time.sleep(5)
            backlog.end()
            frames = watch()
            sent = sender.stop()
            begun = sender.begun
        status = settled(stack)
        held = in_kafka(stack)

    def p99(from_: float, to: float) -> float:
        latencies = [
            latency
            for each in frames
            for latency in each.latencies_ms(lambda frame: begun.at + due_s(frame, WATCHED, RIGS, RATE_HZ), from_, to)
        ]
        if len(latencies) < 2:  # nothing came: whatever was due is at least so late
            return (to - from_) * 1000
        return statistics.quantiles(latencies, n=100)[98]

    before, during = p99(calm_from, down_from), p99(down_from, starting)
    drops = status["kernel"]["drops"] or 0
    sessions = sent.by_name["session"]
    rows = [
        Row(
            "NiFi took nothing for",
            up_at - down_from,
            "s",
            note=f"stopped for {stopped_s} s; the rest is its own start",
        ),
        Row("largest backlog", max(waiting for _, waiting, _ in backlog.seen), "datagrams"),
        none("sent and not received", sent.datagrams - status["received"], f"the kernel dropped {drops:,}"),
        none("received and given up", sum(status["dropped"].values()), str(status["dropped"] or "")),
        none("received and in no term", unaccounted(status)),
        none("sent and not in Kafka", sent.datagrams - sessions - held.packets, f"{held.repeated:,} came twice"),
        none("session packets not in Postgres", sessions - status["stored"]),
        Row(
            "backlog gone after NiFi was back",
            gone_after,
            "s",
            aim=f"within {CATCH_UP_S} s",
            met=gone and gone_after <= CATCH_UP_S,
        ),
        Row("UDP to viewer before, p99", before, "ms"),
        Row(
            "UDP to viewer while NiFi was away, p99",
            during,
            "ms",
            aim=f"at most {P99_SLACK_MS:g} ms more",
            met=during <= before + P99_SLACK_MS,
        ),
        Row("UDP to viewer while NiFi started again, p99", p99(starting, up_at), "ms"),
        Row("UDP to viewer while the backlog went, p99", p99(up_at, up_at + gone_after), "ms"),
    ]
    notes = [
        f"{RIGS} rigs at {RATE_HZ} Hz, format {PACKET_FORMAT}; {VIEWERS} viewers of one of them. The latency is from the "
        "moment that a frame was due at the sender, so it holds the sender's own lateness.",
        f"The backlog is gone when no more than {usual:,} datagrams wait: a second's worth, or what waited before.",
        "NiFi starts on the same cores as everything else, and takes them whole: that time is a row of its own.",
    ]
    return Result(NAME, f"NiFi stopped for {stopped_s} s under {RIGS} rigs", rows, notes)
