"""`pitlane demo`: a race from UDP to the tables before a person's eyes, and what arrived where."""

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from f1_packets import Rejected, read_header, signed_uid
from pitlane import cli_capture, replay, samples
from pitlane.errors import PitlaneError
from pitlane.replay import Timed
from pitlane.settings import PostgresSettings
from pitlane.settlement import Arrived, Meter
from pitlane.simulator import Race, RaceConfig
from pitlane.stack.stack import Stack

SHOW_S = 60
"""What lasts longer is sent faster, so that it takes about a minute."""
LAPS_SIMULATED = 8
"""Enough for stints that differ."""
SETTLE_S = 180
"""How long all parts may take to finish after the last datagram."""
FACTS = (
    "session",
    "session_sample",
    "participant",
    "lap",
    "lap_trace",
    "stint",
    "event",
    "result",
    "setup",
    "tyre_set",
)


class DemoError(PitlaneError):
    """`no_capture`: no such file or sample; `not_settled`: not everything arrived in time."""

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


class Source(NamedTuple):
    title: str
    datagrams: Iterable[Timed]
    """(offset in seconds, datagram), offsets rising."""
    seconds: float


def run(stack: Stack, capture: str, console: Console) -> None:
    """Starts `stack`, sends `capture` (a file, a sample's name, or "" for a simulated race), waits, and prints.

    Raises DemoError when the counts do not close in time, after it has printed what did arrive.
    """
    source = choose(capture)
    console.print("[bold]Starting[/]")
    stack.up(console)
    with Meter(stack) as meter:
        sessions: set[int] = set()
        sent = send(source, stack.ports.udp, sessions, console)
        arrived = settle(meter, sent, console)
    show(stack, arrived, sent, sessions, console)
    if missing := arrived.missing(sent):
        raise DemoError(
            "not_settled", "; ".join(missing), "pitlane doctor and pitlane logs tell more; the stack stays up"
        )


def choose(capture: str) -> Source:
    """What to send; raises DemoError for a name that is neither file nor sample."""
    if not capture:
        return simulated()
    path = Path(capture)
    if capture in samples.SOURCES:
        path = samples.sample(capture)
    elif not path.is_file():
        raise DemoError("no_capture", f"there is no file {capture}", f"a .pcap file, or {', '.join(samples.SOURCES)}")
    return Source(path.name, replay.recorded(path), replay.duration(path))


def simulated() -> Source:
    """A race that nobody has seen before."""
    config = RaceConfig(laps=LAPS_SIMULATED, seed=secrets.randbelow(10**6))
    race = Race(config)
    title = f"a simulated race: {config.laps} laps of {config.track.title()}, {config.cars} cars, seed {config.seed}"
    return Source(title, race.datagrams(), race.duration_s)


def send(source: Source, port: int, sessions: set[int], console: Console) -> int:
    """Sends at the pace of the source, faster where it is long; collects the session UIDs. Returns the count."""
    speed = max(1.0, source.seconds / SHOW_S)
    pace = f"{speed:.1f} times as fast as it was" if speed > 1 else "in real time"
    console.print(f"[bold]Sending[/] {source.title}, {pace}", soft_wrap=True)
    datagrams = _noting(source.datagrams, sessions)
    return cli_capture.send(datagrams, source.seconds, "UDP", "127.0.0.1", port, speed).datagrams


def _noting(datagrams: Iterable[Timed], sessions: set[int]) -> Iterator[Timed]:
    for offset_s, datagram in datagrams:
        with suppress(Rejected):  # the gateway will say so, and count it
            sessions.add(read_header(datagram).session_uid)
        yield offset_s, datagram


def settle(meter: Meter, sent: int, console: Console) -> Arrived:
    """Waits until everything is through, or SETTLE_S have passed, or nothing has moved for a third of that."""
    begun = moved = time.monotonic()
    arrived = meter.read()
    with console.status("  waiting until everything is through") as line:
        while missing := arrived.missing(sent):
            line.update(f"  {missing[0]}")
            time.sleep(0.5)
            before, arrived = arrived, meter.read()
            now = time.monotonic()
            if arrived != before:
                moved = now
            if now - begun > SETTLE_S or now - moved > SETTLE_S / 3:
                break
    if not missing:
        console.print(f"  all of it stored {time.monotonic() - begun:.1f} s after the last datagram")
    return arrived


