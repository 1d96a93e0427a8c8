"""A gateway process of one's own, with what stands beside it: a NiFi that is only an HTTP endpoint, a door to Postgres."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

REPOSITORY = Path(__file__).resolve().parents[1]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class GatewayProcess:
    process: asyncio.subprocess.Process
    settings: dict[str, str]
    log: Path

    @property
    def udp(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.settings["PITLANE_UDP_PORT"])

    @property
    def http(self) -> str:
        return f"127.0.0.1:{self.settings['PITLANE_HTTP_PORT']}"

    async def status(self) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            with urllib.request.urlopen(f"http://{self.http}/status", timeout=5) as answer:
                return json.load(answer)

        return await asyncio.to_thread(ask)

    async def settled(self, received: int, timeout_s: float = 20) -> dict[str, Any]:
        """The status once `received` datagrams are in and nothing of them waits."""
        async with asyncio.timeout(timeout_s):
            while True:
                status = await self.status()
                if status["received"] == received and not status["waiting"] and not status["dead_letter"]["waiting"]:
                    return status
                await asyncio.sleep(0.05)

    def events(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextlib.asynccontextmanager
async def gateway_process(folder: Path, **settings: object) -> AsyncIterator[GatewayProcess]:
    """Runs a gateway until the body ends; NiFi and Postgres are away unless `settings` (without PITLANE_) say where."""
    closed = free_port()
    names = {
        "ENV_FILE": folder / "no-env-file",
        "UDP_PORT": free_port(socket.SOCK_DGRAM),
        "HTTP_PORT": free_port(),
        "NIFI_BLOCKS_URL": f"http://127.0.0.1:{closed}/blocks",
        "POSTGRES_PORT": closed,
        "SHUTDOWN_S": 0.1,
        "SPOOL": folder / "spool",
        **{name.upper(): value for name, value in settings.items()},
    }
    given = {f"PITLANE_{name}": str(value) for name, value in names.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PITLANE_")}
    log = folder / "gateway.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "udp_gateway", cwd=REPOSITORY, env={**inherited, **given}, stdout=output
        )
    gateway = GatewayProcess(process, given, log)
    try:
        async with asyncio.timeout(30):
            while not any(event["event"] == "listening" for event in gateway.events()):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield gateway
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def send(gateway: GatewayProcess, datagrams: Iterable[bytes], pause_s: float = 0.0) -> None:
    """Datagrams through a real socket; without a pause, in small bursts that any receive buffer takes."""
    with socket.socket(type=socket.SOCK_DGRAM) as out:
        for number, raw in enumerate(datagrams):
            out.sendto(raw, gateway.udp)
            if pause_s or number % 20 == 19:
                await asyncio.sleep(pause_s or 0.005)


class BlockEndpoint:
    """Takes FlowFiles as NiFi does and keeps them, in order of arrival."""

    def __init__(self) -> None:
        self.blocks: list[tuple[dict[str, str], bytes]] = []
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/blocks", self._take)
        self._runner = web.AppRunner(app)

    async def _take(self, request: web.Request) -> web.Response:
        self.blocks += unpack(await request.read())
        return web.Response()

    def datagrams(self) -> list[bytes]:
        """Every datagram of every block, without arrival time and rig (24 bytes)."""
        found = []
        for attributes, content in self.blocks:
            length = int(attributes["block.bytes"])
            assert len(content) == length * int(attributes["block.count"])
            found += [content[at + 24 : at + length] for at in range(0, len(content), length)]
        return found

    @contextlib.asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator["BlockEndpoint"]:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        try:
            yield self
        finally:
            await self._runner.cleanup()


def unpack(body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """FlowFiles of an `application/flowfile-v3` body, read as NiFi's description of the format says."""
    found, at = [], 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        assert at <= len(body)
        return body[at - count : at]

    def text() -> str:
        length = int.from_bytes(take(2), "big")
        return take(int.from_bytes(take(4), "big") if length == 0xFFFF else length).decode()

    while at < len(body):
        assert take(7) == b"NiFiFF3"
        attributes = {}
        for _ in range(int.from_bytes(take(2), "big")):
            key = text()
            attributes[key] = text()
        found.append((attributes, take(int.from_bytes(take(8), "big"))))
    return found


@contextlib.asynccontextmanager
async def door(port: int, to_port: int) -> AsyncIterator[None]:
    """Forwards TCP connections to `to_port` while the body runs; outside of it they are refused or cut."""
    open_writers: set[asyncio.StreamWriter] = set()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", to_port)
        open_writers.update((writer, inner_writer))
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()
