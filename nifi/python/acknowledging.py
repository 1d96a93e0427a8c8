"""Why a block does not wait 40 ms on its way to Python.

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
    """Makes each connection of a py4j GatewayClient do so, from when it is next used.

    After a start of NiFi as many threads load the processor's module as there are such processors: it may be called again,
    and while others use the client.
    """
    if QUICKACK is None or "_get_connection" in vars(client):
        return
    take = client._get_connection

    def take_acknowledging() -> Any:
        connection = take()
        if not isinstance(connection.socket, _AcknowledgingSocket):
            connection.socket = _AcknowledgingSocket(connection.socket)
        return connection

    client._get_connection = take_acknowledging
