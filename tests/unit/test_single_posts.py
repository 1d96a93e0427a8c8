"""The peer of the NiFi benchmark, against an endpoint that takes FlowFiles as NiFi does."""

import asyncio
import json
import os
import socket
import struct
import sys
import time
from collections import Counter

from pitlane.settings import REPOSITORY
from tests.datagrams import datagram, session
from tests.gateway import BlockEndpoint, free_port


async def posting(url: str, *options: str) -> asyncio.subprocess.Process:
    """The peer, when it takes datagrams."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.single_posts", *options,
        cwd=REPOSITORY, env=os.environ | {"PITLANE_NIFI_BLOCKS_URL": url}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert await process.stdout.readline() == b"ready\n"
    return process


async def told_to_end(process: asyncio.subprocess.Process) -> dict[str, int]:
    process.terminate()
    said = json.loads(await process.stdout.readline())
    assert await process.wait() == 0
    return said


async def test_each_datagram_of_the_port_is_a_flowfile_of_its_own() -> None:
    http, udp = free_port(), free_port()
    sent = [datagram(kind, frame=frame) for frame in range(20) for kind in (2, 6)]
    begun_ns = time.time_ns()
    async with BlockEndpoint().serving(http) as endpoint:
        process = await posting(f"http://127.0.0.1:{http}/blocks", "--connections", "3", "--port", str(udp))
        with socket.socket(type=socket.SOCK_DGRAM) as out:
            for raw in [session(), *sent]:
                out.sendto(raw, ("127.0.0.1", udp))
        async with asyncio.timeout(30):
            while len(endpoint.blocks) < len(sent):
                await asyncio.sleep(0.05)
        said = await told_to_end(process)
    assert said == {"posted": len(sent), "refused": 0}
    assert Counter(endpoint.datagrams()) == Counter(sent), "without the session packet, which the gateway does not post"
    assert len({attributes["block.id"] for attributes, _ in endpoint.blocks}) == len(sent)
    for attributes, content in endpoint.blocks:
        assert attributes["packet.id"] == str(content[24 + 6])
        assert begun_ns < struct.unpack_from("<Q", content)[0] < time.time_ns()


async def test_without_a_port_it_posts_as_fast_as_it_can() -> None:
    http = free_port()
    async with BlockEndpoint().serving(http) as endpoint:
        process = await posting(f"http://127.0.0.1:{http}/blocks", "--connections", "2")
        async with asyncio.timeout(60):
            while len(endpoint.blocks) < 100:
                await asyncio.sleep(0.05)
        said = await told_to_end(process)
    assert said["posted"] == len(endpoint.blocks)
    assert len({attributes["packet.name"] for attributes, _ in endpoint.blocks}) > 4


async def test_an_answer_that_is_no_refusal_ends_it() -> None:
    http = free_port()
    async with BlockEndpoint().serving(http):
        process = await posting(f"http://127.0.0.1:{http}/elsewhere", "--connections", "2")
        assert await process.stdout.read() == b""
        assert await process.wait() == 1
