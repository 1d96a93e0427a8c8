"""Sessions into Postgres, straight from the gateway: the row of each session, and samples of what changes.

Postgres may be away: the newest row of each session waits, samples wait in order up to a limit (beyond it the
oldest are dropped and counted), and nothing live waits for either. Writing the same twice changes nothing.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import psycopg
import structlog

from udp_gateway.backoff import Backoff
from udp_gateway.ledger import Ledger
from udp_gateway.neighbour import Neighbour
from udp_gateway.session_row import SessionRow, SessionSample

log = structlog.get_logger()

REFUSED = (psycopg.DataError, psycopg.IntegrityError)
"""Postgres will not take this row however often it is tried."""

MAX_SESSIONS = 1_000
"""Sessions whose row may wait for Postgres; far more than rigs can open in hours."""

MAX_SAMPLES = 50_000
"""Samples that may wait: one rig sends about one a second, so 50,000 are hours of ten rigs."""

GATHER_S = 0.25
"""What came meanwhile goes into one transaction."""

_KEY = ("session_uid", "rig")
_STATE = tuple(name for name in SessionRow._fields if name not in (*_KEY, "started_at", "last_seen_at"))


def _upsert_session() -> str:
    columns = SessionRow._fields
    newer = "excluded.overall_frame >= s.overall_frame"
    state = ", ".join(f"{name} = CASE WHEN {newer} THEN excluded.{name} ELSE s.{name} END" for name in _STATE)
    statement = (
        f"INSERT INTO core.session AS s ({', '.join(columns)}) "  # noqa: S608 - names are those of SessionRow
        f"VALUES ({', '.join(['%s'] * len(columns))}) ON CONFLICT (session_uid, rig) DO UPDATE SET {state}, "
        "started_at = least(s.started_at, excluded.started_at), "
        "last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at)"
    )
    return statement


def _insert_sample() -> str:
    columns = SessionSample._fields
    statement = (
        f"INSERT INTO core.session_sample ({', '.join(columns)}) "  # noqa: S608 - names are those of SessionSample
        f"VALUES ({', '.join(['%s'] * len(columns))}) ON CONFLICT DO NOTHING"
    )
    return statement


UPSERT_SESSION = _upsert_session()
INSERT_SAMPLE = _insert_sample()


class _Waiting(NamedTuple):
    row: SessionRow
    packets: int
    """Session packets that this row stands for."""


class SessionStore:
    def __init__(self, conninfo: str, ledger: Ledger) -> None:
        self._conninfo = conninfo
        self._ledger = ledger
        self._rows: dict[tuple[int, str], _Waiting] = {}
        self._samples: deque[SessionSample] = deque()
        self._news = asyncio.Event()
        self._writing = 0
        self._backoff = Backoff(first=0.5, longest=10.0)
        self.samples_dropped = 0
        self.postgres = Neighbour("postgres")

    def put(self, row: SessionRow, sample: SessionSample | None) -> None:
        """Takes what one session packet said."""
        self._keep(row, 1)
        if sample is not None:
            self._samples.append(sample)
        self._trim()
        self._news.set()

    @property
    def waiting(self) -> int:
        """Session packets not yet in Postgres."""
        return self._writing + sum(waiting.packets for waiting in self._rows.values())

    async def run(self) -> None:
        """Until cancelled. Connects when there is something to write, and again when the connection is lost."""
        while True:
            await self._news.wait()
            try:
                connection = await psycopg.AsyncConnection.connect(self._conninfo, connect_timeout=5)
                async with connection:
                    while True:
                        await self._news.wait()
                        await asyncio.sleep(GATHER_S)
                        await self._write(connection)
            except (psycopg.Error, OSError) as error:
                self.postgres.down(f"{type(error).__name__}: {error}")
                await asyncio.sleep(self._backoff.wait())

    async def drain(self, timeout_s: float) -> None:
        """Waits until everything is written, at most `timeout_s`; `run` does the work."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.waiting:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass

    async def _write(self, connection: psycopg.AsyncConnection) -> None:
        """One transaction; what fails is put back behind nothing newer."""
        rows, self._rows = self._rows, {}
        samples, self._samples = self._samples, deque()
        self._news.clear()
        self._writing = sum(waiting.packets for waiting in rows.values())
        refused = 0
        try:
            try:
                async with connection.transaction():
                    await _insert(connection, [waiting.row for waiting in rows.values()], samples)
            except REFUSED:
                refused = await self._write_singly(connection, list(rows.values()), samples)
        except BaseException:
            for waiting in rows.values():
                self._keep(waiting.row, waiting.packets)
            self._samples.extendleft(reversed(samples))
            self._trim()
            self._news.set()
            raise
        else:
            self._ledger.stored += self._writing - refused
            if refused:
                self._ledger.dropped["refused"] += refused
            self._backoff.reset()
            self.postgres.up()
        finally:
            self._writing = 0

    async def _write_singly(
        self, connection: psycopg.AsyncConnection, rows: list[_Waiting], samples: Iterable[SessionSample]
    ) -> int:
        """Each row by itself, so that one that Postgres will never take holds up no other; packets refused."""
        refused = 0
        for waiting in rows:
            try:
                async with connection.transaction():
                    await _insert(connection, [waiting.row], ())
            except REFUSED as error:
                refused += waiting.packets
                uid = f"{waiting.row.session_uid % 2**64:016x}"
                log.error("session refused", session=uid, rig=waiting.row.rig, error=str(error).strip())
        for sample in samples:
            try:
                async with connection.transaction():
                    await _insert(connection, (), [sample])
            except REFUSED:
                self.samples_dropped += 1
        return refused

    def _keep(self, row: SessionRow, packets: int) -> None:
        key = (row.session_uid, row.rig)
        earlier = self._rows.get(key)
        merged = row if earlier is None else row.merged(earlier.row)
        self._rows[key] = _Waiting(merged, packets + (earlier.packets if earlier else 0))

    def _trim(self) -> None:
        while len(self._rows) > MAX_SESSIONS:
            oldest = min(self._rows, key=lambda key: self._rows[key].row.last_seen_at)
            self._ledger.dropped["sessions_full"] += self._rows.pop(oldest).packets
        while len(self._samples) > MAX_SAMPLES:
            self._samples.popleft()
            self.samples_dropped += 1


async def _insert(
    connection: psycopg.AsyncConnection, rows: Iterable[SessionRow], samples: Iterable[SessionSample]
) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(UPSERT_SESSION, rows)
        await cursor.executemany(INSERT_SAMPLE, samples)
