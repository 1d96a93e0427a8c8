"""kill -9 of NiFi, of Kafka, and of the Spark driver, again and again under load, from the UDP port to the tables.

A simulated race is sent six times as fast as real. At random moments the victim's process is killed and started again
at once, once there was something new behind it since the kill before: records in Kafka, of Spark a micro-batch in
Postgres. The sender goes on for the first seconds of each outage and then waits, so that the race lasts until the last
kill; what it sent meanwhile waits in the gateway's spool, or in Kafka, and comes back as a flood, into which the next
kill may fall. How many kills met Spark's writer inside a Postgres transaction is asked just before each; it is made to
stand in one for the first.

Aims: every block that NiFi answered with 200 is in Kafka, a block that came twice is the same block under the same
`block.id`, every datagram sent is in exactly one block, and the tables are the simulator's manifest.
"""

import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from threading import Event
from typing import NamedTuple

import psycopg

from benchmarks.crash import digest
from benchmarks.pipeline import InKafka, Status, asked, beside, in_kafka, running, unaccounted, wait
from benchmarks.report import Result, Row, none
from benchmarks.tables import Difference, compare
from f1_packets import PACKET_IDS, PACKET_NAMES
from pitlane.replay import Pacer
from pitlane.settings import PostgresSettings
from pitlane.settlement import Meter
from pitlane.simulator import Race, RaceConfig
from pitlane.simulator.manifest import Manifest
from pitlane.stack.server import Server
from pitlane.stack.stack import Stack

NAME = "kills"
SPEED = 6.0
NIFI, KAFKA, SPARK = "nifi", "kafka", "spark"


class Plan(NamedTuple):
    kills: int
    laps: int
    race: int
    """Seed of the race meanwhile."""


PLANS = {NIFI: Plan(10, 14, 5), KAFKA: Plan(10, 14, 6), SPARK: Plan(20, 20, 7)}
"""Who is killed."""

CALM_S = (1.0, 7.0)
"""A kill comes so long after there was something new behind the victim."""
GRACE_S = 4.0
"""So long the sender goes on while the neighbour is away."""
AGAIN_S = 120
SETTLE_S = 300
WRITTEN_S = 30
PACKET_ID_AT = 6
SESSION = PACKET_IDS["session"]


class Siege:
    """The sender of one race, and the killer of one server beside it."""

    def __init__(self, stack: Stack, victim: Server, race: Race, kills: int, draw: random.Random) -> None:
        self._stack, self._victim, self._race = stack, victim, race
        self.calm_s = [draw.uniform(*CALM_S) for _ in range(kills)]
        self._killed: float | None = None
        """CLOCK_MONOTONIC, while the victim is away."""
        self._over = Event()
        self.sent: Counter[bytes] = Counter()
        """Times that each datagram was sent, by `key`."""
        self.kills = 0
        self.in_transaction = 0
        """Kills of Spark that met its writer inside a Postgres transaction."""
        self.outages_s: list[float] = []
        """Of each kill: until there was something new behind the victim, or the race was over."""

    def run(self) -> None:
        """Sends the race; returns when it is over and the victim runs. A kill that the race was too short for is left out."""
        beside(self._kill, self._send, self._over)

    def _send(self, killing: Future[None]) -> None:
        begun, waited_s = time.monotonic(), 0.0
        pacer = Pacer(SPEED, clock=lambda: time.monotonic() - begun - waited_s)
        with socket.socket(type=socket.SOCK_DGRAM) as out:
            out.connect(("127.0.0.1", self._stack.ports.udp))
            for offset_s, datagram in self._race.datagrams():
                pacer.wait(offset_s)
                now = time.monotonic()
                while (killed := self._killed) is not None and time.monotonic() > killed + GRACE_S:
                    if killing.done():
                        killing.result()  # it could not start the victim again
                    time.sleep(0.01)
                waited_s += time.monotonic() - now
                out.send(datagram)
                self.sent[key(datagram)] += 1

    def _kill(self) -> None:
        is_spark = self._victim is self._stack.spark
        for calm_s in self.calm_s:
            if self._over.wait(calm_s):
                return
            process = self._victim.process()
            assert process is not None
            with writing(self._stack) if is_spark and not self.kills else nullcontext():
                self.in_transaction += is_spark and is_writing(self._stack)
                self._killed = killed = time.monotonic()
                process.kill()
            process.wait(10)  # a zombie whose other threads still end has its ports
            self.kills += 1
            # Spark is long on its way to a micro-batch: the race waits for it, or it would be over before the last kill.
            before = self._news() if is_spark else None
            self._victim.start()
            if before is None:
                self._killed, before = None, self._news()
            self._wait_for_news(before)
            self._killed = None
            self.outages_s.append(time.monotonic() - killed)

    def _wait_for_news(self, before: int) -> None:
        if not wait(lambda: self._over.is_set() or self._news() > before, AGAIN_S):
            raise RuntimeError(f"nothing new {AGAIN_S} s after {self._victim.title} was started again")

    def _news(self) -> int:
        """What has come out of the victim so far: records, of Spark micro-batches."""
        if self._victim is self._stack.spark:
            return asked(self._stack, "SELECT count(*) FROM core.ledger")
        return sum(self._stack.kafka.record_counts().values())


