"""Line protocol as literal text, and the push against a real WebSocket server in Grafana's place."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from f1_packets import Header
from pitlane.settings import GatewaySettings
from tests.datagrams import datagram
from tests.grafana_server import TOKEN, Grafana
from udp_gateway.backoff import Backoff
from udp_gateway.grafana_live import GrafanaAddress, GrafanaLive, line, push_url
from udp_gateway.live_state import LiveState

NOW = 1_795_352_725_126_000_000


def state(rig: str = "a", frame: int = 0, packets: dict[int, bytes] | None = None, car: int | None = 0) -> LiveState:
    header = Header(2025, 25, 1, 18, 1, 6, 5, 1.0, frame, frame, 0, 255)
    return LiveState(rig, NOW, header, car, packets or {}, None, None)


# --- the line -----------------------------------------------------------------------------------------------------


def test_a_line_from_literal_bytes():
    lap = datagram(2, {4: ("I", 61_234), 20: ("f", -12.5), 32: ("B", 5), 33: ("B", 14)}, car=0)
    assert line(state("a", 750, {2: lap})) == (
        "car,rig=a packet_format=2025,frame=750,car_index=0,lap_number=14,position=5,current_lap_time_ms=61234,"
        "last_lap_time_ms=0,sector=0,sector1_ms=0,sector2_ms=0,gap_ahead_ms=0,gap_leader_ms=0,lap_distance_m=-12.5,"
        "lap_invalid=0,pit_status=0,pit_stops=0,penalties_s=0,warnings=0,grid_position=0 1795352725126000000"
    )


def test_what_is_no_number_is_left_out():
    status = datagram(7, {5: ("f", float("nan")), 9: ("f", float("inf")), 13: ("f", 1e-7)}, car=0)
    text = line(state(packets={7: status}))
    assert "fuel_in_tank_kg" not in text
    assert "fuel_capacity_kg" not in text
    assert ",fuel_remaining_laps=1.0000000116860974e-07," in text
    assert "session" not in text
    assert "speed_kmh" not in text


@pytest.mark.parametrize(
    ("rig", "tag"),
    [
        ("127.0.0.1", ",rig=127.0.0.1"), ("left rig", ",rig=left\\ rig"), ("a,b=c", ",rig=a\\,b\\=c"),
        ('say "hi"', ',rig=say\\ "hi"'), ("a\nb\r\nc", ",rig=abc"), ("end\\", ",rig=end"), ("a\\b", ",rig=a\\b"),
        ("Zoë", ",rig=Zoë"), ("\\", ""), ("::1", ",rig=::1"),
    ],
)  # fmt: skip
def test_names_of_rigs_are_escaped(rig, tag):
    assert line(state(rig)).startswith(f"car{tag} packet_format=2025,")


@pytest.mark.parametrize(
    ("grafana", "url"),
    [
        ("http://127.0.0.1:3000", "ws://127.0.0.1:3000/api/live/push/pit%2Flane"),
        ("https://example.org/grafana/", "wss://example.org/grafana/api/live/push/pit%2Flane"),
        ("http://[::1]:3000/", "ws://[::1]:3000/api/live/push/pit%2Flane"),
    ],
)
def test_where_lines_go(grafana, url):
    assert push_url(grafana, "pit/lane") == url


@pytest.mark.parametrize("grafana", ["127.0.0.1:3000", "ftp://a", "http://", "grafana"])
def test_what_is_no_address_is_refused(grafana):
    with pytest.raises(GrafanaAddress, match="no address of a Grafana"):
        push_url(grafana, "pitlane")


# --- the push -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def pushing(grafana: Grafana, hz: float = 100) -> AsyncIterator[GrafanaLive]:
    """A push with a new frame of rig a every 2 ms."""
    settings = GatewaySettings(
        _env_file=None,
        grafana_url=f"http://127.0.0.1:{grafana.port}",
        grafana_token=TOKEN,
        grafana_rate_hz=hz,
    )
    live = GrafanaLive(settings)
    live._backoff = Backoff(0.01, 0.05)

    async def drive() -> None:
        for frame in range(1, 100_000):
            live.offer(state("a", frame))
            await asyncio.sleep(0.002)

    tasks = [asyncio.create_task(work) for work in (live.run(), drive())]
    try:
        yield live
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_newest_frames_go_out_at_a_capped_rate():
    grafana = Grafana()
    async with grafana.serving(), pushing(grafana, hz=20) as live:
        await until(lambda: len(grafana.pushes) >= 10)
        assert live.grafana.state == "up"
    assert grafana.paths == ["/api/live/push/pitlane"], "one WebSocket"
    frames = grafana.frames()
    assert frames == sorted(set(frames)), "never an old one"
    assert (frames[-1] - frames[0]) / len(frames) > 10, "most were replaced by newer ones"


async def test_all_rigs_go_out_together():
    grafana = Grafana()
    async with grafana.serving(), pushing(grafana, hz=20) as live:
        await until(lambda: live.grafana.state == "up")
        live.offer(state("b", 7))
        live.offer(state("nobody", 8, car=None))
        live.offer(state("a", 200_000))  # in the same moment, so that both wait for the next push
        await until(lambda: grafana.frames("b"))
    assert grafana.frames("b") == [7], "once"
    assert grafana.frames("nobody") == []
    assert any(push.count("\n") == 1 for push in grafana.pushes)


async def test_it_connects_again_by_itself():
    grafana = Grafana()
    async with pushing(grafana) as live:
        await until(lambda: live.grafana.failures > 2)
        assert live._newest == {}, "nothing piles up"
        for _ in range(2):
            async with grafana.serving():
                await until(lambda: grafana.pushes)
                assert live.grafana.state == "up"
            await until(lambda: live.grafana.state == "down")
            grafana.pushes.clear()
    assert len(grafana.paths) == 2


async def test_a_refusal_is_told_and_tried_again():
    grafana = Grafana()
    grafana.token = "another"
    async with grafana.serving(), pushing(grafana) as live:
        await until(lambda: live.grafana.failures > 2)
        assert (live.grafana.state, live.grafana.last_error) == ("down", "HTTP 401")
        grafana.token = TOKEN
        await until(lambda: grafana.pushes)
        assert live.grafana.state == "up"


async def test_a_grafana_that_reads_nothing_delays_nobody_and_costs_one_state():
    grafana = Grafana()
    grafana.stalled = True
    async with grafana.serving(), pushing(grafana, hz=10_000) as live:
        await until(lambda: live.grafana.state == "up")
        big = {2: datagram(2), 6: datagram(6), 7: datagram(7), 10: datagram(10)}
        for frame in range(20_000):
            live.offer(state("a", frame, big))
            if frame % 100 == 0:
                await asyncio.sleep(0.001)
        assert len(live._newest) <= 1
