"""Live viewers of a gateway process: any car, all rigs, a token, and viewers that are slow, stalled, gone or idle."""

import asyncio
import contextlib
import dataclasses
import json
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from pitlane.stack.gateway import GatewayServer
from pitlane.stack.ports import Ports
from tests.datagrams import datagram
from tests.gateway import GatewayProcess, free_port, gateway_process, send
from tests.grafana_server import TOKEN, Grafana

KIB = 1024


def viewer(gateway: GatewayProcess, path: str = "/live/car", **options: Any) -> connect:
    return connect(f"ws://{gateway.http}{path}", proxy=None, **options)


async def message(connection: ClientConnection) -> dict[str, Any]:
    text = await asyncio.wait_for(connection.recv(), 5)
    assert isinstance(text, str)
    return json.loads(text)


async def refused(gateway: GatewayProcess, path: str, **options: Any) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with viewer(gateway, path, **options):
            pass
    return caught.value.response.status_code


async def answered(gateway: GatewayProcess, path: str, **headers: str) -> int:
    def ask() -> int:
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"http://{gateway.http}{path}", headers=headers)
            ) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    return await asyncio.to_thread(ask)


def send_from(source: str, gateway: GatewayProcess, raw: bytes) -> None:
    """A datagram of another rig: another address of this machine."""
    with socket.socket(type=socket.SOCK_DGRAM) as out:
        out.bind((source, 0))
        out.sendto(raw, gateway.udp)


@contextlib.asynccontextmanager
async def stalled_viewer(gateway: GatewayProcess, path: str = "/live/car") -> AsyncIterator[socket.socket]:
    """Opens a WebSocket and reads nothing, ever, not even the handshake."""
    host, port = gateway.http.split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {gateway.http}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        yield raw


async def viewers(gateway: GatewayProcess, count: int) -> None:
    async with asyncio.timeout(10):
        while (await gateway.status())["viewers"] != count:
            await asyncio.sleep(0.02)


# --- what can be watched ------------------------------------------------------------------------------------------


async def test_every_path_shows_its_car(tmp_path):
    names = {"127.0.0.2": "left", "127.0.0.3": "right rig"}
    async with gateway_process(tmp_path, rigs=json.dumps(names)) as gateway:
        paths = ["/live/car", "/live/car/3", "/live/second", "/live/rig/left", "/live/rig/right%20rig/car/3",
                 "/live/rig/left/second", "/live/all"]  # fmt: skip
        async with contextlib.AsyncExitStack() as stack:
            at = {path: await stack.enter_async_context(viewer(gateway, path)) for path in paths}
            await viewers(gateway, len(paths))
            send_from("127.0.0.2", gateway, datagram(6, {0: ("H", 200)}, car=5, second=5))
            first = {path: await message(at[path]) for path in paths if "right" not in path}
            send_from("127.0.0.3", gateway, datagram(6, {0: ("H", 300)}, car=3))
            second = {path: await message(at[path]) for path in paths if "left" not in path and "second" not in path}
            rigs = (await gateway.status())["rigs"]
    told = {path: (m["rig"], m["car_index"], m["speed_kmh"]) for path, m in first.items()}
    assert told == {
        "/live/car": ("left", 19, 0), "/live/car/3": ("left", 3, 0), "/live/second": ("left", 5, 200),
        "/live/rig/left": ("left", 19, 0), "/live/rig/left/second": ("left", 5, 200), "/live/all": ("left", 19, 0),
    }  # fmt: skip
    told = {path: (m["rig"], m["car_index"], m["speed_kmh"]) for path, m in second.items()}
    assert told == {
        "/live/car": ("right rig", 19, 0), "/live/car/3": ("right rig", 3, 300),
        "/live/rig/right%20rig/car/3": ("right rig", 3, 300), "/live/all": ("right rig", 19, 0),
    }  # fmt: skip
    assert (rigs["left"]["viewers"], rigs["right rig"]["viewers"]) == (3, 5)


async def test_a_car_that_no_format_has_is_refused(tmp_path):
    async with gateway_process(tmp_path) as gateway:
        for path in ("/live/car/24", "/live/rig/a/car/x", "/live/car/-1", "/live/car?hz=0"):
            assert await refused(gateway, path) == 400
        for path in ("/live/nothing", "/live/rig/a/car"):
            assert await refused(gateway, path) == 404


