"""From Kafka to Postgres: Spark's batch beside quixstreams' PostgreSQLSink, on the same topics.

They are the six topics that core.lap_trace and core.lap_damage are made of, with the blocks of four rigs that each drove
a lap. Both decode with f1_packets. The peer writes a row for each car of each datagram, into a table a topic; ours joins
the packets of a frame, keeps one in 10 m and the newest of each lap, writes by natural key and in one transaction with
the ledger. So two numbers stand beside each other: samples of a car a second that were read and are accounted for, and
rows a second that were written.

Both are counted from the first record read to the last commit, without the start of their processes, on a Postgres and a
Kafka that do nothing else; in turns, after a round that does not count.
"""

import json
import os
import select
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from pyspark.sql import SparkSession

from benchmarks import grid, peers
from benchmarks.load import CHANGING_AT, PACKET_ID_AT, sources
from benchmarks.pipeline import answer, running, settled, spark_session
from benchmarks.report import Result, Row
from f1_packets import PACKET_IDS
from pitlane import replay
from pitlane.capture import Datagram
from pitlane.settings import REPOSITORY, KafkaSettings, SparkSettings
from pitlane.stack.stack import Stack
from pitlane.topics import topic
from postgres import tables
from spark import backfill

NAME = "kafka_to_postgres"
VERSION = "3.28.1"
PEER = f"quixstreams {VERSION}, PostgreSQLSink"
RIGS, ROUNDS = 4, 3
DATABASE = "quix"
TIMEOUT_S = 600
PACKETS = ("lap_data", "car_telemetry", "car_status", "motion", "car_telemetry_2", "car_damage")
"""What is in Kafka; the peer's tables are named so too."""
FACTS = ("lap", "lap_start", "lap_trace", "lap_damage", "pit_sample")
"""What these make."""
Speed = tuple[float, float]
"""Samples a second, rows a second."""


def run(quick: bool) -> Result:
    rigs, rounds = (2, 1) if quick else (RIGS, ROUNDS)
    with running("Gateway") as stack:
        samples = _fill(stack, rigs)
        stack.gateway.stop()
        stack.nifi.stop()
        ours: list[Speed] = []
        theirs: list[Speed] = []
        try:
            python = peers.python("quixstreams[postgresql]", VERSION)
        except peers.PeerMissing:
            python = None
        with spark_session(stack.settings(SparkSettings), NAME) as spark:
            for _ in range(rounds + 1):
                ours.append(_ours(stack, spark, samples))
                if python is not None:
                    theirs.append(_theirs(stack, str(python), samples))
    rows = []
    for what, at in (("samples of a car read and accounted for", 0), ("rows written", 1)):
        mine, other = ([speed[at] for speed in speeds[1:]] for speeds in (ours, theirs))
        rows.append(
            Row(
                what,
                statistics.median(mine),
                "/s",
                PEER,
                statistics.median(other) if other else None,
                less_is_better=False,
                note=f"rounds: {_listed(mine)}; of the peer: {_listed(other)}",
            )
        )
    notes = [
        f"{samples:,} samples of a car: {', '.join(PACKETS)} of {rigs} rigs with {grid.race_of(1).config.cars} cars, a lap "
        f"at {grid.RATE_HZ} Hz. Medians of {rounds} rounds, which take turns.",
        "The peer inserts every sample as a row, without a key: what comes twice stands there twice. It has one process, "
        "as its Application is made; Spark has two workers. Ours keeps of each car the newest joined sample in every 10 m "
        "and of every lap, by natural key.",
    ]
    return Result(NAME, "From Kafka to Postgres: what laps and their traces are made of", rows, notes)


