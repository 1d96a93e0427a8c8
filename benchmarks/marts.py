"""Every mart view on a history of ten full races, as dashboards query it.

The history: one race of 50 laps and 22 cars, simulated at 10 Hz, goes through Spark's reduction and its sink as a
stream would (without Kafka); at that rate nearly every 10 m of track has its sample, so the tables are as large as 60 Hz
make them. It is then copied by SQL to nine more sessions, each with a UID of its own, a week after the other, and all
of one season. Only Postgres runs. What is asked: `mart_queries`.
"""

import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
from psycopg import sql
from sqlalchemy import TIMESTAMP, Table

from benchmarks.mart_queries import timings
from benchmarks.pipeline import running
from benchmarks.report import Result, Row
from f1_packets import Packet, identify, read_header
from f1_packets.block import entry
from pitlane.settings import PostgresSettings
from pitlane.simulator import Race, RaceConfig
from postgres import tables
from spark.jobs.blocks import Block
from spark.jobs.micro_batch import reduce
from spark.sink import Counts, Sink
from udp_gateway.session_row import SessionPacket, read_session
from udp_gateway.sessions import INSERT_FORECAST, INSERT_SAMPLE, UPSERT_SESSION, changes

NAME = "marts"
RACES, LAPS, RATE_HZ = 10, 50, 10
RIG, QUERY = "rig", "bench"
STARTED_NS = 1_750_000_000_000_000_000
BATCH_S = 30.0
UID_STEP = 0x9E3779B97F4A7C15 % 2**40
"""Between the session UIDs of two copies: odd, and far from a small number."""


def run(quick: bool) -> Result:
    races, laps = (2, 3) if quick else (RACES, LAPS)
    with running("Database") as stack:
        settings = stack.settings(PostgresSettings)
        begun = time.monotonic()
        write(settings, Race(RaceConfig(laps=laps, rate_hz=RATE_HZ)))
        written_s = time.monotonic() - begun
        with psycopg.connect(settings.conninfo("owner"), autocommit=True) as owner:
            copy(owner, races)
            owner.execute("VACUUM ANALYZE")
            sizes = owner.execute(
                "SELECT count(*), pg_size_pretty(pg_database_size(current_database())) FROM core.lap_trace"
            ).fetchone()
        assert sizes is not None
        with psycopg.connect(settings.conninfo("reader"), autocommit=True) as reader:
            rows = timings(reader)
    slowest = max(row.ours or 0 for row in rows)
    notes = [
        f"{races} races of {laps} laps and 22 cars: {sizes[0]:,} rows in core.lap_trace, {sizes[1]} in all; the first "
        f"was written by the sink in {written_s:.0f} s.",
        "Medians of 5 runs, each on another session; rows are fetched to the client.",
    ]
    summary = Row("slowest of all", slowest, "ms", aim="below 200 ms", met=slowest < 200)
    return Result(NAME, f"Views of mart on {races} full races", [*rows, summary], notes)


def write(settings: PostgresSettings, race: Race) -> None:
    """The race into the tables, batch by batch, as gateway and Spark write it."""
    sink = Sink(settings.conninfo("spark"))
    try:
        for number, (blocks, said) in enumerate(_batches(race)):
            write_sessions(settings, said)
            reduced = reduce([*sink.waiting(QUERY), *blocks], QUERY)
            counts = Counts(len(blocks), reduced.datagrams, reduced.rejected_blocks, {})
            sink.write(QUERY, number, reduced.tables, counts)
        sink.forget(QUERY)
    finally:
        sink.close()


def write_sessions(settings: PostgresSettings, said: list[SessionPacket]) -> None:
    """What the gateway writes of session packets: the session, its samples and forecasts."""
    with psycopg.connect(settings.conninfo("gateway")) as gateway, gateway.cursor() as cursor:
        cursor.executemany(UPSERT_SESSION.encode(), [each.row.values() for each in said])
        cursor.executemany(INSERT_SAMPLE.encode(), list(changes((each.sample for each in said), {})))
        forecasts = changes((each.forecast for each in said), {})
        cursor.executemany(INSERT_FORECAST.encode(), [row for forecast in forecasts for row in forecast.rows()])


def _batches(race: Race) -> Iterator[tuple[list[Block], list[SessionPacket]]]:
    """BATCH_S of the race at a time, without the lobby: blocks for Spark, and what the gateway keeps for itself."""
    gathered: dict[Packet, list[bytes]] = {}
    said: list[SessionPacket] = []
    end_s = BATCH_S
    for offset_s, datagram in race.datagrams():
        if offset_s >= end_s:
            yield _blocks(gathered), said
            gathered, said, end_s = {}, [], end_s + BATCH_S
        packet, arrival_ns = identify(datagram), STARTED_NS + int(offset_s * 1e9)
        if packet.name == "session":
            said.append(read_session(packet, read_header(datagram), datagram, RIG, arrival_ns))
        elif packet.name != "lobby_info":
            gathered.setdefault(packet, []).append(entry(arrival_ns, RIG, datagram))
    yield _blocks(gathered), said


def _blocks(gathered: dict[Packet, list[bytes]]) -> list[Block]:
    return [Block(packet.format, packet.id, 0, b"".join(entries)) for packet, entries in gathered.items()]


def copy(owner: psycopg.Connection, races: int) -> None:
    """Until there are so many: the one session's rows again, under another UID and so many weeks later."""
    owner.execute("UPDATE core.session SET season_link = 1")
    facts = [t for t in tables.metadata.sorted_tables if t.schema == "core" and "session_uid" in t.primary_key.columns]
    (uid,) = owner.execute("SELECT session_uid FROM core.session").fetchone() or (0,)
    for number in range(1, races):
        with owner.transaction():
            for table in facts:
                owner.execute(
                    _copied(table), {"shift": number * UID_STEP, "later": timedelta(weeks=number), "uid": uid}
                )


def _copied(table: Table) -> sql.Composed:
    columns = [column for column in table.columns if column.computed is None]
    moved = {"session_uid": sql.SQL("session_uid + %(shift)s")}
    taken = [moved.get(c.name) or _later(c.name, isinstance(c.type, TIMESTAMP)) for c in columns]
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE session_uid = %(uid)s").format(
        name := sql.Identifier(str(table.schema), table.name),
        sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
        sql.SQL(", ").join(taken),
        name,
    )


def _later(name: str, is_instant: bool) -> sql.Composable:
    return sql.SQL("{} + %(later)s").format(sql.Identifier(name)) if is_instant else sql.Identifier(name)