async def test_viewers_see_each_frame_at_once_at_the_rate_of_the_game(tmp_path):
    async with gateway_process(tmp_path) as gateway, viewer(gateway) as one, viewer(gateway, "/live/all") as other:
        await viewers(gateway, 2)
        sending = asyncio.create_task(send(gateway, [datagram(6, overall_frame=n) for n in range(1, 121)], 1 / 60))
        for connection in (one, other):
            seen = []
            while not seen or seen[-1] != 120:
                seen.append((await message(connection))["frame"])
            assert seen == sorted(set(seen))
            assert len(seen) > 100, "a busy machine may bring several at once; then the newest is enough"
        await sending


# --- viewers that are slow, stalled or gone -----------------------------------------------------------------------


async def test_stalled_viewers_cost_bounded_memory_and_change_nothing_for_others(tmp_path):
    """Thirty of them, for thousands of frames."""
    async with gateway_process(tmp_path, live_rate_hz=1000, block_interval_ms=20) as gateway:
        process = psutil.Process(gateway.process.pid)

        async def drive(connection: ClientConnection, first: int, count: int) -> list[int]:
            sending = asyncio.create_task(
                send(gateway, [datagram(6, overall_frame=n) for n in range(first, first + count)], pause_s=0.002)
            )
            seen: list[int] = []
            while not seen or seen[-1] < first + count - 1:
                seen.append((await message(connection))["frame"])
            await sending
            return seen

        async with viewer(gateway) as good, contextlib.AsyncExitStack() as stack:
            alone = await drive(good, 1, 500)
            for path in ["/live/car"] * 15 + ["/live/all"] * 15:
                await stack.enter_async_context(stalled_viewer(gateway, path))
            await viewers(gateway, 31)
            await drive(good, 1000, 500)
            before = process.memory_info().rss
            together = await drive(good, 2000, 4000)
            grown = process.memory_info().rss - before
            assert (await gateway.status())["viewers"] == 31
        for seen, sent in ((alone, 500), (together, 4000)):
            assert seen == sorted(set(seen))
            assert len(seen) > 0.8 * sent, "a busy machine may bring several at once; then the newest is enough"
        assert grown < 4096 * KIB, f"{grown} bytes for {30 * 4000} frames of 2 KiB that nobody took"


async def test_a_viewer_that_reads_again_gets_the_newest(tmp_path):
    async with gateway_process(tmp_path, live_rate_hz=1000, block_interval_ms=20) as gateway:
        host, port = gateway.http.split(":")
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
            raw.connect((host, int(port)))
            raw.setblocking(False)
            async with connect(f"ws://{gateway.http}/live/car", sock=raw, proxy=None, max_queue=1) as slow:
                await viewers(gateway, 1)
                await send(gateway, [datagram(6, overall_frame=n) for n in range(1, 3001)], pause_s=0.001)
                seen = [(await message(slow))["frame"]]
                while seen[-1] != 3000:
                    seen.append((await message(slow))["frame"])
    assert seen == sorted(set(seen))
    assert len(seen) < 300, "what the sockets held, then the newest"


async def test_viewers_that_vanish_are_forgotten(tmp_path):
    async with gateway_process(tmp_path) as gateway, viewer(gateway) as good:
        for _ in range(5):
            async with stalled_viewer(gateway) as raw:
                await viewers(gateway, 2)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, no farewell
            await send(gateway, [datagram(6, overall_frame=n) for n in range(1, 20)], pause_s=0.002)
            await viewers(gateway, 1)
        assert (await message(good))["frame"] == 1
        assert not [event for event in gateway.events() if event.get("level") == "error"]


async def test_the_number_of_viewers_is_limited_also_when_they_come_at_once(tmp_path):
    async with gateway_process(tmp_path, live_viewers=3) as gateway:
        opened = await asyncio.gather(*[viewer(gateway).__aenter__() for _ in range(10)], return_exceptions=True)
        await asyncio.sleep(0.2)
        assert (await gateway.status())["viewers"] == 3
        for one in opened:
            if isinstance(one, ClientConnection):
                await one.close()


# --- the token ----------------------------------------------------------------------------------------------------