def show(stack: Stack, arrived: Arrived, sent: int, sessions: set[int], console: Console) -> None:
    """Prints what arrived where, and the laps of the winner."""
    table = Table("where", "what", "count", title="What arrived", title_justify="left", box=None, header_style="bold")
    table.columns[2].justify = "right"

    def rows(where: str, counts: Iterable[tuple[str, int]]) -> None:
        for number, (what, count) in enumerate(counts):
            table.add_row("" if number else where, what, f"{count:,}")

    rows("sent", [("datagrams", sent)])
    rows(
        "gateway",
        [
            ("received", arrived.received),
            ("stored in Postgres (session packets)", arrived.stored),
            ("posted to NiFi", arrived.forwarded),
            *((f"skipped: {reason}", count) for reason, count in sorted(arrived.skipped.items())),
            *((f"rejected: {reason}", count) for reason, count in sorted(arrived.rejected.items())),
            *((f"dropped: {reason}", count) for reason, count in sorted(arrived.dropped.items())),
        ],
    )
    rows("Kafka", [*sorted(arrived.in_kafka.items()), ("all topics", arrived.in_kafka.total())])
    uids = [signed_uid(uid) for uid in sessions if uid]
    with psycopg.connect(stack.settings(PostgresSettings).conninfo("reader")) as connection:
        rows("Postgres", [(f"core.{name}", _count(connection, name, uids)) for name in FACTS])
        console.print(table)
        for uid in uids:
            _show_winner(connection, uid, console)


def _count(connection: psycopg.Connection[Any], name: str, uids: list[int]) -> int:
    query = sql.SQL("SELECT count(*) FROM core.{} WHERE session_uid = ANY(%s)").format(sql.Identifier(name))
    row = connection.execute(query, [uids]).fetchone()
    return int(row[0]) if row else 0


# The winner, if the recording holds a lap of theirs from line to line; else who has one (a ghost, in a time trial),
# or who was in front in the last lap that anybody began.
CAR = """
SELECT l.car_index, r.position = 1 AND count(l.lap_time_ms) > 0 AS won
FROM core.lap AS l LEFT JOIN core.result AS r USING (session_uid, rig, car_index)
WHERE l.session_uid = %(uid)s
GROUP BY l.rig, l.car_index, r.position
ORDER BY count(l.lap_time_ms) = 0, r.position, max(l.lap_number) DESC,
         (array_agg(l.position ORDER BY l.lap_number DESC))[1]
LIMIT 1
"""
LAPS = """
SELECT DISTINCT ON (l.lap_number)
    s.session_label, coalesce(c.driver_label, 'car ' || l.car_index), l.lap_number, mart.clock(l.lap_time_ms),
    l.sector1_ms / 1000.0, l.sector2_ms / 1000.0, l.sector3_ms / 1000.0, l.is_valid, l.position, t.name,
    l.fuel_used_kg, l.top_speed_kmh
FROM core.lap AS l
JOIN mart.session AS s ON s.session_uid = l.session_uid
LEFT JOIN mart.car AS c ON (c.session_uid, c.rig, c.car_index) = (l.session_uid, l.rig, l.car_index)
LEFT JOIN ref.visual_compound AS t ON t.visual_compound_id = l.visual_compound_id
WHERE l.session_uid = %(uid)s AND l.car_index = %(car)s
ORDER BY l.lap_number, l.rig
"""


def _show_winner(connection: psycopg.Connection[Any], uid: int, console: Console) -> None:
    found = connection.execute(CAR, {"uid": uid}).fetchone()
    laps = connection.execute(LAPS, {"uid": uid, "car": found[0]}).fetchall() if found else []
    if not found or not laps:
        return
    session, driver = laps[0][:2]
    title = f"{session}: laps of {driver}{', the winner' if found[1] else ''}"
    names = ("lap", "time", "S1", "S2", "S3", "valid", "pos", "tyre", "fuel kg", "top km/h")
    table = Table(*names, title=title, title_justify="left", box=None, header_style="bold")
    for _, _, lap, lap_time, s1, s2, s3, valid, position, tyre, fuel_kg, top_kmh in laps:
        sectors = ("" if sector is None else f"{sector:.3f}" for sector in (s1, s2, s3))
        table.add_row(
            str(lap),
            lap_time or "–",
            *sectors,
            "" if valid is None else "yes" if valid else "no",
            "" if position is None else str(position),
            tyre,
            "" if fuel_kg is None else f"{fuel_kg:.2f}",
            "" if top_kmh is None else f"{top_kmh:.0f}",
        )
    console.print(table)
