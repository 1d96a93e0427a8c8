"""py4j's connections to Java, played by sockets: what NiFi gains by it is measured in benchmarks/decode_processor.py."""

import socket
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from nifi.python import acknowledging
from nifi.python.acknowledging import acknowledge_at_once

needs_linux = pytest.mark.skipif(acknowledging.QUICKACK is None, reason="TCP_QUICKACK is Linux's own")


class Client:
    """As py4j's GatewayClient: a pool, and connections made when it is empty."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.deque: deque[Any] = deque()

    def _get_connection(self) -> Any:
        return self.deque.pop() if self.deque else SimpleNamespace(socket=socket.create_connection(self.address))

    def _give_back_connection(self, connection: Any) -> None:
        self.deque.append(connection)


@pytest.fixture
def java() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@needs_linux
def test_new_connections_and_those_of_before_acknowledge_each_answer(java: socket.socket) -> None:
    client = Client(java.getsockname())
    in_use, idle = client._get_connection(), client._get_connection()
    client._give_back_connection(idle)
    acknowledge_at_once(client)
    acknowledge_at_once(client)
    assert client._get_connection() is idle
    client._give_back_connection(in_use)
    assert client._get_connection() is in_use
    for connection in (in_use, idle, client._get_connection()):
        other, _ = java.accept()
        with other, closing(connection.socket):
            assert type(connection.socket._inner) is socket.socket
            for _ in range(20):  # by then the kernel takes it for a dialogue, in which acknowledgements may wait
                connection.socket.sendall(b"content?\n")
                assert other.recv(100) == b"content?\n"
                assert connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1
                other.sendall(b"a block\n")
                assert connection.socket.recv(100) == b"a block\n"


def test_elsewhere_nothing_is_changed(java: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledging, "QUICKACK", None)
    client = Client(java.getsockname())
    acknowledge_at_once(client)
    with client._get_connection().socket as new:
        assert type(new) is socket.socket
