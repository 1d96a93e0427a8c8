"""Captures: UDP datagrams with their arrival times in a pcap file that Wireshark opens.

Read: pcap (micro- and nanoseconds) and pcapng; Ethernet, Linux cooked, loopback and raw IP; IPv4 and IPv6.
Written: classic pcap with nanoseconds, UDP over IPv4 over Ethernet, lengths and checksums right.

CaptureError
├── reason not_a_capture   the file is no pcap or pcapng
├── reason no_capture      there is no such file
└── reason link_type       packets of a kind of network that is not read here
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import dpkt

from pitlane.errors import PitlaneError

SNAPLEN = 65_535
"""Bytes kept of a packet: all of them. dpkt's own default would say 1,500 in the file's header."""

NANOSECONDS = 10**9
GAME_PORT = 20777
SENDER_PORT = 53530

DECODERS: dict[int, Callable[[bytes], dpkt.Packet]] = {
    dpkt.pcap.DLT_EN10MB: dpkt.ethernet.Ethernet,
    dpkt.pcap.DLT_LINUX_SLL: dpkt.sll.SLL,
    dpkt.pcap.DLT_LINUX_SLL2: dpkt.sll2.SLL2,
    dpkt.pcap.DLT_NULL: dpkt.loopback.Loopback,
    dpkt.pcap.DLT_LOOP: dpkt.loopback.Loopback,
    dpkt.pcap.DLT_RAW: lambda raw: dpkt.ip.IP(raw) if raw[0] >> 4 == 4 else dpkt.ip6.IP6(raw),
    101: lambda raw: dpkt.ip.IP(raw) if raw[0] >> 4 == 4 else dpkt.ip6.IP6(raw),  # LINKTYPE_RAW in files
}


class CaptureError(PitlaneError):
    """A file that cannot be read as a capture."""

    reason = "capture"

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


class Datagram(NamedTuple):
    """One UDP datagram: nanoseconds since the epoch, the sender's IP address, what it carried."""

    arrival_ns: int
    source: str
    payload: bytes


def read(path: Path, port: int | None = None) -> Iterator[Datagram]:
    """The UDP datagrams of a capture, in file order and one at a time; with `port`, only those sent to it.

    Other traffic, IP fragments and datagrams that were cut when captured are left out. A file whose last record is
    cut (its writer was killed) ends there. Raises CaptureError.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise CaptureError("no_capture", f"cannot open {path}: {error.strerror}") from error
    with file:
        try:
            reader = dpkt.pcap.UniversalReader(file)
        except (ValueError, dpkt.UnpackError) as error:
            hint = "record one with Wireshark or tcpdump, or take `pitlane samples`"
            raise CaptureError("not_a_capture", f"{path} is no pcap or pcapng file", hint) from error
        decode = DECODERS.get(reader.datalink())
        if decode is None:
            raise CaptureError("link_type", f"{path} holds link type {reader.datalink()}, which is not read here")
        try:
            for timestamp, raw in reader:
                udp = _udp(decode, raw)
                if udp is not None and port in (None, udp[1].dport):
                    yield Datagram(_nanoseconds(timestamp), udp[0], bytes(udp[1].data))
        except dpkt.NeedData:
            return


def write(path: Path, datagrams: Iterable[Datagram], port: int = GAME_PORT) -> int:
    """Write a capture of `datagrams` sent to `port` of 127.0.0.1; returns how many. Sources must be IPv4."""
    count = 0
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, snaplen=SNAPLEN, nano=True)
        for datagram in datagrams:
            count += 1
            # dpkt splits the time again into seconds and fraction: only Decimal keeps the nanoseconds.
            writer.writepkt(_frame(datagram, port), Decimal(datagram.arrival_ns) / NANOSECONDS)
    return count


def _udp(decode: Callable[[bytes], dpkt.Packet], raw: bytes) -> tuple[str, dpkt.udp.UDP] | None:
    """(source address, UDP) of a captured packet; None if it is something else or incomplete."""
    try:
        packet = decode(raw)
    except (dpkt.UnpackError, IndexError):
        return None
    ip = packet if isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) else packet.data
    udp = getattr(ip, "data", None)
    if not isinstance(udp, dpkt.udp.UDP) or len(udp.data) != udp.ulen - udp.__hdr_len__:
        return None
    return str(ipaddress.ip_address(ip.src)), udp


def _nanoseconds(timestamp: float | Decimal) -> int:
    """dpkt gives Decimal for nanosecond files, else a float of microseconds, exact only when rounded to them."""
    if isinstance(timestamp, Decimal):
        return int(timestamp * NANOSECONDS)
    return round(timestamp * 10**6) * 1000


def _frame(datagram: Datagram, port: int) -> bytes:
    udp = dpkt.udp.UDP(sport=SENDER_PORT, dport=port, data=datagram.payload)
    udp.ulen = len(udp)
    ip = dpkt.ip.IP(
        src=ipaddress.IPv4Address(datagram.source).packed,
        dst=ipaddress.IPv4Address("127.0.0.1").packed,
        p=dpkt.ip.IP_PROTO_UDP,
        ttl=64,
        data=udp,
    )
    ip.len = len(ip)
    # dpkt fills in both checksums (UDP's over the pseudo header too) as it serialises.
    return bytes(dpkt.ethernet.Ethernet(src=bytes(6), dst=bytes(6), type=dpkt.ethernet.ETH_TYPE_IP, data=ip))