def is_writing(stack: Stack) -> bool:
    """Whether Spark's writer is inside a transaction that has written something."""
    return bool(asked(stack, "SELECT count(backend_xid) FROM pg_stat_activity WHERE usename = 'pitlane_spark'"))


@contextmanager
def writing(stack: Stack) -> Iterator[None]:
    """Spark's writer stands inside a transaction as long as this lasts: it waits for a lock. It needs data to write."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pitlane_spark' AND wait_event_type = 'Lock'"
    with psycopg.connect(stack.settings(PostgresSettings).conninfo("owner")) as holder:
        holder.execute("LOCK TABLE core.lap IN EXCLUSIVE MODE")
        if not wait(lambda: bool(asked(stack, waits)), AGAIN_S):
            raise RuntimeError(f"Spark did not write within {AGAIN_S} s")
        yield
        holder.rollback()


def arrived(meter: Meter, siege: Siege) -> list[str]:
    """Waits until all that was sent has gone the whole way; what keeps it from that, in words, after SETTLE_S."""
    sent = siege.sent.total()
    wait(lambda: not meter.read().missing(sent), SETTLE_S)
    return meter.read().missing(sent)


def settled_differences(stack: Stack, race: Race, truth: Manifest) -> list[Difference]:
    """Values of the tables that are not the manifest's, once the micro-batch under way has written what it waited with."""
    wait(lambda: not compare(stack, race, truth, []), WRITTEN_S)
    return compare(stack, race, truth, [])


def key(datagram: bytes) -> bytes:
    """Stands for a datagram among others: its packet ID and a digest."""
    return datagram[PACKET_ID_AT : PACKET_ID_AT + 1] + digest(datagram)


def lacking(sent: Counter[bytes], held: InKafka) -> Counter[str]:
    """What was sent and is not in Kafka, by packet; session packets never come there."""
    missing = Counter({each: n for each, n in (sent - held.contents).items() if each[0] != SESSION})
    found: Counter[str] = Counter()
    for each, count in missing.items():
        found[PACKET_NAMES[each[0]]] += count
    return found


def gaps(ids: set[str]) -> int:
    """Blocks that are missing among `block.id`s: the numbers of one spool have no gaps, from 0 on."""
    newest: dict[str, int] = {}
    for each in ids:
        spool, _, number = each.rpartition("-")
        newest[spool] = max(newest.get(spool, -1), int(number, 16))
    return sum(number + 1 for number in newest.values()) - len(ids)