async def test_without_the_token_there_is_the_page_and_the_health_and_no_more(tmp_path):
    async with gateway_process(tmp_path, live_token="se cret/ö") as gateway:
        for path in ("/", "/panel.js", "/panel.css", "/healthz"):
            assert await answered(gateway, path) == 200
        protected = ["/status", "/metrics", "/raw", "/nothing"]
        for path in protected:
            assert await answered(gateway, path) == 401
            assert await answered(gateway, f"{path}?token=wrong") == 401
            assert await answered(gateway, path, Authorization="Bearer wrong") == 401
            assert await answered(gateway, path, Authorization="Basic c2UgY3JldA==") == 401
        assert await answered(gateway, "/status?token=se%20cret/%C3%B6") == 200
        assert await answered(gateway, "/nothing?token=se+cret%2F%C3%B6") == 404
        for path in ("/live/car", "/live/all", "/live/rig/a/car/1", "/live/car/99", "/live/car?token="):
            assert await refused(gateway, path) == 401
        assert await refused(gateway, "/live/car", additional_headers={"Authorization": "Bearer x"}) == 401
        async with viewer(gateway, "/live/car?hz=10&token=se+cret%2F%C3%B6") as allowed:
            await send(gateway, [datagram(6)])
            assert (await message(allowed))["frame"] == 750


async def test_the_token_as_a_header(tmp_path):
    async with gateway_process(tmp_path, live_token="secret") as gateway:
        assert await answered(gateway, "/status", Authorization="bearer  secret") == 200
        async with viewer(gateway, additional_headers={"Authorization": "Bearer secret"}) as allowed:
            await send(gateway, [datagram(6)])
            assert (await message(allowed))["frame"] == 750
        assert await refused(gateway, "/live/car", origin="http://evil.example") == 403, "a token opens no other door"


async def test_the_stack_asks_its_gateway_with_the_token(tmp_path):
    async with gateway_process(tmp_path, live_token="secret") as gateway:
        env_file = tmp_path / "env"
        ports = dataclasses.replace(Ports(), gateway=int(gateway.settings["PITLANE_HTTP_PORT"]))
        server = GatewayServer(tmp_path, ports, "127.0.0.1", env_file)
        assert not (await asyncio.to_thread(server.health)).ok
        env_file.write_text("PITLANE_LIVE_TOKEN=secret\n")
        assert (await asyncio.to_thread(server.status))["received"] == 0


# --- Grafana Live -------------------------------------------------------------------------------------------------


async def test_the_gateway_pushes_to_grafana_what_it_shows(tmp_path):
    grafana = Grafana()
    where = {"grafana_url": f"http://127.0.0.1:{grafana.port}", "grafana_token": TOKEN}
    async with grafana.serving(), gateway_process(tmp_path, rigs='{"127.0.0.1": "a"}', **where) as gateway:
        for frame in range(1, 61):
            await send(gateway, [datagram(6, {0: ("H", 287)}, car=19, overall_frame=frame)], pause_s=0.01)
        async with asyncio.timeout(10):
            while 60 not in grafana.frames():
                await asyncio.sleep(0.05)
        assert (await gateway.status())["grafana"]["state"] == "up"
    assert grafana.paths == ["/api/live/push/pitlane"]
    assert ",speed_kmh=287," in grafana.pushes[-1]


async def test_what_is_no_address_of_a_grafana_ends_with_a_reason(tmp_path):
    with pytest.raises(AssertionError, match="grafana_address"):
        async with gateway_process(tmp_path, grafana_url="grafana:3000"):
            pass


# --- the relay ----------------------------------------------------------------------------------------------------


async def test_every_datagram_is_relayed_also_one_that_is_no_packet(tmp_path):
    with socket.socket(type=socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(5)
        dead, alive = f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}", f"127.0.0.1:{there.getsockname()[1]}"
        async with gateway_process(tmp_path, relay=json.dumps([dead, alive])) as gateway:
            sent = [datagram(6), b"", b"junk", datagram(0), bytes(3000)]
            await send(gateway, sent, pause_s=0.01)
            assert [there.recv(65_536) for _ in sent] == sent
            status = await gateway.status()
    assert status["relay"][1] == {"target": alive, "sent": 5, "failed": 0}
    assert status["relay"][0]["failed"] >= 4
    assert status["received"] == 5


@pytest.mark.parametrize(("target", "reason"), [("127.0.0.1", "relay_target"), ("localhost:{udp}", "relay_loop")])
async def test_a_relay_that_cannot_be_ends_with_a_reason(tmp_path, target, reason):
    port = free_port(socket.SOCK_DGRAM)
    with pytest.raises(AssertionError, match="cannot start"):
        async with gateway_process(tmp_path, udp_port=port, relay=json.dumps([target.format(udp=port)])):
            pass
    (event,) = [json.loads(line) for line in (tmp_path / "gateway.log").read_text().splitlines()][-1:]
    assert (event["event"], event["reason"]) == ("cannot start", reason)
