"""The provisioned Grafana against the running gateway: what the plugin would connect to, and what each panel would get.

There is no Grafana here. Its part is played as the plugin golioth-websocket-datasource does it: data source address and
query path joined, the data source's query parameters added, one JSON object a text frame, each field taken by JSONPath.
"""

import asyncio
import json
import os
import posixpath
import re
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
import yaml
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from f1_packets import PACKET_IDS, PACKETS
from grafana import live, panels
from pitlane import capture
from tests.shared import RACE_2026, TIME_TRIAL, needs_recordings
from udp_gateway.message import FIELDS

REPOSITORY = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads(live.FILE.read_text(encoding="utf-8"))
QUERIED = {
    field["jsonPath"]: field["type"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
    for field in target["fields"]
}
TYPES = {"number": (int, float), "string": (str,), "time": (int,)}
SOURCE_OF = {field.name: field.packet_id for field in FIELDS}
CAR = 3


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def gateway(tmp_path) -> AsyncIterator[dict[str, str]]:
    """A gateway of its own, with NiFi and Postgres away: live viewers must notice nothing. Its settings."""
    closed = free_port(socket.SOCK_STREAM)
    settings = {
        "PITLANE_ENV_FILE": str(tmp_path / "no-env-file"),
        "PITLANE_UDP_PORT": str(free_port(socket.SOCK_DGRAM)),
        "PITLANE_HTTP_HOST": "127.0.0.1",
        "PITLANE_HTTP_PORT": str(free_port(socket.SOCK_STREAM)),
        "PITLANE_NIFI_BLOCKS_URL": f"http://127.0.0.1:{closed}/blocks",
        "PITLANE_POSTGRES_HOST": "127.0.0.1",
        "PITLANE_POSTGRES_PORT": str(closed),
        "PITLANE_SHUTDOWN_S": "0.1",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PITLANE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "udp_gateway", cwd=REPOSITORY, env={**inherited, **settings}
    )
    try:
        async with asyncio.timeout(30):
            while True:
                assert process.returncode is None, "the gateway ended"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", int(settings["PITLANE_HTTP_PORT"]))
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                break
        yield settings
    finally:
        process.terminate()
        await process.wait()


def plugin_url(settings: dict[str, str], stream: str = "live/car") -> str:
    """Where the plugin connects for a query of the dashboard, by the provisioned data source."""
    text = (REPOSITORY / "grafana/provisioning/datasources/pitlane.yaml").read_text(encoding="utf-8")
    text = re.sub(r"\$\{(\w+)\}", lambda name: settings.get(name[1], ""), text)
    source = next(s for s in yaml.safe_load(text)["datasources"] if s["uid"] == "pitlane-live")
    address = urlsplit(source["url"])
    names = {key.removeprefix("queryParamName"): name for key, name in source["jsonData"].items() if "ParamName" in key}
    query = {name: source["secureJsonData"][f"queryParamValue{number}"] for number, name in names.items()}
    (path,) = {target["path"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
    (variable,) = DASHBOARD["templating"]["list"]
    path = path.replace(f"${variable['name']}", stream)
    return address._replace(path=posixpath.join(address.path or "/", path), query=urlencode(query)).geturl()


@asynccontextmanager
async def sending(settings: dict[str, str], payloads: list[bytes], pause_s: float = 0.002):
    """Sends the datagrams over and over while the body runs."""

    async def send() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            while True:
                for payload in payloads:
                    sender.sendto(payload, ("127.0.0.1", int(settings["PITLANE_UDP_PORT"])))
                    await asyncio.sleep(pause_s)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()


async def messages(url: str, seconds: float) -> list[dict]:
    """What the plugin receives in that time, each a frame of the panel's data."""
    received = []
    async with connect(url, proxy=None) as connection:
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                frame = await asyncio.wait_for(connection.recv(), left)
            except TimeoutError:
                break
            assert isinstance(frame, str)
            message = json.loads(frame)
            assert isinstance(message, dict)
            received.append(message)
    return received


def evaluate(path: str, message: dict) -> object:
    """A JSONPath of one step; raises KeyError where the plugin would find nothing."""
    return message[re.fullmatch(r"\$\.(\w+)", path)[1]]


def packets_and_panels(packet_format: int) -> tuple[list[bytes], dict[str, object]]:
    """Packets of one frame by hand, and what the panels are to show of them."""
    values = {
        "car_telemetry": {"speed_kmh": 287, "engine_rpm": 11_234, "gear": 7, "throttle": 0.75, "brake": 0.25, "drs": 1,
                          "tyres_surface_temperature_c": (91, 92, 93, 94), "tyres_inner_temperature_c": (101, 102, 103, 104)},
        "car_status": {"fuel_in_tank_kg": 12.5, "fuel_remaining_laps": -0.25, "ers_store_j": 3_000_000.0,
                       "ers_deploy_mode": 2, "ers_deployed_j": 500_000.0, "ers_harvested_mguk_j": 250_000.0,
                       "visual_tyre_compound": 17, "tyres_age_laps": 9, "vehicle_fia_flags": 3, "fuel_mix": 2},
        "lap_data": {"current_lap_num": 14, "car_position": 5, "current_lap_time_ms": 61_234, "last_lap_time_ms": 83_456,
                     "pit_status": 1, "current_lap_invalid": 1},
        "car_damage": {"tyres_wear_percent": (10.5, 11.5, 12.5, 13.5)},
        "car_telemetry_2": {"active_aero_mode": 1, "overtake_active": 1},
    }  # fmt: skip
    shown: dict[str, object] = {
        "speed_kmh": 287, "engine_rpm": 11_234, "gear": 7, "throttle": 0.75, "brake": 0.25,
        "tyre_surface_rl_c": 91, "tyre_surface_rr_c": 92, "tyre_surface_fl_c": 93, "tyre_surface_fr_c": 94,
        "tyre_inner_rl_c": 101, "tyre_inner_fr_c": 104, "tyre_wear_rl_pct": 10.5, "tyre_wear_fr_pct": 13.5,
        "fuel_in_tank_kg": 12.5, "fuel_remaining_laps": -0.25, "ers_store_pct": 75, "ers_deploy_mode": 2,
        "ers_deployed_j": 500_000, "visual_tyre_compound": 17, "tyre_age_laps": 9, "flag": 3, "fuel_mix": 2,
        "lap_number": 14, "position": 5, "current_lap_time_ms": 61_234, "last_lap_time_ms": 83_456, "pit_status": 1,
        "lap_invalid": 1, "total_laps": 57, "safety_car_status": 2,
    }  # fmt: skip
    made = []
    for name, fields in {"session": {}, **values}.items():
        packet = PACKETS.get((packet_format, PACKET_IDS[name]))
        if packet is None:
            continue
        record = np.zeros((), packet.dtype)
        header = record["header"]
        header["packet_format"], header["packet_id"] = packet_format, packet.id
        header["game_year"], header["player_car_index"] = packet_format % 100, CAR
        header["packet_version"] = 1
        header["session_uid"], header["session_time_s"] = 77, 12.5
        header["frame_identifier"] = header["overall_frame_identifier"] = 750
        if name == "session":
            record["total_laps"], record["safety_car_status"], record["track_length_m"] = 57, 2, 5000
            record["track_id"], record["session_type"] = 3, 15
        else:
            car = record["cars"][CAR]
            for field, value in fields.items():
                if field in car.dtype.names:
                    car[field] = value
            if name == "lap_data":
                car["result_status"] = 2
        made.append(record.tobytes())
    if packet_format == 2026:
        shown |= {"active_aero_mode": 1, "overtake_active": 1}
    return made, shown


@pytest.mark.parametrize("packet_format", [2023, 2024, 2025, 2026])
async def test_panels_show_what_was_sent(gateway, packet_format):
    payloads, shown = packets_and_panels(packet_format)
    async with sending(gateway, payloads):
        received = await messages(plugin_url(gateway), 1.5)
    newest = received[-1]
    assert {name: newest[name] for name in shown} == shown
    for path, kind in QUERIED.items():
        value = evaluate(path, newest)
        packet_id = SOURCE_OF[path.removeprefix("$.")]
        if packet_id and (packet_format, packet_id) not in PACKETS:
            assert value is None
        else:
            assert type(value) in TYPES[kind], path


@needs_recordings
@pytest.mark.parametrize("recording", [TIME_TRIAL, RACE_2026], ids=lambda path: path.stem)
async def test_every_field_has_a_value_of_its_type_in_a_real_recording(gateway, recording):
    payloads = [datagram.payload for datagram, _ in zip(capture.read(recording), range(4000), strict=False)]
    packet_format = int.from_bytes(payloads[0][:2], "little")
    async with sending(gateway, payloads, pause_s=0.0005):
        received = await messages(plugin_url(gateway), 6)
    assert len(received) > 20
    for path, kind in QUERIED.items():
        values = [evaluate(path, message) for message in received]
        packet_id = SOURCE_OF[path.removeprefix("$.")]
        known = [value for value in values if value is not None]
        assert all(type(value) in TYPES[kind] for value in known), path
        if not packet_id or (packet_format, packet_id) in PACKETS:
            assert known, path


async def test_time_is_now_in_milliseconds(gateway):
    payloads, _ = packets_and_panels(2025)
    async with sending(gateway, payloads):
        received = await messages(plugin_url(gateway), 1)
    assert abs(received[-1]["ts"] / 1000 - time.time()) < 5
    assert [m["ts"] for m in received] == sorted(m["ts"] for m in received)


async def test_the_gateway_sends_at_the_rate_the_data_source_asks_for(gateway):
    payloads, _ = packets_and_panels(2025)
    async with sending(gateway, payloads):
        await asyncio.sleep(0.3)
        url = plugin_url(gateway)
        slow, fast = await asyncio.gather(messages(url, 2), messages(url.partition("?")[0], 2))
    assert 15 <= len(slow) <= 2 * panels.RATE_HZ + 2
    assert len(fast) > 2 * len(slow)


async def test_one_rig_can_be_chosen(gateway):
    payloads, _ = packets_and_panels(2025)
    async with sending(gateway, payloads):
        assert await messages(plugin_url(gateway, "live/rig/127.0.0.1"), 1)
        assert not await messages(plugin_url(gateway, "live/rig/another"), 1)


async def test_a_rate_that_is_none_is_refused(gateway):
    for rate in ("0", "-1", "nan", "fast"):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://127.0.0.1:{gateway['PITLANE_HTTP_PORT']}/live/car?hz={rate}", proxy=None):
                pass
        assert refused.value.response.status_code == 400