def _fill(stack: Stack, rigs: int) -> int:
    """Puts these packets of a lap of each rig into Kafka, by gateway and NiFi; how many samples of cars they are."""
    race = grid.race_of(1)
    wanted = {PACKET_IDS[name] for name in PACKETS}
    datagrams = [datagram for _, datagram in race.datagrams() if datagram[PACKET_ID_AT] in wanted]
    addresses = {source: source for source in sources(rigs)}
    # One frame of all rigs after the other, a rig's uid in each.
    ends = CHANGING_AT, CHANGING_AT + grid.UID_BYTES
    timed = (
        (0.0, Datagram(0, source, datagram[: ends[0]] + grid.uid(number) + datagram[ends[1] :]))
        for datagram in datagrams
        for number, source in enumerate(addresses)
    )
    replay.send_apart(timed, addresses, port=stack.ports.udp)
    status = settled(stack)
    if status["forwarded"] != len(datagrams) * rigs:
        raise RuntimeError(f"{len(datagrams) * rigs:,} datagrams were sent, NiFi has {status['forwarded']:,}")
    return len(datagrams) * rigs * race.config.cars


def _ours(stack: Stack, spark: SparkSession, samples: int) -> Speed:
    settings = stack.settings(SparkSettings)
    names = ", ".join(f"core.{table.name}" for table in tables.metadata.sorted_tables if table.schema == "core")
    with psycopg.connect(settings.conninfo("owner"), autocommit=True) as owner:
        owner.execute(f"TRUNCATE {names}".encode())
        begun = time.monotonic()
        backfill.write(spark, settings, lambda done, total: None)
        seconds = time.monotonic() - begun
        rows = sum(answer(owner, f"SELECT count(*) FROM core.{name}") for name in FACTS)
    return samples / seconds, rows / seconds


def _theirs(stack: Stack, python: str, samples: int) -> Speed:
    server = stack.postgres
    with psycopg.connect(server.conninfo(), autocommit=True) as superuser:
        superuser.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        superuser.execute(f"CREATE DATABASE {DATABASE}".encode())
    with _reading(stack, python) as begun, psycopg.connect(server.conninfo(DATABASE), autocommit=True) as connection:
        deadline = time.monotonic() + TIMEOUT_S
        while _inserted(connection) < samples:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{PEER} did not write {samples:,} rows within {TIMEOUT_S} s")
            time.sleep(0.25)
        seconds = time.monotonic() - begun
        if (rows := sum(answer(connection, f"SELECT count(*) FROM {name}") for name in PACKETS)) != samples:
            raise RuntimeError(f"{PEER} wrote {rows:,} rows for {samples:,} samples")
    return samples / seconds, samples / seconds


@contextmanager
def _reading(stack: Stack, python: str) -> Iterator[float]:
    """The peer in a process of its own; when (CLOCK_MONOTONIC) it read its first record."""
    prefix = stack.settings(KafkaSettings).topic_prefix
    topics = [f"{name}={topic(name, prefix)}" for name in PACKETS]
    where = psycopg.conninfo.conninfo_to_dict(stack.postgres.conninfo(DATABASE))
    database = [str(where[name]) for name in ("host", "port", "dbname", "user")]
    program = REPOSITORY / "benchmarks" / "peers" / "quix.py"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PGPASSWORD": str(where["password"])}
    command = [python, str(program), stack.kafka.address, *database, *topics]
    child = subprocess.Popen(command, cwd=stack.home, env=environment, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        readable, _, _ = select.select([child.stdout], [], [], TIMEOUT_S)
        line = child.stdout.readline() if readable else ""
        if not line:
            raise RuntimeError(f"{PEER} read nothing within {TIMEOUT_S} s or ended before ({child.poll()})")
        said: dict[str, Any] = json.loads(line)
        yield said["at"]
    finally:
        child.terminate()
        child.wait(60)
        child.stdout.close()


def _inserted(connection: psycopg.Connection) -> int:
    """Rows in all tables by Postgres' own statistics, a second late at most: to count them would slow the writer down."""
    return answer(connection, "SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables")


def _listed(rates: list[float]) -> str:
    return ", ".join(f"{rate:,.0f}" for rate in rates) or "not run"
