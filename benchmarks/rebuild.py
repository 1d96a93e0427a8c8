"""`pitlane rebuild` of ten full races from the raw archive: 50 laps, 22 cars, 60 Hz, each simulated by itself.

The archive is written as Spark writes it (`archive_size`), and the gateway's session packets into its tables; Kafka is
empty. Then all facts are made from the archive, and held against the simulator's manifest, race by race. On that history
the views of mart are timed (`mart_queries`).

Aims: the tables are the manifest, every view below 200 ms.
"""

import time
from collections.abc import Iterator

import psycopg

from benchmarks import archive_size
from benchmarks.mart_queries import AIM_MS, timings
from benchmarks.marts import write_sessions
from benchmarks.pipeline import answer, running, spark_session
from benchmarks.report import Result, Row
from benchmarks.tables import compare
from f1_packets import identify, read_header
from pitlane.settings import PostgresSettings, SparkSettings
from pitlane.simulator import Race, RaceConfig
from pitlane.stack.stack import Stack
from spark import archive, rebuild
from tests.blocks import Timed
from udp_gateway.session_row import SessionPacket, read_session

NAME = "rebuild"
RACES, LAPS = 10, 50
PACKET_FORMAT, RATE_HZ = 2025, 60
WEEK_NS = 7 * 24 * 3600 * 10**9
"""Between two races."""
RIG = "rig"


def run(quick: bool) -> Result:
    count, laps = (2, 2) if quick else (RACES, LAPS)
    races = [
        Race(RaceConfig(packet_format=PACKET_FORMAT, laps=laps, rate_hz=RATE_HZ, seed=seed))
        for seed in range(1, count + 1)
    ]
    with running("Database", "Topics") as stack:
        settings = stack.settings(SparkSettings)
        assert settings.spark_archive is not None
        datagrams = sum(_keep(stack, race, number) for number, race in enumerate(races))
        on_disk = sum(path.stat().st_size for path in archive.files(settings.spark_archive))
        seconds = _rebuild(settings)
        differences = [each.text for race in races for each in compare(stack, race, race.manifest(), [])]
        with psycopg.connect(settings.conninfo("reader"), autocommit=True) as reader:
            views = timings(reader)
            trace = answer(reader, "SELECT count(*) FROM core.lap_trace")
    raced_s = sum(race.duration_s for race in races)
    slowest = max(views, key=lambda row: row.ours or 0)
    rows = [
        Row("rebuilt in", seconds / 60, "min", note=f"{raced_s / seconds:.0f} times as fast as they were driven"),
        Row(
            "packets read again", datagrams / seconds, "/s", note=f"{datagrams:,} in {on_disk / 1e9:.1f} GB of archive"
        ),
        Row(
            "values of rows that differ",
            len(differences),
            "values",
            aim="none",
            met=not differences,
            note="; ".join(differences[:5]),
        ),
        Row(
            f"slowest of {len(views)} queries of views and charts",
            slowest.ours,
            "ms",
            aim=f"below {AIM_MS} ms",
            met=(slowest.ours or 0) < AIM_MS,
            note=slowest.what,
        ),
    ]
    notes = [
        f"{count} races of {laps} laps and {races[0].config.cars} cars at {RATE_HZ} Hz, {raced_s / 3600:.1f} hours; {trace:,} "
        "rows in core.lap_trace. Spark, its workers and Postgres share the machine.",
        "Against the manifest: participants, laps with damage, stints, results and events.",
    ]
    return Result(NAME, f"pitlane rebuild of {count} races from the archive", rows, notes)


def _keep(stack: Stack, race: Race, number: int) -> int:
    """A race into the archive, and its session packets into the gateway's tables; datagrams in the archive."""
    folder = stack.settings(SparkSettings).spark_archive
    assert folder is not None
    begun_ns = archive_size.START_NS + number * WEEK_NS
    said: list[SessionPacket] = []
    kept = 0

    def of_facts() -> Iterator[Timed]:
        nonlocal kept
        for offset_s, datagram in race.datagrams():
            packet, arrival_ns = identify(datagram), begun_ns + int(offset_s * 1e9)
            if packet.name == "session":
                said.append(read_session(packet, read_header(datagram), datagram, RIG, arrival_ns))
            else:
                kept += 1
                yield arrival_ns, datagram

    archive_size.write(folder, of_facts(), RIG)
    write_sessions(stack.settings(PostgresSettings), said)
    return kept


def _rebuild(settings: SparkSettings) -> float:
    """Seconds, without the start of Spark."""
    with spark_session(settings, NAME) as spark:
        begun = time.monotonic()
        rebuild.write(spark, settings, (), lambda done, total: None)
        return time.monotonic() - begun
