"""What benchmarks run against: a whole stack of its own, its processors' time, what Kafka and Postgres hold.

Nothing of it is the demo's: its folder (`.pitlane/bench-stack/PID`) is made for one benchmark and deleted after it.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Event
from typing import Any, NamedTuple

import psycopg
from kafka import KafkaConsumer, TopicPartition
from pyspark.sql import SparkSession
from rich.console import Console

from f1_packets import block
from pitlane.settings import HOME, REPOSITORY, PostgresSettings, SparkSettings
from pitlane.stack import jdks, throwaway
from pitlane.stack.server import Server
from pitlane.stack.stack import Stack
from spark.runtime import session

POLL_S = 0.25
QUIET_S = 2.0
"""So long must the count of received datagrams stand still before all that is on its way has come."""

Status = dict[str, Any]


@contextmanager
def running(*titles: str, **settings: object) -> Iterator[Stack]:
    """A stack with these steps done (`Gateway` brings NiFi with the flow, Kafka and Postgres); gone afterwards.

    `settings` are Pitlane's by name: `source_rate=0`.
    """
    console = Console(stderr=True)
    runs = HOME / "bench-stack"
    throwaway.clear(runs)
    stack = Stack.ephemeral(runs / str(os.getpid()))
    stack.values |= {f"PITLANE_{name.upper()}": str(value) for name, value in settings.items()}
    try:
        stack.up(console, titles)
        yield stack
    finally:
        throwaway.delete(stack)


@contextmanager
def spark_session(settings: SparkSettings, name: str) -> Iterator[SparkSession]:
    """A session of this process, on the JDK that the stack would take."""
    os.environ["JAVA_HOME"] = str(jdks.jdk("Spark").home)
    spark = session(settings, name)
    try:
        yield spark
    finally:
        spark.stop()


def beside(kill: Callable[[], None], send: Callable[[Future[None]], None], over: Event) -> None:
    """Runs `kill` in a thread while `send` sends, which can ask how it fares; `over` is set when all is sent."""
    with ThreadPoolExecutor(1) as thread:
        killing = thread.submit(kill)
        try:
            send(killing)
        finally:
            over.set()
        killing.result()


@contextmanager
def meanwhile(look: Callable[[], None], every_s: float) -> Iterator[None]:
    """Calls `look` again and again in a thread as long as the body lasts."""
    over = Event()

    def repeat() -> None:
        while not over.wait(every_s):
            look()

    with ThreadPoolExecutor(1) as thread:
        looking = thread.submit(repeat)
        try:
            yield
        finally:
            over.set()
        looking.result()


def wait(until: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + timeout_s
    while not until():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def answer(connection: psycopg.Connection, query: str) -> int:
    """What a query answers that gives one number."""
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def asked(stack: Stack, query: str) -> int:
    """`answer` of Pitlane's own database, which the superuser asks."""
    database = stack.settings(PostgresSettings).postgres_database
    with psycopg.connect(stack.postgres.conninfo(database)) as superuser:
        return answer(superuser, query)


def settled(stack: Stack, timeout_s: float = 180) -> Status:
    """The gateway's status when nothing more comes and nothing waits, or what it is after `timeout_s`."""
    seen: tuple[int, float] = (-1, 0.0)
    status: Status = {}

    def quiet() -> bool:
        nonlocal seen, status
        status = stack.gateway.status()
        if status["received"] != seen[0]:
            seen = (status["received"], time.monotonic())
        waits = status["waiting"] + status["dead_letter"]["waiting"]
        return waits == 0 and time.monotonic() - seen[1] >= QUIET_S

    wait(quiet, timeout_s)
    return status


def unaccounted(status: Status) -> int:
    """Received datagrams that are in none of the terms of the ledger's equation; 0 when it closes."""
    terms = status["stored"] + status["forwarded"] + status["waiting"]
    reasons = sum(sum(status[name].values()) for name in ("skipped", "rejected", "dropped"))
    return int(status["received"] - terms - reasons)


class Meter:
    """Processor time of servers, and of what they started, between two moments."""

    def __init__(self, *servers: Server) -> None:
        self._servers = servers
        self._begun = time.monotonic()
        self._before = {server.name: _cpu_s(server) for server in servers}

    def cores(self) -> dict[str, float]:
        """By server's name: how many cores it kept busy on average since the meter was made."""
        seconds = time.monotonic() - self._begun
        return {server.name: (_cpu_s(server) - self._before[server.name]) / seconds for server in self._servers}


def _cpu_s(server: Server) -> float:
    process = server.process()
    if process is None:
        return 0.0
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