def run(quick: bool) -> Result:
    seed = random.randrange(2**32)
    rows, notes = [], []
    for name, plan in PLANS.items():
        kills, laps = (2, 1) if quick else (plan.kills, plan.laps)
        race = Race(RaceConfig(packet_format=2025, laps=laps, rate_hz=60, seed=plan.race))
        found, said = besieged(name, race, kills, random.Random(seed))
        rows += found
        notes += said
    laps_each = ", ".join(f"{plan.laps} ({name})" for name, plan in PLANS.items())
    notes.append(
        f"Races of {laps_each} laps at 60 Hz, {SPEED:g} times as fast as real; the sender goes on for {GRACE_S:g} s of "
        f"each outage and then waits. A kill comes {CALM_S[0]:g} to {CALM_S[1]:g} s after there was something new behind "
        f"the victim, drawn with seed {seed}.",
    )
    return Result(NAME, "kill -9 of NiFi, of Kafka and of the Spark driver under load", rows, notes)


def besieged(name: str, race: Race, kills: int, draw: random.Random) -> tuple[list[Row], list[str]]:
    truth = race.manifest()
    with running("Gateway", "Spark") as stack, Meter(stack) as meter:
        victim = stack.server(name)
        siege = Siege(stack, victim, race, kills, draw)
        siege.run()
        left = arrived(meter, siege)
        status = stack.gateway.status()
        held = in_kafka(stack, of_each=key)
        differences = settled_differences(stack, race, truth)
    rows = _kept(siege, status, held)
    rows.append(
        Row("values of rows that differ", len(differences), "values", aim="none", met=not differences and not left)
    )
    count = len(truth.participants) + len(truth.laps) + len(truth.stints) + len(truth.events) + len(truth.results)
    away = siege.outages_s
    rows.insert(
        0,
        Row(
            f"{victim.title}: kills under load",
            siege.kills,
            "",
            aim=str(kills),
            met=siege.kills == kills,
            note=f"{siege.sent.total():,} datagrams were sent; at most {max(away, default=0):.1f} s from a kill to "
            "something new behind it",
        ),
    )
    if name == SPARK:
        met = siege.in_transaction
        rows.insert(1, Row("of them inside a Postgres transaction", met, "", aim="some", met=met > 0))
    notes = [f"{victim.title}: {count:,} rows of participants, laps, stints, events and results were compared."]
    notes.append(f"{victim.title}: killed after {', '.join(f'{s:.1f}' for s in siege.calm_s)} s of calm.")
    notes += [f"differs: {each.text}" for each in differences[:10]]
    notes += [f"{victim.title}, {SETTLE_S} s after the race: {each}" for each in left]
    return rows, notes


def _kept(siege: Siege, status: Status, held: InKafka) -> list[Row]:
    sent = siege.sent
    sessions = sum(count for each, count in sent.items() if each[0] == SESSION)
    missing = lacking(sent, held)
    posted = status["forwarded"] + status["dead_letter"]["forwarded"]
    return [
        none(
            "sent and not received",
            sent.total() - status["received"],
            f"the kernel dropped {status['kernel']['drops'] or 0:,}",
        ),
        none("received and given up", sum(status["dropped"].values()), str(status["dropped"] or "")),
        none("received and in no term", abs(unaccounted(status))),
        none(
            "answered with 200 and not in Kafka",
            posted - held.packets - held.dead_letters,
            f"{posted:,} in {held.blocks:,} blocks were",
        ),
        Row("numbers missing among the block ids", gaps(held.ids), "blocks", aim="none", met=not gaps(held.ids)),
        none("sent and not in Kafka", missing.total(), str(dict(missing) or "")),
        none("in Kafka more often than sent, under another block id", (held.contents - sent).total()),
        Row("blocks that came again as another one", held.conflicting, "blocks", aim="none", met=not held.conflicting),
        Row("came again, under the block id that they had", held.repeated, "datagrams"),
        none("session packets not in Postgres", sessions - status["stored"] - sum(status["skipped"].values())),
    ]
