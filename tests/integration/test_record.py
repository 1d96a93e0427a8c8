"""`pitlane record` as a process, beside a running gateway and without one: what it writes is what was sent."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import dpkt
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from pitlane import capture, replay
from tests.datagrams import datagram
from tests.gateway import REPOSITORY, free_port, gateway_process, send
from tests.shared import TIME_TRIAL, needs_recordings
from udp_gateway import raw

RIGS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class Recorder:
    """A recorder that runs; `wait` for what it says at its end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def end(self, how: signal.Signals = signal.SIGINT) -> str:
        self.process.send_signal(how)
        return await self.wait()

    async def wait(self) -> str:
        said, _ = await asyncio.wait_for(self.process.communicate(), 30)
        assert self.process.returncode == 0, said.decode()
        return said.decode()


@contextlib.asynccontextmanager
async def recorder(path: Path, settings: dict[str, str], *options: str) -> AsyncIterator[Recorder]:
    """Once it says that it records."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PITLANE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pitlane.cli", "record", str(path), *options,
        cwd=REPOSITORY, env={**inherited, **settings}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = b""
        while b"Recording from" not in said:
            line = await asyncio.wait_for(process.stdout.readline(), 30)
            said += line
            assert line, said.decode()
        yield Recorder(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def alone(tmp_path: Path) -> dict[str, str]:
    """Settings where no gateway runs."""
    return {
        "PITLANE_ENV_FILE": str(tmp_path / "no-env-file"),
        "PITLANE_UDP_PORT": str(free_port(socket.SOCK_DGRAM)),
        "PITLANE_HTTP_PORT": str(free_port()),
    }


async def play(path: Path, port: int, speed: float = 1.0, **part: float) -> tuple[int, int]:
    """Replays a recording with its rigs apart; (ns since the epoch) before and after."""

    def run() -> tuple[int, int]:
        begun = time.time_ns()
        addresses = replay.addresses_of(replay.survey(path).sources, "127.0.0.1")
        replay.send_apart(replay.sourced(path, **part), addresses, port=port, speed=speed)  # type: ignore[arg-type]
        return begun, time.time_ns()

    return await asyncio.to_thread(run)


def drive_of_three(path: Path) -> list[capture.Datagram]:
    """Six seconds of a real drive, as if it came from three rigs a little apart."""
    real = [found for offset_s, found in replay.sourced(TIME_TRIAL, begin_s=20, end_s=26)]
    datagrams = [
        capture.Datagram(found.arrival_ns + number * 3_000_000, rig, found.payload)
        for number, rig in enumerate(RIGS)
        for found in real
    ]
    datagrams.sort(key=lambda found: found.arrival_ns)
    capture.write(path, datagrams)
    return datagrams


def by_rig(datagrams: Sequence[capture.Datagram]) -> dict[str, list[bytes]]:
    return {rig: [found.payload for found in datagrams if found.source == rig] for rig in RIGS}


@needs_recordings
@pytest.mark.skipif(sys.platform != "linux", reason="rigs on loopback addresses of their own")
async def test_a_drive_recorded_and_replayed_is_the_same_again(tmp_path):
    before = tmp_path / "0.pcap"
    expected = drive_of_three(before)
    async with gateway_process(tmp_path) as gateway:
        port = gateway.udp[1]
        for generation in (1, 2):
            after = tmp_path / f"{generation}.pcap"
            async with recorder(after, gateway.settings) as recording:
                begun, ended = await play(before, port)
                said = await recording.end()
            found = list(capture.read(after, port=port))
            assert [(d.source, d.payload) for d in found] == [(d.source, d.payload) for d in expected]
            assert f"{len(expected):,} datagrams of 3 rigs" in said
            assert "none lost on the way" in said
            # Bounds that hold on any machine: nothing is early, nothing arrives before or after the replay.
            first_ns = found[0].arrival_ns
            assert begun <= first_ns <= found[-1].arrival_ns <= ended + 10**9
            lateness = [
                (f.arrival_ns - begun) - (e.arrival_ns - expected[0].arrival_ns)
                for f, e in zip(found, expected, strict=True)
            ]
            assert min(lateness) >= -1_000_000, "a millisecond for a clock that is set meanwhile"
            before = after
    independent(after, len(expected), port)


def independent(path: Path, count: int, port: int) -> None:
    """dpkt's own reader, and every checksum by dpkt's own sums."""
    with path.open("rb") as file:
        reader = dpkt.pcap.Reader(file)
        assert reader.datalink() == dpkt.pcap.DLT_EN10MB
        frames = [dpkt.ethernet.Ethernet(content) for _, content in reader]
    assert len(frames) == count
    for frame in frames:
        udp = frame.data.data
        assert udp.dport == port
        stored = frame.data.sum, udp.sum
        frame.data.sum = udp.sum = 0
        bytes(frame)  # fills them in
        again = dpkt.ip.IP(bytes(frame.data))
        assert (again.sum, again.data.sum) == stored


async def test_one_rig_by_name(tmp_path):
    if sys.platform != "linux":
        pytest.skip("rigs on loopback addresses of their own")
    source = tmp_path / "two.pcap"
    capture.write(source, [capture.Datagram(n * 10**6, RIGS[n % 2], bytes([n])) for n in range(100)])
    path = tmp_path / "x.pcap"
    async with (
        gateway_process(tmp_path, rigs='{"127.0.0.2": "sim 2/ü"}') as gateway,
        recorder(path, gateway.settings, "--rig", "sim 2/ü") as recording,
    ):
        await play(source, gateway.udp[1])
        said = await recording.end(signal.SIGTERM)
    assert [d.payload[0] for d in capture.read(path)] == list(range(1, 100, 2))
    assert "50 datagrams of 1 rig" in said


async def test_it_ends_by_itself_and_overwrites_nothing(tmp_path):
    path = tmp_path / "x.pcap"
    async with gateway_process(tmp_path) as gateway:
        async with recorder(path, gateway.settings, "--for", "0.5") as recording:
            assert "Nothing arrived" in await recording.wait()
        assert list(capture.read(path)) == []
        with pytest.raises(AssertionError, match="is there already"):
            async with recorder(path, gateway.settings):
                pass
        async with recorder(path, gateway.settings, "--force") as recording:
            await send(gateway, [b"a"])
            await recording.end()
        assert [d.payload for d in capture.read(path)] == [b"a"]


async def test_without_a_gateway_it_takes_the_port(tmp_path):
    path, settings = tmp_path / "x.pcap", alone(tmp_path)
    port = int(settings["PITLANE_UDP_PORT"])
    datagrams = [datagram(6, overall_frame=frame) for frame in range(1, 201)]
    async with recorder(path, settings) as recording:
        await asyncio.to_thread(replay.send, [(n / 1000, d) for n, d in enumerate(datagrams)], port=port)
        said = await recording.end()
    assert [d.payload for d in capture.read(path, port=port)] == datagrams
    assert "200 datagrams of 1 rig" in said
    assert "none lost" in said


async def test_a_port_that_another_program_has_says_so_and_leaves_no_file(tmp_path):
    settings = alone(tmp_path)
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", int(settings["PITLANE_UDP_PORT"])))
        with pytest.raises(AssertionError, match="port taken"):
            async with recorder(tmp_path / "x.pcap", settings):
                pass
    assert not (tmp_path / "x.pcap").exists()


async def test_what_is_no_gateway_says_so(tmp_path):
    settings = alone(tmp_path)
    server = await asyncio.start_server(
        lambda _, writer: writer.write(b"220 smtp\r\n"), "127.0.0.1", int(settings["PITLANE_HTTP_PORT"])
    )
    async with server:
        with pytest.raises(AssertionError, match="no gateway"):
            async with recorder(tmp_path / "x.pcap", settings):
                pass


async def test_killed_it_leaves_what_is_older_than_a_second(tmp_path):
    path = tmp_path / "x.pcap"
    datagrams = [datagram(6, overall_frame=frame) for frame in range(1, 301)]
    async with gateway_process(tmp_path) as gateway, recorder(path, gateway.settings) as recording:
        await send(gateway, datagrams)
        async with asyncio.timeout(20):  # without more traffic, only time writes it
            while len(list(capture.read(path))) < 300:
                await asyncio.sleep(0.1)
        await send(gateway, datagrams)
        recording.process.kill()
        await recording.process.wait()
    found = [d.payload for d in capture.read(path)]
    assert found[:300] == datagrams
    assert found == (datagrams * 2)[: len(found)]


async def test_a_gateway_that_comes_back_is_recorded_on(tmp_path):
    path = tmp_path / "x.pcap"
    first, second = [bytes([n]) for n in range(50)], [bytes([n]) for n in range(50, 100)]
    async with gateway_process(tmp_path) as gateway:
        settings = gateway.settings
        async with recorder(path, settings) as recording:
            await send(gateway, first)
            gateway.process.terminate()
            await gateway.process.wait()
            ports = {"udp_port": settings["PITLANE_UDP_PORT"], "http_port": settings["PITLANE_HTTP_PORT"]}
            async with gateway_process(tmp_path, **ports) as again:
                async with asyncio.timeout(20), connect(f"ws://{again.http}/raw", proxy=None) as tap:
                    await tap.recv()
                    seen = 0
                    while not list(capture.read(path))[50:]:  # until it is connected, what is sent is not recorded
                        await send(again, [b"again"])
                        seen += 1
                        await asyncio.sleep(0.2)
                await send(again, second)
                said = await recording.end()
    found = [d.payload for d in capture.read(path)]
    assert found[:50] == first
    assert found[-50:] == second
    assert set(found[50:-50]) == {b"again"}
    assert len(found[50:-50]) <= seen
    assert "The gateway was away (1×)" in said


# --- the path itself --------------------------------------------------------------------------------------------------


async def test_who_may_tap(tmp_path):
    async with gateway_process(tmp_path) as gateway, contextlib.AsyncExitStack() as taps:
        url = f"ws://{gateway.http}/raw"

        async def refused(**options: object) -> int:
            with pytest.raises(InvalidStatus) as caught:
                async with connect(url, proxy=None, **options):
                    pass
            return caught.value.response.status_code

        assert await refused(origin="http://evil.example") == 403
        opened = [await taps.enter_async_context(connect(url, proxy=None)) for _ in range(raw.TAPS)]
        for tap in opened:
            assert raw.decode(await tap.recv()) == (0, [])
        assert await refused() == 503
        with pytest.raises(AssertionError, match="too many taps"):
            async with recorder(tmp_path / "x.pcap", gateway.settings):
                pass
        await opened[0].close()
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(InvalidStatus):
                    async with connect(url, proxy=None) as tap:
                        await tap.recv()
                        break
                await asyncio.sleep(0.05)


async def test_a_stalled_tap_costs_bounded_memory_loses_a_known_number_and_slows_nobody(tmp_path):
    """Half as much again as may wait for it is sent while it reads nothing; then it reads on."""
    size, batches, batch = 8_000, 600, 20
    async with gateway_process(tmp_path) as gateway:
        url = f"ws://{gateway.http}"
        memory = psutil.Process(gateway.process.pid).memory_info
        async with (
            connect(f"{url}/raw", proxy=None, compression=None, max_queue=1) as stalled,
            connect(f"{url}/raw", proxy=None, compression=None) as reading,
            connect(f"{url}/live/car", proxy=None) as viewer,
        ):
            assert raw.decode(await stalled.recv()) == (0, [])
            other = asyncio.create_task(numbers(reading, batches * (batch + 1)))
            before = memory().rss
            for first in range(0, batches * batch, batch):
                large = [number.to_bytes(4, "little") + bytes(size) for number in range(first, first + batch)]
                await send(gateway, [*large, datagram(6, overall_frame=first + 1)])
                async with asyncio.timeout(20):  # no faster than any receive buffer takes it
                    while f'"frame":{first + 1},' not in str(await viewer.recv()):
                        pass
            assert await other == (list(range(batches * batch)), 0)
            assert memory().rss - before < 1.3 * raw.BUFFER_BYTES, "and 96 MB were sent"
            assert (await gateway.status())["received"] == batches * (batch + 1)

            got, lost = await numbers(stalled, batches * (batch + 1))
            assert lost > 0
            assert got == list(range(len(got))), "what waited was the beginning"
            assert len(got) * size < raw.BUFFER_BYTES + 32 * raw.MESSAGE_BYTES
            await send(gateway, [b"and on"])
            assert raw.decode(await stalled.recv())[1][0].datagram == b"and on"


async def numbers(tap: ClientConnection, count: int) -> tuple[list[int], int]:
    """The numbers in the large datagrams, and how many were lost, once `count` datagrams are accounted for."""
    got, lost, expected = [], 0, 0
    async with asyncio.timeout(120):
        while expected < count:
            number, entries = raw.decode(await tap.recv(decode=False))
            lost += number - expected
            expected = number + len(entries)
            got += [int.from_bytes(e.datagram[:4], "little") for e in entries if len(e.datagram) > 2_000]
    return got, lost
