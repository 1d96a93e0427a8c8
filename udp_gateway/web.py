"""One port for HTTP and WebSocket: the live page, `/status`, `/healthz`, `/metrics`, and the streams under `/live/`.

/live/car         followed car of the current rig
/live/rig/NAME    followed car of one rig
/raw              every datagram as received, `?rig=NAME` for one rig's: see udp_gateway.raw

`?hz=10` asks for fewer frames than settings allow: for viewers that draw slowly, as Grafana does.
"""

import asyncio
import contextlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pitlane.errors import PitlaneError
from pitlane.settings import GatewaySettings
from udp_gateway import metrics
from udp_gateway.admission import host_allowed, origin_allowed
from udp_gateway.live import WRITE_LIMIT, Hub, Viewer
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

SLOWEST_HZ = 0.1


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
                write_limit=WRITE_LIMIT,
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
        path = urlsplit(request.path).path
        if _stream(path) is not None:
            if "websocket" not in map(str.lower, request.headers.get_all("Upgrade")):
                return _text(HTTPStatus.UPGRADE_REQUIRED, "this is a WebSocket")
            try:
                _rate_hz(request.path, self._settings.live_rate_hz)
            except ValueError:
                return _text(HTTPStatus.BAD_REQUEST, f"hz is a number from {SLOWEST_HZ}")
            if self._hub.viewers() >= self._settings.live_viewers:
                return _text(HTTPStatus.SERVICE_UNAVAILABLE, "too many viewers (PITLANE_LIVE_VIEWERS)")
            return None
        if path == RAW:
            if "websocket" not in map(str.lower, request.headers.get_all("Upgrade")):
                return _text(HTTPStatus.UPGRADE_REQUIRED, "this is a WebSocket")
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "too many taps") if self._taps.full else None
        if path in self._documents:
            content_type, body = self._documents[path]
            return _response(HTTPStatus.OK, content_type, body())
        if path in self._pages:
            return _response(HTTPStatus.OK, *self._pages[path])
        return _text(
            HTTPStatus.NOT_FOUND, "there is /, /status, /healthz, /metrics, /live/car, /live/rig/NAME and /raw"
        )

    async def _view(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        loop = asyncio.get_running_loop()
        path = connection.request.path
        if urlsplit(path).path == RAW:
            return await self._taps.serve(connection, parse_qs(urlsplit(path).query).get("rig", [""])[-1])
        rate_hz = _rate_hz(path, self._settings.live_rate_hz)
        viewer = Viewer(lambda text: connection.send(text, text=True), rate_hz)
        self._hub.join(viewer, _stream(urlsplit(path).path) or None, loop.time())
        sending = asyncio.create_task(_until_closed(viewer))
        try:
            with contextlib.suppress(ConnectionClosed):
                async for _ in connection:  # what a viewer says is read and forgotten, so that pongs get through
                    pass
        finally:
            self._hub.leave(viewer)
            sending.cancel()


async def _until_closed(viewer: Viewer) -> None:
    with contextlib.suppress(ConnectionClosed):
        await viewer.run()


def _stream(path: str) -> str | None:
    """Name of the rig that a live path asks for, "" for the current one; None if it is no live path."""
    if path == "/live/car":
        return ""
    name = unquote(path.removeprefix("/live/rig/"))
    return name if path.startswith("/live/rig/") and name else None


def _rate_hz(path: str, most: float) -> float:
    """Frames a second that `path` asks for, at most `most`; raises ValueError for what is none."""
    wanted = [float(text) for text in parse_qs(urlsplit(path).query).get("hz", [])]
    if not all(rate >= SLOWEST_HZ for rate in wanted):  # so nan is refused as well
        raise ValueError(f"hz is below {SLOWEST_HZ}")
    return min([*wanted, most])


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
