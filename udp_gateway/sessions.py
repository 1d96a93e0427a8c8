"""Sessions into Postgres, straight from the gateway: each session's row, samples of what changes, forecasts.

Session packets lie in a spool of their own until Postgres has them, so it may be away for hours, the gateway may be
restarted meanwhile, and nothing live waits for either. Writing the same twice changes nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import psycopg
import structlog

from f1_packets import PACKETS, block, read_header, text
from udp_gateway import forecast
from udp_gateway.backoff import Backoff
from udp_gateway.forecast import Forecast
from udp_gateway.ledger import Ledger
from udp_gateway.neighbour import Neighbour
from udp_gateway.record import Sums
from udp_gateway.segment import Spooled
from udp_gateway.session_row import SessionPacket, SessionRow, SessionSample, read_session
from udp_gateway.spool import Spool

log = structlog.get_logger()

REFUSED = (psycopg.DataError, psycopg.IntegrityError)
"""Postgres will not take this row however often it is tried."""

BATCH_BYTES = 64 * 1024
"""Session packets in one transaction: about eighty, or reading them would hold up live frames."""

WRITE_TIMEOUT_S = 30
"""A Postgres that has gone without a word is away after this."""

SESSIONS_REMEMBERED = 1000
"""Sessions whose last sample and forecast are kept to compare with; one that is forgotten gets one more of each."""

Key = tuple[int, str]
"""Session UID as Postgres has it, rig."""

News = TypeVar("News", SessionSample, Forecast)

_KEY = ("session_uid", "rig")
_STATE = tuple(name for name in SessionRow.columns() if name not in (*_KEY, "started_at", "last_seen_at"))


def _upsert_session() -> str:
    columns = SessionRow.columns()
    newer = "excluded.overall_frame >= s.overall_frame"
    state = ", ".join(f"{name} = CASE WHEN {newer} THEN excluded.{name} ELSE s.{name} END" for name in _STATE)
    statement = (
        f"INSERT INTO core.session AS s ({', '.join(columns)}) "  # noqa: S608 - names are those of SessionRow
        f"VALUES ({', '.join(['%s'] * len(columns))}) ON CONFLICT (session_uid, rig) DO UPDATE SET {state}, "
        "started_at = least(s.started_at, excluded.started_at), "
        "last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at)"
    )
    return statement


def _insert(table: str, columns: Sequence[str]) -> str:
    statement = (
        f"INSERT INTO core.{table} ({', '.join(columns)}) "  # noqa: S608 - all names are written here
        f"VALUES ({', '.join(['%s'] * len(columns))}) ON CONFLICT DO NOTHING"
    )
    return statement


UPSERT_SESSION = _upsert_session()
INSERT_SAMPLE = _insert("session_sample", SessionSample._fields)
INSERT_FORECAST = _insert("weather_forecast", forecast.COLUMNS)


class SessionStore:
    def __init__(self, conninfo: str, spool: Spool, ledger: Ledger) -> None:
        self._conninfo = conninfo
        self._spool = spool
        self._ledger = ledger
        self._samples: dict[Key, SessionSample] = {}
        self._forecasts: dict[Key, Forecast] = {}
        self._news = asyncio.Event()
        self._backoff = Backoff(first=0.5, longest=10.0)
        self.postgres = Neighbour("postgres")

    def wake(self) -> None:
        """There is something new in the spool."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled. Connects when there is something to write, and again when the connection is lost."""
        while True:
            await self._batch()
            try:
                connection = await psycopg.AsyncConnection.connect(self._conninfo, connect_timeout=5)
                async with connection:
                    while True:
                        batch = await self._batch()
                        async with asyncio.timeout(WRITE_TIMEOUT_S):
                            await self._write(connection, batch)
            except (psycopg.Error, OSError) as error:
                self.postgres.down(f"{type(error).__name__}: {error}")
                await asyncio.sleep(self._backoff.wait())

    async def _batch(self) -> Sequence[Spooled]:
        """The oldest session packets, as soon as there are any."""
        while not (batch := self._spool.batch(BATCH_BYTES)):
            self._news.clear()
            await self._news.wait()
        return batch

    async def _write(self, connection: psycopg.AsyncConnection, batch: Sequence[Spooled]) -> None:
        """One transaction; what fails stays in the spool."""
        read = [both for spooled in batch for both in read_block(spooled)]
        packets = Counter((said.row.session_uid, said.row.rig) for said in read)
        rows: dict[Key, SessionRow] = {}
        for row, _, _ in read:
            key = row.session_uid, row.rig
            rows[key] = row.merged(rows[key]) if key in rows else row
        last_samples, last_forecasts = self._samples.copy(), self._forecasts.copy()
        samples = list(changes((said.sample for said in read), last_samples))
        forecasts = list(changes((said.forecast for said in read), last_forecasts))
        refused: set[Key] = set()
        try:
            async with connection.transaction():
                await _store(connection, rows.values(), samples, forecasts)
        except REFUSED:
            refused = await _write_singly(connection, rows, samples, forecasts)
        self._spool.forget()
        lost = sum(packets[key] for key in refused)
        self._ledger.stored += packets.total() - lost
        self._ledger.drop(Sums(packets=lost), "refused")
        self._samples = dict(list(last_samples.items())[-SESSIONS_REMEMBERED:])
        self._forecasts = dict(list(last_forecasts.items())[-SESSIONS_REMEMBERED:])
        self._backoff.reset()
        self.postgres.up()


def read_block(spooled: Spooled) -> Iterator[SessionPacket]:
    """What each session packet of a block says."""
    key, content = spooled.block.key, spooled.block.content
    packet = PACKETS[key.packet_format, key.packet_id]
    length = block.entry_bytes(packet.size)
    for start in range(0, len(content), length):
        arrival_ns, rig = block.PREFIX.unpack_from(content, start)
        datagram = content[start + block.PREFIX.size : start + length]
        yield read_session(packet, read_header(datagram), datagram, text(rig), arrival_ns)


def changes(said: Iterable[News], last: dict[Key, News]) -> Iterator[News]:
    """The samples (or forecasts) that say something new, given and keeping the newest of each session in `last`."""
    for one in said:
        key = one.session_uid, one.rig
        before = last.get(key)
        if one.differs(before):
            yield one
        if before is None or one.overall_frame >= before.overall_frame:
            last.pop(key, None)
            last[key] = one


async def _write_singly(
    connection: psycopg.AsyncConnection,
    rows: dict[Key, SessionRow],
    samples: Iterable[SessionSample],
    forecasts: Iterable[Forecast],
) -> set[Key]:
    """Each row by itself, so that one that Postgres will never take holds up no other; those refused."""
    refused: set[Key] = set()
    for key, row in rows.items():
        try:
            async with connection.transaction():
                own_samples = [s for s in samples if (s.session_uid, s.rig) == key]
                own_forecasts = [f for f in forecasts if (f.session_uid, f.rig) == key]
                await _store(connection, [row], own_samples, own_forecasts)
        except REFUSED as error:
            refused.add(key)
            session = f"{row.session_uid % 2**64:016x}"
            log.error("session refused", session=session, rig=row.rig, error=str(error).strip())
    return refused


async def _store(
    connection: psycopg.AsyncConnection,
    rows: Iterable[SessionRow],
    samples: Iterable[SessionSample],
    forecasts: Iterable[Forecast],
) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(UPSERT_SESSION, [row.values() for row in rows])
        await cursor.executemany(INSERT_SAMPLE, samples)
        await cursor.executemany(INSERT_FORECAST, [row for one in forecasts for row in one.rows()])
