"""kill -9 of the gateway at random moments of a race, from the UDP port to the tables.

A simulated race is sent faster than real. At twenty random moments of it the gateway's process is killed and at once
started again; while it is away the sender waits, as a game would not, so that a kill loses what the gateway held and
little else. Whatever is missing is found by content: every datagram sent is looked for among those in Kafka, and each
missing one has the time when it was sent.

Aims: what is missing was sent within the last fsync window before a kill (or while nobody listened), the gateway's
own count says exactly the same, and the tables are the simulator's manifest in every value that no lost datagram
could have changed.
"""

import json
import os
import random
import signal
import socket
import threading
import time
from bisect import bisect_right
from collections import Counter
from concurrent.futures import Future
from hashlib import blake2b
from typing import NamedTuple

from benchmarks.pipeline import InKafka, Status, beside, in_kafka, running, settled, unaccounted, wait
from benchmarks.report import Result, Row, none
from benchmarks.tables import Lost, compare
from f1_packets import PACKET_IDS, PACKET_NAMES, read_header, sample_order
from pitlane.replay import Pacer
from pitlane.settlement import Meter
from pitlane.simulator import Race, RaceConfig
from pitlane.stack.stack import Stack

NAME = "crash"
KILLS, LAPS, SPEED = 20, 3, 6.0
RACE = 4
WINDOW_MS = 100
LATE_MS = 50
"""A timer of the window may come so much late on a busy machine."""
SETTLE_S = 240
SESSION = PACKET_IDS["session"]


class Shot(NamedTuple):
    """One datagram that was sent: CLOCK_MONOTONIC, what it was, where in the race."""

    at: float
    packet_id: int
    order: int
    """f1_packets.sample_order"""
    digest: bytes


class Outage(NamedTuple):
    """From the kill to the moment when the next gateway listened, CLOCK_MONOTONIC."""

    killed: float
    listening: float


class Field:
    """The sender and the killer of one race. Time in which the gateway is away is no time of the race."""

    def __init__(self, stack: Stack, race: Race, kills: int, seed: int) -> None:
        self._stack, self._race = stack, race
        draw = random.Random(seed)
        self._moments = sorted(draw.uniform(0.02, 0.98) * race.duration_s / SPEED for _ in range(kills))
        self._away = threading.Event()
        self._away_s = 0.0
        self._over = threading.Event()
        self.shots: list[Shot] = []
        self.outages: list[Outage] = []

    def run(self) -> None:
        """Sends the race; returns when it is over and the last gateway listens."""
        self._begun = time.monotonic()
        beside(self._kill, self._send, self._over)

    def _racing_s(self) -> float:
        return time.monotonic() - self._begun - self._away_s

    def _send(self, killing: Future[None]) -> None:
        pacer = Pacer(SPEED, clock=self._racing_s)
        with socket.socket(type=socket.SOCK_DGRAM) as out:
            out.connect(("127.0.0.1", self._stack.ports.udp))
            for offset_s, datagram in self._race.datagrams():
                pacer.wait(offset_s)
                while self._away.is_set():
                    if killing.done():
                        killing.result()  # it could not start the gateway again
                    time.sleep(0.001)
                header = read_header(datagram)
                order = sample_order(header.overall_frame_identifier, header.session_time_s)
                self.shots.append(Shot(time.monotonic(), header.packet_id, order, digest(datagram)))
                try:
                    out.send(datagram)
                except ConnectionRefusedError:  # told of an earlier one, in place of sending this one
                    out.send(datagram)

    def _kill(self) -> None:
        for moment in self._moments:
            while self._racing_s() < moment:
                if self._over.wait(0.0005):
                    return
            gateway = self._stack.gateway
            process = gateway.process()
            assert process is not None
            killed = time.monotonic()
            os.kill(process.pid, signal.SIGKILL)
            self._away.set()
            process.wait(10)  # a zombie whose other threads still end has its ports
            gateway.start()
            wait(self._listens, 60)
            listening = time.monotonic()
            self.outages.append(Outage(killed, listening))
            self._away_s += listening - killed
            self._away.clear()

    def _listens(self) -> bool:
        """HTTP answers a little before the UDP port is bound; the log says when all is there."""
        lines = self._stack.gateway.log.read_text(errors="replace").splitlines()
        return any(json.loads(line).get("event") == "listening" for line in lines if line.startswith("{"))


def digest(datagram: bytes) -> bytes:
    return blake2b(datagram, digest_size=12).digest()


