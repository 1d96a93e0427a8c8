"""Why a block reaches Python in half a millisecond and not in 44.

NiFi and its Python processes talk over TCP (py4j). Java sends an answer in pieces of 8 KB, and its kernel keeps the last
one back until those before it are acknowledged (Nagle's algorithm; py4j does not turn it off), while ours waits up to
40 ms with that in case there is something to send along. The content of a block is such an answer: here each one is
acknowledged as it comes. Linux only; elsewhere nothing is changed.
"""

import socket
from typing import Any

QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class _AcknowledgingSocket:
    """A connected socket that, after each request, acknowledges the answer at once."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner

    def sendall(self, request: bytes) -> None:
        self._inner.sendall(request)
        # The kernel forgets it again with the next request.
        self._inner.setsockopt(socket.IPPROTO_TCP, QUICKACK or 0, 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def acknowledge_at_once(client: Any) -> None:
    """Makes the connections of a py4j GatewayClient do so: those it holds and those it will open."""
    if QUICKACK is None:
        return
    create = client._create_connection

    def create_acknowledging() -> Any:
        connection = create()
        connection.socket = _AcknowledgingSocket(connection.socket)
        return connection

    client._create_connection = create_acknowledging
    for connection in client.deque:
        connection.socket = _AcknowledgingSocket(connection.socket)
