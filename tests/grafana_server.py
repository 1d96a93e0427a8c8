"""A real WebSocket server in the place of Grafana Live, which cannot be had here."""

import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from tests.gateway import free_port

TOKEN = "glsa_secret"


class Grafana:
    """Takes pushes as Grafana Live does: a token decides, then every text frame is kept."""

    def __init__(self) -> None:
        self.port = free_port()
        self.token = TOKEN
        self.paths: list[str] = []
        self.pushes: list[str] = []
        self.stalled = False

    async def _take(self, connection: ServerConnection) -> None:
        self.paths.append(connection.request.path)
        if self.stalled:
            connection.transport.pause_reading()
        async for text in connection:
            assert isinstance(text, str), "a text frame"
            self.pushes.append(text)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no")
        return None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Server]:
        async with serve(self._take, "127.0.0.1", self.port, process_request=self._admit, close_timeout=0.1) as server:
            yield server

    def frames(self, rig: str = "a") -> list[int]:
        """Frames of that rig in order of arrival."""
        lines = [text for push in self.pushes for text in push.split("\n") if text.startswith(f"car,rig={rig} ")]
        return [int(text.partition(",frame=")[2].partition(",")[0]) for text in lines]
