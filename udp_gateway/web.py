"""One port for HTTP and WebSocket: the live page, documents such as `/status`, the streams of `udp_gateway.feed`, and `/raw`."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State

from pitlane.errors import PitlaneError
from pitlane.settings import GatewaySettings
from udp_gateway import feed, metrics
from udp_gateway.admission import host_allowed, origin_allowed, token_given
from udp_gateway.live import Hub, Viewer
from udp_gateway.raw import RAW, Taps

PAGE = Path(__file__).with_name("page")
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
JSON = "application/json"

PING_INTERVAL_S = 20
PING_TIMEOUT_S = 60
"""Only a viewer that is gone does not answer pings for so long; one that merely watches is never closed."""

RECEIVE_BUFFER_BYTES = 4 * 1024
MOST_UNREAD_BYTES = 1024 * 1024
SEND_BUFFER_BYTES = 32 * 1024
"""What the kernel may hold for a viewer (Linux doubles it): the less, the newer is what one that was slow gets first."""

WITHOUT_TOKEN = frozenset({"/healthz"})
"""Served without the token, beside the page itself: for load balancers, and it names no rig."""


class HttpPortTaken(PitlaneError):
    reason = "http_port_taken"


class Web:
    def __init__(
        self,
        settings: GatewaySettings,
        hub: Hub,
        status: Callable[[], dict[str, object]],
        health: Callable[[], dict[str, object]],
        taps: Taps,
    ) -> None:
        self._settings = settings
        self._taps = taps
        self._hub = hub
        self._pages = {
            "/" if path.name == "index.html" else f"/{path.name}": (CONTENT_TYPES[path.suffix], path.read_bytes())
            for path in PAGE.iterdir()
            if path.suffix in CONTENT_TYPES
        }
        self._documents: dict[str, tuple[str, Callable[[], bytes]]] = {
            "/status": (JSON, lambda: orjson.dumps(status(), option=orjson.OPT_INDENT_2)),
            "/healthz": (JSON, lambda: orjson.dumps(health(), option=orjson.OPT_INDENT_2)),
            "/metrics": (metrics.CONTENT_TYPE, metrics.Exposition(status).text),
        }
        self._server: Server | None = None

    async def start(self) -> int:
        """Listens; returns the port. Raises HttpPortTaken."""
        host, port = self._settings.http_host, self._settings.http_port
        try:
            self._server = await serve(
                self._view,
                host,
                port,
                process_request=self._answer,
                compression=None,
                ping_interval=PING_INTERVAL_S,
                ping_timeout=PING_TIMEOUT_S,
                close_timeout=1,
                max_size=1024,
                server_header=None,
            )
        except OSError as error:
            raise HttpPortTaken(
                f"TCP {host}:{port} cannot be had: {error.strerror}", "stop what holds it or set PITLANE_HTTP_PORT"
            ) from error
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """None lets a WebSocket handshake go on; anything else is a plain HTTP answer."""
        hosts, origins = request.headers.get_all("Host"), request.headers.get_all("Origin")
        if len(hosts) != 1 or len(origins) > 1:
            return _text(HTTPStatus.BAD_REQUEST, "one Host header, please, and at most one Origin")
        if not host_allowed(hosts[0], self._settings.http_hosts):
            return _text(HTTPStatus.MISDIRECTED_REQUEST, "this host name is not allowed (PITLANE_HTTP_HOSTS)")
        if not origin_allowed(origins[0] if origins else None, hosts[0], self._settings.http_origins):
            return _text(HTTPStatus.FORBIDDEN, "this origin is not allowed (PITLANE_HTTP_ORIGINS)")
        path, query = urlsplit(request.path).path, urlsplit(request.path).query
        if path in self._pages:
            return _response(HTTPStatus.OK, *self._pages[path])
        token = self._settings.live_token.get_secret_value()
        authorizations = request.headers.get_all("Authorization")
        authorization = authorizations[0] if len(authorizations) == 1 else None
        if token and path not in WITHOUT_TOKEN and not token_given(token, query, authorization):
            return _text(HTTPStatus.UNAUTHORIZED, "this needs ?token=… or Authorization: Bearer … (PITLANE_LIVE_TOKEN)")
        if path in self._documents:
            content_type, body = self._documents[path]
            return _response(HTTPStatus.OK, content_type, body())
        is_websocket = "websocket" in map(str.lower, request.headers.get_all("Upgrade"))
        if path == RAW and is_websocket:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "too many taps") if self._taps.full else None
        try:
            wanted = feed.read(request.path, self._settings.live_rate_hz)
        except ValueError as error:
            return _text(HTTPStatus.BAD_REQUEST, str(error))
        if wanted is None and path != RAW:
            known = "/, /status, /healthz, /metrics, /live/car, /live/rig/NAME, /live/all … and /raw"
            return _text(HTTPStatus.NOT_FOUND, f"there is {known}")
        if not is_websocket:
            return _text(HTTPStatus.UPGRADE_REQUIRED, "this is a WebSocket")
        if self._hub.viewers() >= self._settings.live_viewers:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "too many viewers (PITLANE_LIVE_VIEWERS)")
        return None

    async def _view(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        path = urlsplit(connection.request.path)
        if path.path == RAW:
            if self._taps.full:  # several shook hands at once
                return await connection.close(CloseCode.TRY_AGAIN_LATER, "too many taps")
            _listen_little(connection)
            return await self._taps.serve(connection, parse_qs(path.query).get("rig", [""])[-1])
        wanted = feed.read(connection.request.path, self._settings.live_rate_hz)
        assert wanted is not None, "nothing else got through the handshake"
        if self._hub.viewers() >= self._settings.live_viewers:  # several shook hands at once
            return await connection.close(CloseCode.TRY_AGAIN_LATER, "too many viewers")
        viewer = Viewer(_Socket(connection), *wanted)
        self._hub.join(viewer, asyncio.get_running_loop().time())
        try:
            with contextlib.suppress(ConnectionClosed):
                async for _ in connection:  # what a viewer says is read and forgotten, so that pongs get through
                    pass
        finally:
            self._hub.leave(viewer)


def _listen_little(connection: ServerConnection) -> None:
    """What a client says is read and forgotten: so little at once that nobody else waits, nor answers to pings pile up."""
    there = connection.transport.get_extra_info("socket")
    there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


class _Socket:
    """`live.Line` of a WebSocket."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        _listen_little(connection)

    def behind(self) -> bool:
        size = self._transport.get_write_buffer_size()
        if size > MOST_UNREAD_BYTES:  # answers to pings that it does not read
            self._transport.abort()
        return size > 0

    def write(self, text: bytes) -> None:
        if self._connection.state is State.OPEN:
            self._transport.write(_frame(text))


@lru_cache(maxsize=64)
def _frame(text: bytes) -> bytes:
    """The WebSocket frame of a message, made once for all its viewers: most of what a `broadcast` costs."""
    return Frame(Opcode.TEXT, text).serialize(mask=False)


def _text(status: HTTPStatus, text: str) -> Response:
    return _response(status, "text/plain; charset=utf-8", f"{text}\n".encode())


def _response(status: HTTPStatus, content_type: str, body: bytes) -> Response:
    headers = Headers(
        {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Connection": "close",
            **SECURITY_HEADERS,
        }
    )
    return Response(status.value, status.phrase, headers, body)
