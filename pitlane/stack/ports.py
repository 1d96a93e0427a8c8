"""Ports: who has one, and which are free."""

import secrets
import socket
from contextlib import ExitStack
from typing import Literal, NamedTuple

import psutil

LOOPBACK = "127.0.0.1"


class Port(NamedTuple):
    number: int
    kind: Literal["tcp", "udp"] = "tcp"
    host: str = LOOPBACK

    def __str__(self) -> str:
        return f"{self.kind.upper()} port {self.number}"

    def _bound(self) -> socket.socket:
        kind = socket.SOCK_STREAM if self.kind == "tcp" else socket.SOCK_DGRAM
        bound = socket.socket(socket.AF_INET, kind)
        if self.kind == "tcp":  # as servers do, or a port in TIME_WAIT would look taken
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self.host, self.number))
        except OSError:
            bound.close()
            raise
        return bound

    def is_free(self) -> bool:
        try:
            self._bound().close()
        except OSError:
            return False
        return True


def listener(port: Port) -> str:
    """`NAME (pid N)` of the program that has a port, "" when it is not to be seen (another user's, on some systems)."""
    try:
        connections = psutil.net_connections(port.kind)
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        taken = connection.laddr and connection.laddr.port == port.number
        if taken and connection.pid and connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                continue
    return ""


def free_ports(tcp: int, udp: int = 0) -> tuple[list[int], list[int]]:
    """Port numbers that nobody had a moment ago, TCP and UDP, all different.

    Taken from below the range that the kernel gives to outgoing connections, so none of those is in the way later.
    """
    with ExitStack() as held:
        return (
            [_hold_free("tcp", held) for _ in range(tcp)],
            [_hold_free("udp", held) for _ in range(udp)],
        )


def _hold_free(kind: Literal["tcp", "udp"], held: ExitStack) -> int:
    for _ in range(1000):
        port = Port(21000 + secrets.randbelow(11000), kind)
        try:
            held.enter_context(port._bound())
        except OSError:
            continue
        return port.number
    raise OSError(f"no free {kind} port from 21000 to 32000")
