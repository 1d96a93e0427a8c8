"""The live numbers pushed to Grafana Live: Influx line protocol over one WebSocket that reconnects by itself.

Grafana takes a text frame of lines on /api/live/push/STREAM and gives their fields to the panels that watch the channel
stream/STREAM/car. Of each rig only the newest frame waits for the next push, so Grafana away or slow costs one state
for each rig that drives, and nothing waits for it.
"""

import asyncio
import math
from typing import Any
from urllib.parse import quote, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from pitlane.errors import PitlaneError
from pitlane.settings import GatewaySettings
from udp_gateway.backoff import Backoff
from udp_gateway.live_state import LiveState
from udp_gateway.neighbour import Neighbour

MEASUREMENT = "car"

STEADY_S = 10.0
"""A connection that held for so long was a good one: the next attempt comes soon again."""

CLOSE_S = 1.0
"""A stop waits for Grafana's farewell at most so long."""


class GrafanaAddress(PitlaneError):
    reason = "grafana_address"


class GrafanaLive:
    """Pushes what is offered, once `run` has a connection. Raises GrafanaAddress when settings name no http(s) URL."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._url = push_url(settings.grafana_url, settings.grafana_stream)
        self._headers = {"Authorization": f"Bearer {settings.grafana_token.get_secret_value()}"}
        self._interval = 1.0 / settings.grafana_rate_hz
        self._backoff = Backoff(first=0.5, longest=15.0)
        self._newest: dict[str, LiveState] = {}
        self._news = asyncio.Event()
        self._connected = False
        self.grafana = Neighbour("grafana")

    def offer(self, state: LiveState) -> None:
        """A new frame of a rig; forgotten at once while there is no connection."""
        if self._connected:
            self._newest[state.rig] = state
            self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            self.grafana.down(await self._push())
            if clock() - started > STEADY_S:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.wait())

    async def _push(self) -> str:
        """One connection, from its start to its end; why it ended."""
        try:
            async with connect(
                self._url, additional_headers=self._headers, proxy=None, close_timeout=CLOSE_S
            ) as connection:
                self.grafana.up()
                self._connected = True
                work = [asyncio.create_task(each(connection)) for each in (self._send, _read)]
                try:
                    await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._connected = False
                    self._newest.clear()
                    for task in work:
                        task.cancel()
                for ended in await asyncio.gather(*work, return_exceptions=True):
                    if isinstance(ended, Exception):
                        raise ended
            return f"closed by Grafana ({connection.close_code})"
        except InvalidStatus as refused:
            return f"HTTP {refused.response.status_code}"
        except (OSError, TimeoutError, WebSocketException) as error:
            return f"{type(error).__name__}: {error}"

    async def _send(self, connection: ClientConnection) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            states, self._newest = self._newest, {}
            lines = [line(state) for state in states.values() if state.car_index is not None]
            if lines:
                await connection.send("\n".join(lines))
            await asyncio.sleep(self._interval)


async def _read(connection: ClientConnection) -> None:
    """Grafana says nothing; who reads notices at once that it goes away."""
    async for _ in connection:
        pass


def push_url(grafana: str, stream: str) -> str:
    """Where Grafana at that address takes the lines of a stream; raises GrafanaAddress."""
    address = urlsplit(grafana)
    scheme = {"http": "ws", "https": "wss"}.get(address.scheme)
    if scheme is None or not address.hostname:
        raise GrafanaAddress(f"{grafana!r} is no address of a Grafana", "PITLANE_GRAFANA_URL=http://127.0.0.1:3000")
    path = f"{address.path.rstrip('/')}/api/live/push/{quote(stream, safe='')}"
    return address._replace(scheme=scheme, path=path, query="", fragment="").geturl()


def line(state: LiveState) -> str:
    """The followed car's numbers as one line: `car,rig=a speed_kmh=287,… 1795352725126000000`.

    A number without suffix is a float there; what is not known, not finite or text is left out, as is `ts`, which is
    the time of the line. The state must have a followed car.
    """
    assert state.car_index is not None
    fields = ",".join(
        f"{name}={value!r}" for name, value in state.fields(state.car_index).items() if name != "ts" and _number(value)
    )
    rig = tag_value(state.rig)
    return f"{MEASUREMENT}{f',rig={rig}' if rig else ''} {fields} {state.arrival_ns}"


def tag_value(text: str) -> str:
    """`text` escaped for a tag; line breaks and a backslash at the end cannot be said in line protocol and are left out."""
    text = "".join(text.splitlines()).rstrip("\\")
    for special in (",", "=", " "):
        text = text.replace(special, f"\\{special}")
    return text


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
