"""NiFi stopped for a minute under twenty rigs.

Aims: nothing is lost, live viewers notice nothing, and a minute after NiFi takes blocks again the backlog is gone.

`endure` is the same for any neighbour that is away; `kafka_outage` has Kafka away.
"""

import statistics
import threading
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import psutil

from benchmarks import load
from benchmarks.load import due_s
from benchmarks.pipeline import Frames, InKafka, Status, in_kafka, running, settled, unaccounted, viewers, wait
from benchmarks.report import Result, Row, none
from pitlane.stack.server import Server
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

GONE_WITHIN_S = 600
"""A bound for a backlog that never goes."""


class Moment(NamedTuple):
    """What stood in the gateway's status, and resident bytes by server."""

    at: float
    """CLOCK_MONOTONIC"""
    waiting: int
    """Datagrams"""
    spool_bytes: int
    nifi: str
    """As the gateway sees it: up or down."""
    error: str
    """The last one of NiFi."""
    memory: dict[str, int]


class Watch(threading.Thread):
    """Looks twice a second."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._ended = threading.Event()
        self.seen: list[Moment] = []

    def run(self) -> None:
        while not self._ended.wait(0.5):
            try:
                status: dict[str, Any] = self._stack.gateway.status()
            except OSError:
                continue
            nifi = status["nifi"]
            spool_bytes = status["spool"]["nifi"]["bytes"]
            memory = {server.name: _resident(server) for server in (self._stack.gateway, self._stack.nifi)}
            self.seen.append(
                Moment(
                    time.monotonic(), status["waiting"], spool_bytes, nifi["state"], nifi["last_error"] or "", memory
                )
            )

    def end(self) -> None:
        self._ended.set()
        self.join()


def _resident(server: Server) -> int:
    process = server.process()
    try:
        return int(process.memory_info().rss) if process is not None else 0
    except psutil.NoSuchProcess:
        return 0


@dataclass
class Outage:
    """What was seen of one; all moments are CLOCK_MONOTONIC."""

    title: str
    """Of the neighbour that was away."""
    stopped_s: float
    calm_from: float
    down_from: float
    starting: float
    """The neighbour is started again."""
    up_at: float
    """NiFi takes blocks again."""
    usual: int
    """Datagrams: no more than that waits without an outage."""
    gone: bool
    gone_after_s: float
    seen: list[Moment]
    frames: list[Frames]
    begun: load.Begun
    sent: load.Sent
    status: Status
    held: InKafka

    def between(self, from_: float, to: float) -> list[Moment]:
        return [each for each in self.seen if from_ <= each.at <= to]

    def p99_ms(self, from_: float, to: float) -> float:
        """From the moment that a frame was due at its sender to its viewers."""
        latencies = [
            latency
            for each in self.frames
            for latency in each.latencies_ms(
                lambda frame: self.begun.at + due_s(frame, WATCHED, RIGS, RATE_HZ), from_, to
            )
        ]
        if len(latencies) < 2:  # nothing came: whatever was due is at least so late
            return (to - from_) * 1000
        return statistics.quantiles(latencies, n=100)[98]

    def rows(self, catch_up_s: float) -> list[Row]:
        """What must hold whoever was away; the backlog gone within `catch_up_s`."""
        sent, status, title = self.sent, self.status, self.title
        before, during = self.p99_ms(self.calm_from, self.down_from), self.p99_ms(self.down_from, self.starting)
        drops = status["kernel"]["drops"] or 0
        sessions = sent.by_name["session"]
        return [
            Row("largest backlog", max(each.waiting for each in self.seen), "datagrams"),
            none("sent and not received", sent.datagrams - status["received"], f"the kernel dropped {drops:,}"),
            none("received and given up", sum(status["dropped"].values()), str(status["dropped"] or "")),
            none("received and in no term", unaccounted(status)),
            none(
                "sent and not in Kafka",
                sent.datagrams - sessions - self.held.packets,
                f"{self.held.repeated:,} came twice",
            ),
            none("session packets not in Postgres", sessions - status["stored"]),
            Row(
                f"backlog gone after {title} was back",
                self.gone_after_s,
                "s",
                aim=f"within {catch_up_s:g} s",
                met=self.gone and self.gone_after_s <= catch_up_s,
            ),
            Row("UDP to viewer before, p99", before, "ms"),
            Row(
                f"UDP to viewer while {title} was away, p99",
                during,
                "ms",
                aim=f"at most {P99_SLACK_MS:g} ms more",
                met=during <= before + P99_SLACK_MS,
            ),
            Row(f"UDP to viewer while {title} started again, p99", self.p99_ms(self.starting, self.up_at), "ms"),
            Row(
                "UDP to viewer while the backlog went, p99",
                self.p99_ms(self.up_at, self.up_at + self.gone_after_s),
                "ms",
            ),
        ]

    def notes(self) -> list[str]:
        return [
            f"{RIGS} rigs at {RATE_HZ} Hz, format {PACKET_FORMAT}; {VIEWERS} viewers of one of them. The latency is from "
            "the moment that a frame was due at the sender, so it holds the sender's own lateness.",
            f"The backlog is gone when no more than {self.usual:,} datagrams wait: a second's worth, or what waited before.",
            f"{self.title} starts on the same cores as everything else: that time is a row of its own.",
        ]


def endure(name: str, stopped_s: float, before_s: float, warm_s: float) -> Outage:
    """Twenty rigs go on while the server `name` is stopped for `stopped_s` and until the backlog after it is gone."""
    with running("Gateway") as stack:
        away = stack.server(name)
        rigs = ("--rigs", str(RIGS), "--rate", str(RATE_HZ), "--format", str(PACKET_FORMAT), "--seconds", str(3600))
        url = f"ws://127.0.0.1:{stack.ports.gateway}/live/rig/{load.sources(RIGS)[WATCHED]}"
        watch = Watch(stack)
        watch.start()
        with load.sending(stack.ports.udp, *rigs) as sender, viewers(url, VIEWERS) as frames_seen:
            time.sleep(warm_s)
            calm_from = time.monotonic()
            time.sleep(before_s)
            usual = max(A_SECOND, *(each.waiting for each in watch.seen if each.at >= calm_from))
            down_from = time.monotonic()
            away.stop()
            time.sleep(max(0.0, down_from + stopped_s - time.monotonic()))
            starting = time.monotonic()
            away.start()
            wait(lambda: watch.seen[-1].nifi == "up", 120)
            up_at = next((each.at for each in watch.seen if each.at > starting and each.nifi == "up"), time.monotonic())
            gone = wait(lambda: watch.seen[-1].waiting <= usual, GONE_WITHIN_S)
            gone_after = time.monotonic() - up_at
            time.sleep(5)
            watch.end()
            frames = list(frames_seen())
            sent = sender.stop()
            begun = sender.begun
        status = settled(stack)
        return Outage(
            title=away.title, stopped_s=stopped_s, calm_from=calm_from, down_from=down_from, starting=starting,
            up_at=up_at, usual=usual, gone=gone, gone_after_s=gone_after, seen=watch.seen, frames=frames, begun=begun,
            sent=sent, status=status, held=in_kafka(stack),
        )  # fmt: skip


def run(quick: bool) -> Result:
    stopped_s, before_s, warm_s = (10, 10, 3) if quick else (STOPPED_S, 30, 15)
    outage = endure("nifi", stopped_s, before_s, warm_s)
    took_nothing = Row(
        "NiFi took nothing for",
        outage.up_at - outage.down_from,
        "s",
        note=f"stopped for {stopped_s} s; the rest is its own start",
    )
    rows = [took_nothing, *outage.rows(CATCH_UP_S)]
    return Result(NAME, f"NiFi stopped for {stopped_s} s under {RIGS} rigs", rows, outage.notes())
