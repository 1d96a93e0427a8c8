"""The whole chain, under 25 rigs at 60 Hz with all cars: UDP, gateway, NiFi, Kafka, Spark, Postgres.

Each rig drives a race in a session of its own (`grid`), so afterwards the tables are held against the simulator's
manifest, rig by rig. Lag is what the gateway has received and Postgres does not hold yet, in seconds of what is sent.

Then more and more rigs, a shorter race each, until one load does not hold: the last that did is the highest rate. A
load holds when nothing that was sent is lost, the lag does not grow, and the tables are the manifest.

The peer is Telegraf (`telegraf`): the same races from the same sender, 25 rigs and as many as WANTED_PER_S takes.

Aims: some 10,000 packets/s hold for three minutes; 30,000 hold.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks import grid, telegraf
from benchmarks.load import Sent
from benchmarks.peers import PeerMissing
from benchmarks.pipeline import Meter as Processors
from benchmarks.pipeline import asked, meanwhile, running, wait
from benchmarks.report import Result, Row, none
from benchmarks.tables import compare
from pitlane.arrivals import spark_read
from pitlane.settings import PostgresSettings
from pitlane.settlement import Arrived, Meter
from pitlane.stack.stack import Stack

NAME = "chain"
RIGS, LAPS = 25, 2
MORE_RIGS = (30, 36, 43, 52, 62)
WARM_RIGS = 3
"""A race before all others, not counted: JVMs that have just begun compile for half a minute."""
WANTED_RIGS, WANTED_PER_S = 75, 30_000
NEARLY = 0.95
"""A race begins on the grid, where fewer packets are sent."""
SAMPLE_S = 1.0
SETTLE_S = 180
WRITTEN_S = 30


@dataclass
class Run:
    """What one number of rigs did to the chain."""

    rigs: int
    sent: Sent
    arrived: Arrived
    stored: int
    """Datagrams in the tables: session packets by the gateway, all else by Spark."""
    waiting: list[int]
    """Datagrams that the gateway had received and Postgres did not hold, every SAMPLE_S of the race."""
    left: list[str]
    """What keeps the counts from closing, in words."""
    differences: list[str]
    """Values of the tables that are not the manifest's."""
    cores: dict[str, float]
    """By server's name."""
    caught_up_s: float
    """From the last datagram until all was in the tables."""
    batch_s: float
    """From one micro-batch to the next, on average."""

    @property
    def rate(self) -> float:
        """Packets a second."""
        return self.sent.datagrams / self.sent.seconds

    @property
    def lag_s(self) -> tuple[float, float]:
        """Median in the middle third of the race, and in the last."""
        third = len(self.waiting) // 3
        middle, last = self.waiting[third : 2 * third], self.waiting[2 * third :]
        return statistics.median(middle) / self.rate, statistics.median(last) / self.rate

    @property
    def lag_grows(self) -> bool:
        """By more than a micro-batch, which is how far two moments may differ by chance."""
        middle, last = self.lag_s
        return last - middle > self.batch_s

    @property
    def holds(self) -> bool:
        return not (self.left or self.differences or self.lag_grows)

    @property
    def verdict(self) -> str:
        middle, last = self.lag_s
        lag = f"lag {middle:.1f}, then {last:.1f} s with {self.batch_s:.1f} s a micro-batch"
        reasons = [*self.left[:1], *(["the lag grew"] if self.lag_grows else [])]
        if self.differences:
            reasons.append(f"{len(self.differences):,} values differ")
        return f"{'; '.join(reasons) or 'holds'} ({lag})"


def run(quick: bool) -> Result:
    loads = [(3, 1)] if quick else [(RIGS, LAPS), *((rigs, 1) for rigs in MORE_RIGS), (WANTED_RIGS, 1)]
    runs: list[Run] = []
    with running("Gateway", "Spark") as stack:
        _drive(stack, WARM_RIGS, 1, 0)
        driven = WARM_RIGS
        for rigs, laps in loads:
            if rigs == WANTED_RIGS or all(each.holds for each in runs):
                runs.append(_drive(stack, rigs, laps, driven))
                driven += rigs
    peers = _telegraf([loads[0], loads[-1]] if len(loads) > 1 else loads)
    first = runs[0]
    held = max((each.rate for each in runs if each.holds), default=0.0)
    rows = [
        *_rows(first),
        Row(
            "the highest rate that held",
            held,
            "/s",
            aim=f"{WANTED_PER_S:,}/s",
            met=held >= WANTED_PER_S * NEARLY,
            note="; ".join(f"{each.rigs} rigs, {each.rate:,.0f}/s: {each.verdict}" for each in runs),
        ),
    ]
    for rigs, theirs in peers.items():
        rows += _beside(next(each for each in runs if each.rigs == rigs), theirs)
    notes = [
        f"Each rig sends a race of its own, format {grid.PACKET_FORMAT}, {grid.RATE_HZ} Hz, {first.sent.seconds:.0f} s long "
        f"({runs[-1].sent.seconds:.0f} s from the second load on), from an address of its own. Sender and servers share the "
        "machine.",
        "Lag: datagrams that the gateway has received and Postgres does not hold yet, in seconds of sending. It grows when "
        "its median in the last third of the race is more than the time from one micro-batch to the next above that of the "
        "middle third.",
        "Ours: participants, laps with damage, stints, results and events of every rig against the manifest.",
        f"{telegraf.TITLE} stores a row a datagram, with what core.lap_trace has of each car as columns; 5,000 rows a "
        "batch, room for 200,000, four connections. What it counts is what its log says it gave up.",
    ]
    return Result(NAME, f"The whole chain under {first.rigs} rigs, from UDP to Postgres", rows, notes)