def run(quick: bool) -> Result:
    kills, laps = (5, 1) if quick else (KILLS, LAPS)
    seed = random.randrange(2**32)
    race = Race(RaceConfig(packet_format=2025, laps=laps, rate_hz=60, seed=RACE))
    truth = race.manifest()
    with running("Gateway", "Spark") as stack, Meter(stack) as meter:
        field = Field(stack, race, kills, seed)
        field.run()
        status = settled(stack)
        finished = wait(lambda: not meter.read().unread_by_spark.total(), SETTLE_S)
        time.sleep(5)  # the micro-batch under way writes what it waited with
        held = in_kafka(stack, of_each=digest)
        missing = _missing(field.shots, held)
        lost = [Lost(PACKET_NAMES[shot.packet_id], shot.order) for shot in missing]
        differences = compare(stack, race, truth, lost)
    rows = _loss(field, status, held, missing)
    unexplained = [each for each in differences if not each.explained]
    rows += [
        Row("values of rows that differ and a lost datagram explains", len(differences) - len(unexplained), "values"),
        Row(
            "values of rows that differ otherwise",
            len(unexplained),
            "values",
            aim="none",
            met=not unexplained and finished,
        ),
    ]
    away = [outage.listening - outage.killed for outage in field.outages]
    count = len(truth.participants) + len(truth.laps) + len(truth.stints) + len(truth.events) + len(truth.results)
    notes = [
        f"A race of {laps} laps at 60 Hz, {SPEED:g} times as fast as real, {len(field.shots):,} datagrams; the gateway "
        f"was away for {min(away):.1f} to {max(away):.1f} s after each kill, and the sender waited. Moments drawn with seed {seed}.",
        f"Compared: {count:,} rows of participants, laps, stints, events and results. A lost datagram explains a "
        "difference in a lap when its frame lies in it, in an event when it was that event's own.",
        *(f"differs: {each.text}" for each in unexplained[:10]),
    ]
    if not finished:
        notes.append(f"Spark was not done {SETTLE_S} s after the race.")
    return Result(NAME, f"kill -9 of the gateway at {kills} random moments", rows, notes)


def _missing(shots: list[Shot], held: InKafka) -> list[Shot]:
    """What was sent and is not in Kafka, the newest of equal ones; session packets never come there."""
    lacking = Counter(shot.digest for shot in shots if shot.packet_id != SESSION) - held.contents
    found = []
    for shot in reversed(shots):
        if lacking[shot.digest] > 0 and shot.packet_id != SESSION:
            lacking[shot.digest] -= 1
            found.append(shot)
    return found[::-1]


def _loss(field: Field, status: Status, held: InKafka, missing: list[Shot]) -> list[Row]:
    killed = [outage.killed for outage in field.outages]

    def before_kill_ms(shot: Shot) -> float | None:
        """How long before the next kill it was sent; None when it was sent while nobody listened, or long after one."""
        before = bisect_right(killed, shot.at) - 1
        if before >= 0 and shot.at < field.outages[before].listening:
            return None
        return (killed[before + 1] - shot.at) * 1000 if before + 1 < len(killed) else float("inf")

    ages = [before_kill_ms(shot) for shot in missing]
    in_window = [age for age in ages if age is not None]
    oldest = max(in_window, default=0.0)
    sessions = sum(shot.packet_id == SESSION for shot in field.shots)
    sessions_missing = sessions - status["stored"] - sum(status["skipped"].values())
    dropped = sum(status["dropped"].values())
    never_received = len(field.shots) - status["received"]
    strangers = (held.contents - Counter(shot.digest for shot in field.shots)).total()
    uncounted = len(missing) + sessions_missing - never_received - dropped
    return [
        Row("kills", len(killed), "", note=f"{len(field.shots):,} datagrams were sent"),
        Row("sent before a kill and missing", len(in_window), "datagrams", note=_kinds(missing)),
        Row(
            "the oldest of them, before its kill",
            oldest,
            "ms",
            aim=f"at most {WINDOW_MS} ms and {LATE_MS} ms for a late timer",
            met=oldest <= WINDOW_MS + LATE_MS,
        ),
        Row("sent while nobody listened", len(missing) - len(in_window), "datagrams"),
        Row("session packets missing", sessions_missing, "datagrams"),
        Row(
            "counted by the gateway as lost in a crash",
            status["dropped"].get("crash", 0),
            "datagrams",
            note=f"{never_received:,} sent ones never left the socket's buffer or found nobody; dropped: {status['dropped']}",
        ),
        none("missing and not counted", abs(uncounted)),
        none("received and in no term", abs(unaccounted(status))),
        none("in Kafka and never sent", strangers),
        Row("came twice, with the block id that they had", held.repeated, "datagrams"),
    ]


def _kinds(missing: list[Shot]) -> str:
    return ", ".join(
        f"{count} {PACKET_NAMES[id_]}" for id_, count in Counter(s.packet_id for s in missing).most_common()
    )
