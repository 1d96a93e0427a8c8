"""Many WebSocket viewers in one process that do as little as possible: when did which message arrive at whom.

    python -m benchmarks.live_viewers HOST PORT PATH VIEWERS SECONDS FILE

It prints "watching" when all are connected, watches for SECONDS and writes rows of (viewer, number, arrival) to FILE, a
NumPy array of int64. The number is the message's `engine_rpm`, arrival the system's monotonic clock in ns. Messages are
taken apart only after the watching.
"""

import re
import select
import socket
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

import numpy as np

NUMBER = re.compile(rb'"engine_rpm": ?(\d+)')


def main() -> None:
    host, port, path, viewers, seconds, file = sys.argv[1:]
    sockets = [_open(host, int(port), path) for _ in range(int(viewers))]
    print("watching", flush=True)
    chunks = _watch(sockets, float(seconds))
    rows = [(viewer, *row) for viewer, taken in enumerate(chunks) for row in _messages(taken)]
    np.save(file, np.array(rows, np.int64).reshape(-1, 3))


def _open(host: str, port: int, path: str) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(1)
    assert b" 101 " in answer, answer
    connection.setblocking(False)
    return connection


def _watch(sockets: list[socket.socket], seconds: float) -> list[list[tuple[int, bytes]]]:
    """For each socket what it received and when."""
    waiting = select.epoll()
    numbers = {connection.fileno(): number for number, connection in enumerate(sockets)}
    for descriptor in numbers:
        waiting.register(descriptor, select.EPOLLIN)
    chunks: list[list[tuple[int, bytes]]] = [[] for _ in sockets]
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for descriptor, _ in waiting.poll(left):
            number = numbers[descriptor]
            data = sockets[number].recv(65_536)
            assert data, "the server closed a viewer"
            chunks[number].append((time.monotonic_ns(), data))
    return chunks


def _messages(chunks: list[tuple[int, bytes]]) -> Iterator[tuple[int, int]]:
    """(number, arrival of its last byte) of every text frame with a number."""
    ends = list(accumulate(len(data) for _, data in chunks))
    stream = b"".join(data for _, data in chunks)
    at = 0
    while at + 4 <= len(stream):
        text, size = stream[at] == 0x81, stream[at + 1]
        at += 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            size = int.from_bytes(stream[at : at + wide], "big")
            at += wide
        end = at + size
        if end > len(stream):
            return
        found = NUMBER.search(stream, at, end) if text else None
        if found:
            yield int(found[1]), chunks[bisect_left(ends, end)][0]
        at = end


if __name__ == "__main__":
    main()
