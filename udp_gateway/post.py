"""Posts the outbox to NiFi, in order, one POST at a time, until NiFi says 200.

Anything but 200 (503: its queue is full, 404: the flow is stopped) and every refused or broken connection
means: wait, then post the same blocks again. Nothing else waits meanwhile. NiFi may have taken a POST whose
answer was lost; the blocks then arrive twice with the same `block.id`, and facts written by natural key stay
the same.
"""

import asyncio
from collections.abc import Callable

import aiohttp

from udp_gateway import flowfile
from udp_gateway.backoff import Backoff
from udp_gateway.blocks import Block
from udp_gateway.neighbour import Neighbour
from udp_gateway.outbox import Outbox

POST_BYTES = 4 * 1024 * 1024
"""At most so much in one POST: large enough to catch up many times faster than real time."""

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=3)


class Poster:
    def __init__(self, url: str, outbox: Outbox, on_arrived: Callable[[Block], None]) -> None:
        self._url = url
        self._outbox = outbox
        self._on_arrived = on_arrived
        self._news = asyncio.Event()
        self._backoff = Backoff(first=0.2, longest=2.0)
        self.nifi = Neighbour("nifi")

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
            while True:
                if not len(self._outbox):
                    self._news.clear()
                    await self._news.wait()
                if await self._post(http):
                    self._backoff.reset()
                else:
                    await asyncio.sleep(self._backoff.wait())

    async def drain(self, timeout_s: float) -> None:
        """Waits until the outbox is empty, at most `timeout_s`; `run` does the work."""
        try:
            async with asyncio.timeout(timeout_s):
                while len(self._outbox):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass

    async def _post(self, http: aiohttp.ClientSession) -> bool:
        batch = self._outbox.batch(POST_BYTES)
        body = flowfile.pack((block.attributes(), block.content) for block in batch)
        headers = {"Content-Type": flowfile.CONTENT_TYPE}
        try:
            async with http.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                text = "" if answer.status == 200 else (await answer.text())[:200]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.nifi.down(f"{type(error).__name__}: {error}")
            return False
        if answer.status != 200:
            self.nifi.down(f"HTTP {answer.status} {text}")
            return False
        self.nifi.up()
        for block in self._outbox.forget():
            self._on_arrived(block)
        return True
