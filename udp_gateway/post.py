"""Posts the spool to NiFi, in order, one POST at a time, until NiFi says 200.

Every refused or broken connection and every answer that is about NiFi and not about a block (503: its queue is full,
404: the flow is stopped) means: wait, then post the same blocks again. Nothing else waits meanwhile. NiFi may have
taken a POST whose answer was lost; the blocks then arrive twice with the same `block.id`, and facts written by natural
key stay the same.

NiFi and the gateway know each other by certificates, on one connection that stays open. A connection that failed is
made anew with what the certificates' files hold then, so renewed ones need no restart.

An answer that says the content is bad (REFUSALS) is tried block by block. A block that NiFi refuses while it takes
others beside it is given up, counted, and kept as a file. Where it takes none of them, the trouble is not the blocks'.
"""

import asyncio
import enum
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
import structlog

from pitlane import tls
from udp_gateway import flowfile
from udp_gateway.backoff import Backoff
from udp_gateway.ledger import Ledger
from udp_gateway.neighbour import Neighbour
from udp_gateway.record import Sums
from udp_gateway.segment import Spooled
from udp_gateway.spool import Spool

log = structlog.get_logger()

POST_BYTES = 4 * 1024 * 1024
"""At most so much in one POST: large enough to catch up many times faster than real time."""

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=3)

REFUSALS = frozenset({400, 413, 415, 422})

MEANING = {
    403: "it takes no blocks from the owner of this certificate",
    404: "no flow runs there",
    503: "its queue is full",
}
"""NiFi's own words for these are a page of HTML."""

COMPARED = 64
"""Blocks are enough to see whether NiFi refuses them or everything."""

KEPT = 1000
"""Refused blocks kept as files, so that they cannot fill the disk."""


class Answer(enum.Enum):
    TAKEN = enum.auto()
    REFUSED = enum.auto()
    AWAY = enum.auto()


class Broken(Exception):
    """The connection to NiFi failed, none could be made, or NiFi will have none with this certificate. Says why."""


class Poster:
    def __init__(
        self,
        url: str,
        spool: Spool,
        ledger: Ledger,
        refused: Path,
        context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        """`refused` is the folder for blocks that NiFi will not have; `context` reads the certificates for an https URL."""
        self._url = url
        self._context = context if url.startswith("https:") else None
        self._spool = spool
        self._ledger = ledger
        self._refused = refused
        self._news = asyncio.Event()
        self._backoff = Backoff(first=0.2, longest=2.0)
        self._answers: dict[int, Answer] = {}
        """Of the batch that is out, where it had to be posted block by block."""
        self.nifi = Neighbour("nifi")

    def wake(self) -> None:
        """There is something new in the spool."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with aiohttp.ClientSession(timeout=TIMEOUT, connector=await self._connector()) as http:
                    await self._post_until_broken(http)
            except (Broken, tls.Unreadable) as error:
                self.nifi.down(str(error))
                await asyncio.sleep(self._backoff.wait())

    async def _connector(self) -> aiohttp.TCPConnector:
        if self._context is None:
            return aiohttp.TCPConnector()
        return aiohttp.TCPConnector(ssl=await asyncio.to_thread(self._context))

    async def _post_until_broken(self, http: aiohttp.ClientSession) -> None:
        is_known = self._context is None
        while True:
            batch = self._spool.batch(POST_BYTES)
            if not batch:
                self._news.clear()
                await self._news.wait()
            elif not is_known:
                await self._knock(http)
                is_known = True
            elif await self._deliver(http, batch):
                self._backoff.reset()
            else:
                await asyncio.sleep(self._backoff.wait())

    async def _knock(self, http: aiohttp.ClientSession) -> None:
        """Finds out whether NiFi takes our certificate: of a POST it would often see to the end before it hears a no."""
        try:
            async with http.head(self._url, allow_redirects=False):
                pass
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _broken(error) from error

    async def _deliver(self, http: aiohttp.ClientSession, batch: Sequence[Spooled]) -> bool:
        """False when the batch stays in the spool."""
        if self._answers and Answer.TAKEN not in self._answers.values() and len(batch) < COMPARED:
            batch = (
                self._spool.batch_and_more()
            )  # or a block that is alone would never be told from a NiFi that refuses
        answer = Answer.REFUSED if self._answers else await self._post(http, batch)
        if answer is Answer.REFUSED and not await self._one_by_one(http, batch):
            return False
        if answer is Answer.AWAY:
            return False
        self.nifi.up()
        answers, self._answers = self._answers, {}
        for sequence, block in self._spool.forget():
            sums = Sums.of(block.key, block.datagrams)
            if answers.get(sequence) is Answer.REFUSED:
                self._ledger.drop(sums, "refused")
                self._set_aside(Spooled(sequence, block))
            else:
                self._ledger.taken(sums)
        return True

    async def _one_by_one(self, http: aiohttp.ClientSession, batch: Sequence[Spooled]) -> bool:
        """True when every block has its answer, and those refused got it after NiFi had taken others."""
        takes_others = Answer.TAKEN in self._answers.values()
        for spooled in batch:
            if self._answers.get(spooled.sequence) is not Answer.TAKEN:
                answer = await self._post(http, [spooled])
                if answer is Answer.AWAY:
                    return False
                self._answers[spooled.sequence] = answer
        return takes_others or Answer.REFUSED not in self._answers.values()

    async def _post(self, http: aiohttp.ClientSession, batch: Sequence[Spooled]) -> Answer:
        headers = {"Content-Type": flowfile.CONTENT_TYPE}
        try:
            async with http.post(self._url, data=self._pack(batch), headers=headers, allow_redirects=False) as answer:
                text = "" if answer.status == 200 else (await answer.text())[:200]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _broken(error) from error
        if answer.status == 200:
            return Answer.TAKEN
        why = f"HTTP {answer.status}: {MEANING.get(answer.status, text)}"
        if answer.status == 403:
            raise Broken(why)
        self.nifi.down(why)
        return Answer.REFUSED if answer.status in REFUSALS else Answer.AWAY

    def _pack(self, batch: Sequence[Spooled]) -> bytes:
        named = ((self._spool.block_id(sequence), block) for sequence, block in batch)
        return flowfile.pack((block.attributes(block_id), block.content) for block_id, block in named)

    def _set_aside(self, spooled: Spooled) -> None:
        file = self._refused / f"{self._spool.block_id(spooled.sequence)}.flowfile"
        log.error("block refused by NiFi", file=str(file), packet=spooled.block.key.packet_name)
        try:
            file.parent.mkdir(exist_ok=True)
            if sum(1 for _ in file.parent.iterdir()) < KEPT:
                file.write_bytes(self._pack([spooled]))
        except OSError as error:
            log.error("refused block not kept", file=str(file), error=str(error))


def _broken(error: Exception) -> Broken:
    if why := tls.told(error):
        return Broken(f"TLS with NiFi fails: {why}")
    return Broken(f"{type(error).__name__}: {error}")
