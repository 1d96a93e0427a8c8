"""Recording what rigs send into a capture: through the gateway where one runs, else from the UDP port itself.

Beside a running gateway, datagrams come over its path `/raw` (udp_gateway.raw) with the gateway's own arrival times,
and live viewers notice nothing. When the gateway goes away meanwhile, the recording waits until it is back.

RecordError
├── reason gateway_refused   the gateway does not let this recorder in
└── reason no_gateway        what listens on the gateway's port is none
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from pitlane.capture import CaptureError, Datagram, Writer
from pitlane.errors import PitlaneError
from pitlane.settings import GatewaySettings
from udp_gateway.raw import MESSAGE_BYTES, RAW, Broken, Entry, decode, of_rig
from udp_gateway.receive import Receiver

FLUSH_S = 0.5
"""What is older stands in the file, also when this process is killed."""

BEGIN_S = 5.0
"""How long a gateway may take for its first message."""

END_S = 5.0
"""How long a gateway that is told of the end may take to give what it still has."""

AWAY_S = 0.5
"""Between two looks whether the gateway is back."""

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Where to reach what listens on all addresses."""


class RecordError(PitlaneError):
    reason = "record"

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


@dataclass
class Recorded:
    """How a recording stands. `bytes` are those of the file."""

    origin: str
    """Where the datagrams come from, for people."""
    datagrams: int = 0
    bytes: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    """Received by the gateway, or handed to our socket, and not in the file."""
    absences: int = 0
    """How often the gateway went away; what was sent meanwhile nobody has counted."""
    seconds: float = 0.0


Progress = Callable[[Recorded], None]


def record(
    path: Path,
    settings: GatewaySettings,
    progress: Progress,
    rig: str = "",
    seconds: float | None = None,
    overwrite: bool = False,
) -> Recorded:
    """Records until SIGINT, SIGTERM or `seconds` have passed; `rig` is a name or an address, "" all.

    `progress` is called when all is set up, and then twice a second. Raises RecordError, CaptureError, PortTaken.
    """
    return asyncio.run(_record(path, settings, progress, rig, seconds, overwrite))


async def _record(
    path: Path, settings: GatewaySettings, progress: Progress, rig: str, seconds: float | None, overwrite: bool
) -> Recorded:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(wanted, stop.set)
    connection = await _connect(settings, rig)
    source = _Gateway(settings, rig, connection) if connection else _Port(settings, rig)
    with Writer(path, settings.udp_port, overwrite) as writer:
        state = Recorded(source.origin)
        begun = loop.time()
        if seconds is not None:
            loop.call_later(seconds, stop.set)
        running = asyncio.create_task(source.run(_Recording(writer, state), stop))
        try:
            while not running.done():
                progress(state)
                await asyncio.wait({running}, timeout=FLUSH_S)
                writer.flush()
                state.seconds = loop.time() - begun
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    return state


class _Recording:
    """Writes entries, and counts what is missing between messages."""

    def __init__(self, writer: Writer, state: Recorded) -> None:
        self.state = state
        self._writer = writer
        self._expected = 0

    def begin(self) -> None:
        """Another connection: numbers start again."""
        self._expected = 0

    def put_message(self, message: bytes) -> None:
        number, entries = decode(message)
        if number < self._expected:
            raise Broken(f"number {number} after {self._expected}")
        self.state.lost += number - self._expected
        self._expected = number + len(entries)
        for entry in entries:
            self.put(entry)

    def put(self, entry: Entry) -> None:
        self._writer.write(Datagram(entry.arrival_ns, entry.source, entry.datagram))
        self.state.datagrams += 1
        self.state.bytes = self._writer.bytes
        self.state.sources[entry.source] += 1


class _Gateway:
    """`/raw` of a gateway, over as many connections as it takes."""

    def __init__(self, settings: GatewaySettings, rig: str, connection: ClientConnection) -> None:
        self._settings, self._rig, self._connection = settings, rig, connection
        self.origin = f"the gateway at {_address(settings)}"

    async def run(self, recording: _Recording, stop: asyncio.Event) -> None:
        connection: ClientConnection | None = self._connection
        while connection:
            recording.begin()
            ending = asyncio.create_task(_end(connection, stop))
            try:
                async for message in connection:
                    if isinstance(message, bytes):
                        recording.put_message(message)
            except ConnectionClosed:
                pass
            finally:
                ending.cancel()
                await connection.close()
            connection = None
            if not stop.is_set():
                recording.state.absences += 1
            while connection is None and not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), AWAY_S)
                with suppress(RecordError):
                    connection = await _connect(self._settings, self._rig)


class _Port:
    """The UDP port itself, taken as the gateway takes it. Raises PortTaken."""

    def __init__(self, settings: GatewaySettings, rig: str) -> None:
        host, port = settings.udp_host, settings.udp_port
        self.origin = f"UDP {host}:{port}, since no gateway runs"
        self._wants = of_rig(rig, settings.rigs)
        self._receiver = Receiver(host, port, settings.receive_buffer_bytes, self._take)
        self._failure: CaptureError | None = None

    async def run(self, recording: _Recording, stop: asyncio.Event) -> None:
        self._recording, self._stop = recording, stop
        self._receiver.start()
        await stop.wait()
        recording.state.lost = self._receiver.kernel_drops() or 0
        self._receiver.close()
        if self._failure:
            raise self._failure

    def _take(self, datagram: bytes, source: str, now_ns: int) -> bool:
        if self._failure or not self._wants(source):
            return False
        try:
            self._recording.put(Entry(now_ns, source, datagram))
        except CaptureError as error:  # an exception would only reach the event loop
            self._failure = error
            self._stop.set()
        return True


async def _end(connection: ClientConnection, stop: asyncio.Event) -> None:
    """When it is time, asks for what is left; the gateway closes the connection after that."""
    await stop.wait()
    with suppress(ConnectionClosed):
        await connection.send("end")
        await asyncio.sleep(END_S)
        await connection.close()


async def _connect(settings: GatewaySettings, rig: str) -> ClientConnection | None:
    """A connection to `/raw` from which on everything comes; None when nothing listens there. Raises RecordError."""
    address = _address(settings)
    token = settings.live_token.get_secret_value()
    try:
        connection = await connect(
            f"ws://{address}{RAW}?rig={quote(rig, safe='')}",
            proxy=None,
            compression=None,
            max_size=2 * MESSAGE_BYTES,
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
        )
        await asyncio.wait_for(connection.recv(), BEGIN_S)
    except InvalidStatus as error:
        answer = error.response.body.decode(errors="replace").strip()
        raise RecordError(
            "gateway_refused", f"the gateway at {address} answers {error.response.status_code}: {answer}"
        ) from error
    except (InvalidHandshake, ConnectionClosed, TimeoutError) as error:
        hint = "PITLANE_HTTP_PORT is the port of the gateway"
        raise RecordError("no_gateway", f"what listens on {address} is no gateway", hint) from error
    except OSError:
        return None
    return connection


def _address(settings: GatewaySettings) -> str:
    host = ANY_ADDRESS.get(settings.http_host, settings.http_host)
    return f"[{host}]:{settings.http_port}" if ":" in host else f"{host}:{settings.http_port}"
