"""Who may stay: pings tell a viewer that is gone from one that has nothing to see."""

import asyncio

from websockets.asyncio.client import connect
from websockets.protocol import State

from pitlane.settings import GatewaySettings
from udp_gateway import web
from udp_gateway.live import Hub
from udp_gateway.raw import Taps


async def test_an_idle_viewer_stays_and_one_that_answers_no_ping_goes(monkeypatch):
    monkeypatch.setattr(web, "PING_INTERVAL_S", 0.05)
    monkeypatch.setattr(web, "PING_TIMEOUT_S", 0.5)
    hub = Hub()
    serving = web.Web(GatewaySettings(_env_file=None, http_port=0), hub, dict, dict, Taps({}))
    port = await serving.start()
    url = f"ws://127.0.0.1:{port}/live/car"
    async with connect(url, proxy=None) as idle, connect(url, proxy=None, close_timeout=0.1) as gone:
        async with asyncio.timeout(5):
            while hub.viewers() < 2:
                await asyncio.sleep(0.01)
        gone.transport.pause_reading()
        async with asyncio.timeout(10):
            while hub.viewers() > 1:
                await asyncio.sleep(0.01)
        await asyncio.sleep(1)  # twenty pings
        assert hub.viewers() == 1
        assert idle.state is State.OPEN
    await serving.close()