@dataclass
class InKafka:
    """Datagrams of all topics, each block counted once however often it came."""

    packets: int = 0
    dead_letters: int = 0
    repeated: int = 0
    """Datagrams of blocks that came again, with the `block.id` that they had."""
    conflicting: int = 0
    """Of those blocks, the ones that were not the same again: other headers or other bytes."""
    ids: set[str] = field(default_factory=set)
    """Every `block.id`."""
    contents: Counter[bytes] = field(default_factory=Counter)
    """Times that each datagram is there, when asked for."""

    @property
    def blocks(self) -> int:
        return len(self.ids)


def in_kafka(stack: Stack, of_each: Callable[[bytes], bytes] | None = None) -> InKafka:
    """Reads every topic from its begin to where it ends now; `of_each` makes the keys of `contents` of datagrams."""
    found, seen = InKafka(), dict[str, int]()
    for record in records(stack):
        headers = record.headers
        count, name, same = int(headers["block.count"]), headers["block.id"], hash((*headers.items(), record.content))
        if name in seen:
            found.repeated += count
            found.conflicting += seen[name] != same
            continue
        seen[name] = same
        if "reject.reason" in headers:
            found.dead_letters += count
        else:
            found.packets += count
        if of_each is not None:
            found.contents.update(of_each(datagram) for _, datagram in record.datagrams())
    found.ids.update(seen)
    return found


class Record(NamedTuple):
    headers: dict[str, str]
    content: bytes
    timestamp_ms: int
    """Since the epoch: when NiFi sent it, or when the broker took it, as its topic is set."""

    def datagrams(self) -> Iterator[tuple[int, bytes]]:
        """(arrival in ns since the epoch, datagram) of each entry."""
        length = int(self.headers["block.bytes"])
        for at in range(0, len(self.content), length):
            arrival_ns, _ = block.PREFIX.unpack_from(self.content, at)
            yield arrival_ns, self.content[at + block.PREFIX.size : at + length]


Places = Mapping[TopicPartition, int]
"""Offsets in partitions."""


def ends(stack: Stack) -> Places:
    """Where every partition of Pitlane's topics ends now."""
    with closing(_consumer(stack)) as consumer:
        found: Places = consumer.end_offsets(_partitions(consumer))
    return found


def records(stack: Stack, since: Places | None = None) -> Iterator[Record]:
    """All records from `since` (or from the begin) to where the topics end now, in the order of each partition."""
    with closing(_consumer(stack)) as consumer:
        partitions = _partitions(consumer)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        for partition, offset in (since or {}).items():
            consumer.seek(partition, offset)
        to = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < end for partition, end in to.items()):
            for found in consumer.poll(500).values():
                for each in found:
                    headers = {name: value.decode() for name, value in each.headers}
                    yield Record(headers, each.value, each.timestamp)


def _consumer(stack: Stack) -> KafkaConsumer:
    return KafkaConsumer(bootstrap_servers=stack.kafka.address, check_crcs=False)


def _partitions(consumer: KafkaConsumer) -> list[TopicPartition]:
    topics = sorted(name for name in consumer.topics() if not name.startswith("__"))
    return [TopicPartition(name, number) for name in topics for number in consumer.partitions_for_topic(name)]


@dataclass
class Frames:
    """What one viewer of the live stream got: (CLOCK_MONOTONIC, overall frame) of each message."""

    messages: list[tuple[float, int]]

    def largest_gap_ms(self, from_: float, to: float) -> float:
        """Between one message and the next, in this time; the time's own ends count as messages."""
        moments = [from_, *(at for at, _ in self.messages if from_ <= at <= to), to]
        return max(b - a for a, b in pairwise(moments)) * 1000

    def latencies_ms(self, due: Callable[[int], float], from_: float, to: float) -> list[float]:
        """From the moment that a frame was due at its sender to its message here; `due` says when."""
        return [(at - due(frame)) * 1000 for at, frame in self.messages if from_ <= at <= to]


@contextmanager
def viewers(url: str, count: int) -> Iterator[Callable[[], Sequence[Frames]]]:
    """`count` WebSocket viewers in a process of their own; call what you get to end them and have what they saw."""
    command = [sys.executable, "-m", "benchmarks.viewers", url, str(count)]
    child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines = child.stdout

    def end() -> list[Frames]:
        child.terminate()
        line = lines.readline()
        child.wait()
        return [Frames([(at, frame) for at, frame in messages]) for messages in json.loads(line)]

    try:
        if lines.readline().strip() != "connected":
            raise RuntimeError(f"the viewers ended with {child.wait()}")
        yield end
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        lines.close()
