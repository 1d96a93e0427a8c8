"""Ports: which ones a stack has, who else has one, and which are free. Standard library only, but for `listener`."""

import os
import secrets
import socket
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

LOOPBACK = "127.0.0.1"

PY4J = 25334
"""Where NiFi looks for each Python process until that has said its port, and waits for ever if somebody is there who is
silent, as the management server of another NiFi would be."""


class Port(NamedTuple):
    number: int
    kind: Literal["tcp", "udp"] = "tcp"
    host: str = LOOPBACK

    def __str__(self) -> str:
        return f"{self.kind.upper()} port {self.number}"

    def bind(self) -> socket.socket:
        """A socket that has the port; OSError when somebody else does."""
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
            self.bind().close()
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Ports:
    """One stack's ports. The defaults are the demo's; the game's own default is 20777."""

    udp: int = 20777
    gateway: int = 20780
    nifi: int = 20781
    nifi_listen: int = 20782
    kafka: int = 20783
    kafka_controller: int = 20784
    postgres: int = 20785
    superset: int = 20786
    nifi_management: int = 20787
    spark: int = 20788

    @classmethod
    def chosen(cls) -> "Ports":
        """The demo's, but for those that the environment sets (PITLANE_UDP_PORT, PITLANE_NIFI_LISTEN_PORT …)."""
        named = {name: os.environ.get(variable(name)) for name in asdict(cls())}
        return cls(**{name: int(number) for name, number in named.items() if number})

    @classmethod
    def free(cls) -> "Ports":
        """Numbers that nobody had a moment ago, all different.

        They lie below the range that the kernel gives to outgoing connections, so none of those gets in the way later.
        """
        names = list(asdict(cls()))
        numbers: list[int] = []
        while len(numbers) < len(names):
            number = 21000 + secrets.randbelow(11000)
            if number not in (PY4J, *numbers) and Port(number).is_free() and Port(number, "udp").is_free():
                numbers.append(number)
        return cls(**dict(zip(names, numbers, strict=True)))

    def all(self) -> list[Port]:
        return [Port(number, "udp" if name == "udp" else "tcp") for name, number in asdict(self).items()]


def variable(name: str) -> str:
    """The setting of a port; the gateway's HTTP port goes by the name that the gateway gave it."""
    return "PITLANE_HTTP_PORT" if name == "gateway" else f"PITLANE_{name.upper()}_PORT"


def listener(port: Port) -> str:
    """`NAME (pid N)` of the program that has a port, "" when that is not to be seen (another user's program)."""
    try:
        import psutil  # absent while the bootstrap asks
    except ImportError:
        return ""
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
