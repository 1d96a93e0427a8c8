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
        self.deque: deque[Any] = deque([self._create_connection()])

    def _create_connection(self) -> Any:
        return SimpleNamespace(socket=socket.create_connection(self.address))


@pytest.fixture
def java() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@needs_linux
def test_connections_of_the_pool_and_new_ones_acknowledge_each_answer(java: socket.socket) -> None:
    client = Client(java.getsockname())
    acknowledge_at_once(client)
    for connection in (client.deque[0], client._create_connection()):
        other, _ = java.accept()
        with other, closing(connection.socket):
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
    with client.deque[0].socket as held, client._create_connection().socket as new:
        assert type(held) is type(new) is socket.socket
