"""Every datagram of a source that may send, forwarded as received to other programs, packet or not.

A connected socket for each target, never waited for: what the kernel or the target refuses is counted there and changes
nothing for the others. A refusal (ICMP) is told by the next call, so `failed` knows of it one datagram late.

RelayError
├── reason relay_target    what settings name is no host:port, or its host has no address
└── reason relay_loop      it is where the gateway itself listens: every datagram would come back for ever
"""

import contextlib
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

from pitlane.errors import PitlaneError

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""Family and the address that sockets of it take: host and port come first."""

HINT = 'PITLANE_RELAY is a list such as ["192.168.1.20:20777", "[::1]:20888"]'


class RelayError(PitlaneError):
    reason = "relay"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, HINT)
        self.reason = reason


class Relay:
    """`targets` as `host:port`, IPv6 in brackets; `own` is the address the gateway listens on. Raises RelayError."""

    def __init__(self, targets: Iterable[str], own: tuple[str, int]) -> None:
        addresses = {target: _resolve(target) for target in targets}
        here = _address(*own)[1] if addresses else own
        for target, (_, address) in addresses.items():
            if _reaches(address, here):
                raise RelayError("relay_loop", f"the relay target {target} is the gateway's own UDP address")
        self._targets = [_Target(target, *address) for target, address in addresses.items()]

    def send(self, datagram: bytes) -> None:
        for target in self._targets:
            target.send(datagram)

    def as_list(self) -> list[dict[str, object]]:
        """For `/status`: of each target what went out and what did not."""
        return [{"target": target.name, "sent": target.sent, "failed": target.failed} for target in self._targets]

    def close(self) -> None:
        for target in self._targets:
            target.close()


class _Target:
    def __init__(self, name: str, family: socket.AddressFamily, address: tuple[Any, ...]) -> None:
        self.name = name
        self.sent = 0
        self.failed = 0
        self._address = address
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._connect()

    def send(self, datagram: bytes) -> None:
        try:
            self._socket.send(datagram)
        except ConnectionRefusedError:  # tells of the datagram before; this one did not go out
            if self.sent:
                self.sent -= 1
                self.failed += 1
            self._send_again(datagram)
        except BlockingIOError:
            self.failed += 1
        except OSError:  # as without a network: no route when it was connected, or none any more
            self._connect()
            self._send_again(datagram)
        else:
            self.sent += 1

    def _send_again(self, datagram: bytes) -> None:
        try:
            self._socket.send(datagram)
        except OSError:
            self.failed += 1
        else:
            self.sent += 1

    def _connect(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.connect(self._address)

    def close(self) -> None:
        self._socket.close()


def _resolve(target: str) -> Address:
    """The first address of `host:port`."""
    host, colon, port = target.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise RelayError("relay_target", f"the relay target {target!r} is no host:port")
    if ":" in host and not bracketed:
        raise RelayError("relay_target", f"the relay target {target!r} is an IPv6 address without brackets")
    return _address(host, int(port))


def _address(host: str, port: int) -> Address:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError) as error:
        raise RelayError("relay_target", f"{host} has no address: {error}") from error
    return family, address


def _reaches(address: tuple[Any, ...], own: tuple[Any, ...]) -> bool:
    """Whether datagrams to `address` arrive at the socket bound to `own`."""
    (host, port), (own_host, own_port) = address[:2], own[:2]
    if port != own_port:
        return False
    there, here = _ip(host), _ip(own_host)
    if there.is_unspecified:  # sent to the loopback address
        return here.is_unspecified or here.is_loopback
    return there == here or (here.is_unspecified and _is_local(host, there.version))


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    ip = ipaddress.ip_address(host)
    return getattr(ip, "ipv4_mapped", None) or ip


def _is_local(host: str, version: int) -> bool:
    """Whether this machine has the address: then a socket can be bound to it. So can one to a broadcast address."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
