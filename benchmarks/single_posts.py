"""What others do with each packet: a POST of its own to NiFi. The peer of `nifi_throughput`.

    python -m benchmarks.single_posts --connections 8                  a rig's datagrams as fast as NiFi takes them
    python -m benchmarks.single_posts --connections 8 --port 20999     each datagram of a UDP port

Each connection stays open and belongs to a thread, which takes a datagram, posts it as a FlowFile with the attributes
that the gateway gives a block, waits for the answer, and takes the next; 503 is tried again. Where to post to is the
gateway's own setting. It prints `ready`, and at SIGTERM a line of JSON: {"posted", "refused" (answers of 503)}.
"""

import argparse
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from http.client import HTTPConnection, HTTPSConnection
from itertools import chain, count, cycle
from urllib.parse import urlsplit

from benchmarks import load
from f1_packets import PACKET_IDS, Rejected, identify
from f1_packets.block import entry
from pitlane.settings import GatewaySettings
from udp_gateway import flowfile
from udp_gateway.blocks import Block, BlockKey

LOOK_UP_S = 0.2
REFUSED_PAUSE_S = 0.02
RATE_HZ, PACKET_FORMAT = 60, 2026
RIG = "single"
SESSION = PACKET_IDS["session"]

Take = Callable[[], bytes | None]
"""The next datagram; None when there was none for a while."""


class Posts:
    """What the threads share."""

    def __init__(self, settings: GatewaySettings, take: Take) -> None:
        self._settings = settings
        self._take = take
        self._numbers = count()
        self._name = f"{RIG}{time.time_ns():x}"
        self.ended = threading.Event()

    def run(self) -> tuple[int, int]:
        """One thread's work until `ended`: how many it posted, how often NiFi refused."""
        connection, path = connect(self._settings)
        posted = refused = 0
        while not self.ended.is_set():
            datagram = self._take()
            if datagram is None:
                continue
            body = self._pack(datagram, time.time_ns())
            while (status := _post(connection, path, body)) == 503:
                refused += 1
                if self.ended.wait(REFUSED_PAUSE_S):
                    return posted, refused
            if status != 200:
                raise RuntimeError(f"NiFi answered {status}")
            posted += 1
        return posted, refused

    def _pack(self, datagram: bytes, arrival_ns: int) -> bytes:
        packet = identify(datagram)
        assert not isinstance(packet, Rejected)
        number = next(self._numbers)
        key = BlockKey(packet.format, packet.id, packet.name, number % self._settings.shards, len(datagram))
        block = Block(key, 1, arrival_ns, entry(arrival_ns, RIG, datagram))
        return flowfile.pack([(block.attributes(f"{self._name}-{number:08x}"), block.content)])


def connect(settings: GatewaySettings) -> tuple[HTTPConnection, str]:
    """A connection to NiFi that stays open, with the gateway's certificate, and the path for blocks."""
    url = urlsplit(settings.nifi_blocks_url)
    assert url.hostname is not None
    if url.scheme == "https":
        return HTTPSConnection(url.hostname, url.port, timeout=30, context=settings.blocks_context()), url.path
    return HTTPConnection(url.hostname, url.port, timeout=30), url.path


def _post(connection: HTTPConnection, path: str, body: bytes) -> int:
    connection.request("POST", path, body, {"Content-Type": flowfile.CONTENT_TYPE})
    with connection.getresponse() as answer:
        answer.read()
        return answer.status


def made() -> Take:
    """What a rig sends, again and again, but for session packets, which the gateway does not post either."""
    frames = load.cycle(PACKET_FORMAT, RATE_HZ)
    endless: Iterator[bytes] = cycle([bytes(d) for d in chain.from_iterable(frames) if d[load.PACKET_ID_AT] != SESSION])
    return lambda: next(endless)


def received(port: int) -> Take:
    """What comes on a UDP port of 127.0.0.1."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 2**20)
    listening.bind(("127.0.0.1", port))
    listening.settimeout(LOOK_UP_S)

    def take() -> bytes | None:
        try:
            datagram = listening.recv(65_535)
        except TimeoutError:
            return None
        return None if datagram[load.PACKET_ID_AT] == SESSION else datagram

    return take


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.single_posts", description="One packet a POST.")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--port", type=int, help="UDP port to take datagrams from; without it they are made")
    chosen = parser.parse_args()
    posts = Posts(GatewaySettings(), received(chosen.port) if chosen.port else made())
    signal.signal(signal.SIGTERM, lambda *_: posts.ended.set())
    with ThreadPoolExecutor(chosen.connections) as threads:
        running = [threads.submit(posts.run) for _ in range(chosen.connections)]
        print("ready", flush=True)
        wait(running, return_when=FIRST_EXCEPTION)
        posts.ended.set()  # one that failed ends the others
    results = [each.result() for each in running]
    print(json.dumps({"posted": sum(n for n, _ in results), "refused": sum(n for _, n in results)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
