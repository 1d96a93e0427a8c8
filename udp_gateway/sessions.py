"""Sessions into Postgres, straight from the gateway: the row of each session, and samples of what changes.

Session packets lie in a spool of their own until Postgres has them, so it may be away for hours, the gateway may be
restarted meanwhile, and nothing live waits for either. Writing the same twice changes nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import psycopg
import structlog

from f1_packets import PACKETS, block, read_header, text
from udp_gateway.backoff import Backoff
from udp_gateway.ledger import Ledger
from udp_gateway.neighbour import Neighbour
from udp_gateway.record import Sums
from udp_gateway.segment import Spooled
from udp_gateway.session_row import SessionRow, SessionSample, read_session
from udp_gateway.spool import Spool

log = structlog.get_logger()

REFUSED = (psycopg.DataError, psycopg.IntegrityError)
"""Postgres will not take this row however often it is tried."""

BATCH_BYTES = 64 * 1024
"""Session packets in one transaction: about eighty, or reading them would hold up live frames."""

WRITE_TIMEOUT_S = 30
"""A Postgres that has gone without a word is away after this."""

SESSIONS_REMEMBERED = 1000
"""Sessions whose last sample is kept to compare with; one that is forgotten gets a sample more."""

Key = tuple[int, str]
"""Session UID as Postgres has it, rig."""

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


class SessionStore:
    def __init__(self, conninfo: str, spool: Spool, ledger: Ledger) -> None:
        self._conninfo = conninfo
        self._spool = spool
        self._ledger = ledger
        self._last: dict[Key, SessionSample] = {}
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
        packets = Counter((row.session_uid, row.rig) for row, _ in read)
        rows: dict[Key, SessionRow] = {}
        for row, _ in read:
            key = row.session_uid, row.rig
            rows[key] = row.merged(rows[key]) if key in rows else row
        last = self._last.copy()
        samples = list(changes((sample for _, sample in read), last))
        refused: set[Key] = set()
        try:
            async with connection.transaction():
                await _insert(connection, rows.values(), samples)
        except REFUSED:
            refused = await _write_singly(connection, rows, samples)
        self._spool.forget()
        lost = sum(packets[key] for key in refused)
        self._ledger.stored += packets.total() - lost
        self._ledger.drop(Sums(packets=lost), "refused")
        self._last = dict(list(last.items())[-SESSIONS_REMEMBERED:])
        self._backoff.reset()
        self.postgres.up()


def read_block(spooled: Spooled) -> Iterator[tuple[SessionRow, SessionSample]]:
    """Row and sample of each session packet of a block."""
    key, content = spooled.block.key, spooled.block.content
    packet = PACKETS[key.packet_format, key.packet_id]
    length = block.entry_bytes(packet.size)
    for start in range(0, len(content), length):
        arrival_ns, rig = block.PREFIX.unpack_from(content, start)
        datagram = content[start + block.PREFIX.size : start + length]
        yield read_session(packet, read_header(datagram), datagram, text(rig), arrival_ns)


def changes(samples: Iterable[SessionSample], last: dict[Key, SessionSample]) -> Iterator[SessionSample]:
    """The samples that say something new, given and keeping the newest of each session in `last`."""
    for sample in samples:
        key = sample.session_uid, sample.rig
        before = last.get(key)
        if sample.differs(before):
            yield sample
        if before is None or sample.overall_frame >= before.overall_frame:
            last.pop(key, None)
            last[key] = sample


async def _write_singly(
    connection: psycopg.AsyncConnection, rows: dict[Key, SessionRow], samples: Iterable[SessionSample]
) -> set[Key]:
    """Each row by itself, so that one that Postgres will never take holds up no other; those refused."""
    refused: set[Key] = set()
    for key, row in rows.items():
        try:
            async with connection.transaction():
                await _insert(connection, [row], [s for s in samples if (s.session_uid, s.rig) == key])
        except REFUSED as error:
            refused.add(key)
            session = f"{row.session_uid % 2**64:016x}"
            log.error("session refused", session=session, rig=row.rig, error=str(error).strip())
    return refused


async def _insert(
    connection: psycopg.AsyncConnection, rows: Iterable[SessionRow], samples: Iterable[SessionSample]
) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(UPSERT_SESSION, rows)
        await cursor.executemany(INSERT_SAMPLE, samples)