def _drive(stack: Stack, rigs: int, laps: int, driven: int) -> Run:
    """Races of rigs that are numbered from `driven` on."""
    race = grid.race_of(laps)
    before = _waiting(stack)
    with Meter(stack) as meter, grid.driving(stack.ports.udp, rigs, laps, driven) as sender:
        processors = Processors(stack.gateway, stack.nifi, stack.kafka, stack.spark, stack.postgres)
        waiting: list[int] = []
        batches = _batches(stack)
        with meanwhile(lambda: waiting.append(_waiting(stack) - before), SAMPLE_S):
            sent = sender.end()
        cores = processors.cores()
        batches = _batches(stack) - batches
        ended = time.monotonic()
        wait(lambda: not meter.read().missing(sent.datagrams), SETTLE_S)
        caught_up_s = time.monotonic() - ended
        arrived = meter.read()

    def differences() -> list[str]:
        truths = grid.manifests(race, rigs, driven)
        return [each.text for truth in truths for each in compare(stack, race, truth, [])]

    wait(lambda: not differences(), WRITTEN_S)  # the newest frames wait a batch or two for their partners
    return Run(
        rigs,
        sent,
        arrived,
        arrived.received - (_waiting(stack) - before),
        waiting,
        arrived.missing(sent.datagrams),
        differences(),
        cores,
        caught_up_s,
        sent.seconds / max(1, batches),
    )


def _waiting(stack: Stack) -> int:
    written = spark_read(
        stack.settings(PostgresSettings)
    ).datagrams  # first, so that what comes between the two looks counts as waiting
    status = stack.gateway.status()
    return int(status["received"] - status["stored"] - sum(status["skipped"].values()) - written)


def _batches(stack: Stack) -> int:
    """Micro-batches written so far."""
    return asked(stack, "SELECT count(*) FROM core.ledger")


def _rows(run: Run) -> list[Row]:
    middle, last = run.lag_s
    return [
        Row(
            "packets sent",
            run.sent.datagrams / run.sent.seconds,
            "/s",
            note=f"{run.sent.datagrams:,} in {run.sent.seconds:.0f} s, late by {run.sent.latest_ms:.0f} ms at most",
        ),
        none("sent and not received", run.sent.datagrams - run.arrived.received),
        Row("counts that do not close", len(run.left), "", aim="none", met=not run.left, note="; ".join(run.left)),
        Row(
            "values of rows that differ",
            len(run.differences),
            "values",
            aim="none",
            met=not run.differences,
            note="; ".join(run.differences[:5]),
        ),
        Row(
            "lag in the last third of the race",
            last,
            "s",
            aim="does not grow",
            met=not run.lag_grows,
            note=f"{middle:.1f} s in the middle third, {max(run.waiting) / run.rate:.1f} s at most",
        ),
        Row("from the last datagram until all was in the tables", run.caught_up_s, "s"),
        *(Row(f"processor time of {name}", cores, "cores") for name, cores in run.cores.items()),
        Row("processor time of the sender", run.sent.cpu_s / run.sent.seconds, "cores"),
    ]


class Peer(NamedTuple):
    """What Telegraf did with a load."""

    sent: int
    stored: int
    told: int
    """Datagrams that its log says were given up."""
    cores: float
    complaints: list[str]


def _telegraf(loads: Sequence[tuple[int, int]]) -> dict[int, Peer | None]:
    """By number of rigs; None where Telegraf cannot be had."""
    found: dict[int, Peer | None] = {}
    with running("Database") as stack:
        for rigs, laps in loads:
            try:
                with telegraf.running(stack) as peer:
                    with grid.driving(peer.port, rigs, laps) as sender:
                        postgres, before, begun = Processors(stack.postgres), peer.cpu_s(), time.monotonic()
                        sent = sender.end()
                        cores = (peer.cpu_s() - before) / (time.monotonic() - begun)
                        cores += postgres.cores()[stack.postgres.name]
                    found[rigs] = Peer(sent.datagrams, peer.stored(), peer.dropped(), cores, peer.complaints())
            except PeerMissing:
                found[rigs] = None
    return found


def _beside(run: Run, peer: Peer | None) -> list[Row]:
    """Ours and Telegraf's under one load: what was stored, and what was lost without a count that tells of it."""
    load = f"{run.rigs} rigs, {run.rate:,.0f}/s"
    told = run.arrived.kernel_drops + run.arrived.dropped.total() + run.arrived.waiting
    return [
        Row(
            f"{load}: stored of what was sent",
            100 * run.stored / run.sent.datagrams,
            "%",
            telegraf.TITLE,
            100 * peer.stored / peer.sent if peer else None,
            less_is_better=False,
            note=f"{run.stored:,} of {run.sent.datagrams:,}" + (f"; {peer.stored:,} of {peer.sent:,}" if peer else ""),
        ),
        Row(
            f"{load}: lost and not counted",
            max(0, run.sent.datagrams - run.stored - told),
            "datagrams",
            telegraf.TITLE,
            max(0, peer.sent - peer.stored - peer.told) if peer else None,
            note=f"ours counted {told:,}"
            + (f", Telegraf {peer.told:,}; {'; '.join(peer.complaints[:3])}" if peer else ""),
        ),
        Row(
            f"{load}: processor time of the servers",
            sum(run.cores.values()),
            "cores",
            telegraf.TITLE,
            peer.cores if peer else None,
        ),
    ]
