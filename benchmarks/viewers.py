"""Viewers of a live stream in a process of their own: `python -m benchmarks.viewers URL COUNT`.

Prints `connected` when all are, and at SIGTERM a line of JSON: for each viewer its messages as [CLOCK_MONOTONIC, frame].
"""

import asyncio
import json
import signal
import sys
import time

import orjson
import uvloop
from websockets.asyncio.client import ClientConnection, connect


async def watch(socket: ClientConnection, messages: list[tuple[float, int]]) -> None:
    async for message in socket:
        at = time.monotonic()
        messages.append((at, orjson.loads(message)["frame"]))


async def main(url: str, count: int) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    sockets = [await connect(url, compression=None, proxy=None, ping_interval=None) for _ in range(count)]
    seen: list[list[tuple[float, int]]] = [[] for _ in sockets]
    watching = [asyncio.create_task(watch(socket, kept)) for socket, kept in zip(sockets, seen, strict=True)]
    print("connected", flush=True)
    await ended.wait()
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
