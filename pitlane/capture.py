"""Captures: UDP datagrams with their arrival times in a pcap file that Wireshark opens.

Read: pcap (micro- and nanoseconds) and pcapng; Ethernet, Linux cooked, loopback and raw IP; IPv4 and IPv6.
Written: classic pcap with nanoseconds, UDP over IPv4 or IPv6 over Ethernet, lengths and checksums right.

CaptureError
├── reason not_a_capture   the file is no pcap or pcapng
├── reason no_capture      there is no such file
├── reason link_type       packets of a kind of network that is not read here
├── reason exists          a file would be overwritten
└── reason not_written     the file system takes no (more) data
"""

import ipaddress
import struct
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import dpkt

from pitlane.errors import PitlaneError

SNAPLEN = 262_144
"""Bytes kept of a packet: all of them, also where a datagram of 64 KiB has its headers before it (as tcpdump says)."""

NANOSECONDS = 10**9
GAME_PORT = 20777
SENDER_PORT = 53530

UDP = 17
HOPS = 64
FILE_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, SNAPLEN, dpkt.pcap.DLT_EN10MB)
"""Little-endian pcap 2.4 with nanoseconds, times in UTC, Ethernet."""
RECORD_HEADER = struct.Struct("<IIII")
"""Seconds, nanoseconds, bytes kept, bytes there were."""
UDP_HEADER = struct.Struct(">HHHH")
IP_HEADER = struct.Struct(">BBHHHBBH4s4s")
IP6_HEADER = struct.Struct(">IHBB16s16s")
ETHERNET_TYPES = {4: dpkt.ethernet.ETH_TYPE_IP, 6: dpkt.ethernet.ETH_TYPE_IP6}
LOOPBACK = {version: ipaddress.ip_address(text).packed for version, text in ((4, "127.0.0.1"), (6, "::1"))}

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
    """A file that cannot be read as a capture, or written as one."""

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


class Writer:
    """A new capture of datagrams sent to `port` of this machine (the loopback address: a socket does not tell which).

    What `flush` has returned from is in the file even when this process is killed. A datagram of at most 65,507 bytes,
    which is what UDP carries over IPv4. Raises CaptureError.
    """

    def __init__(self, path: Path, port: int = GAME_PORT, overwrite: bool = False) -> None:
        self.path, self.datagrams, self.bytes = path, 0, len(FILE_HEADER)
        self._port = port
        try:
            self._file = path.open("wb" if overwrite else "xb")
            self._file.write(FILE_HEADER)
        except FileExistsError as error:
            raise CaptureError("exists", f"{path} is there already", "--force overwrites it") from error
        except OSError as error:
            raise self._not_written(error) from error

    def write(self, datagram: Datagram) -> None:
        frame = _frame(datagram, self._port)
        seconds, nanoseconds = divmod(datagram.arrival_ns, NANOSECONDS)
        try:
            self._file.write(RECORD_HEADER.pack(seconds, nanoseconds, len(frame), len(frame)) + frame)
        except OSError as error:
            raise self._not_written(error) from error
        self.datagrams += 1
        self.bytes += RECORD_HEADER.size + len(frame)

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise self._not_written(error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise self._not_written(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _not_written(self, error: OSError) -> CaptureError:
        return CaptureError("not_written", f"cannot write {self.path}: {error.strerror}")


def write(path: Path, datagrams: Iterable[Datagram], port: int = GAME_PORT) -> int:
    """Write a capture of `datagrams` over whatever `path` was; returns how many. Raises CaptureError."""
    with Writer(path, port, overwrite=True) as writer:
        for datagram in datagrams:
            writer.write(datagram)
    return writer.datagrams


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
    """The Ethernet frame that carries a datagram. By struct: dpkt would take several times as long as the network."""
    ethernet, version, source, destination = _addresses(datagram.source)
    length = UDP_HEADER.size + len(datagram.payload)
    pseudo_header = source + destination + struct.pack(">II", length, UDP)
    unsummed = UDP_HEADER.pack(SENDER_PORT, port, length, 0)
    checksum = _checksum(pseudo_header + unsummed + datagram.payload) or 0xFFFF  # 0 would say that there is none
    if version == 4:
        unsummed_ip = IP_HEADER.pack(0x45, 0, IP_HEADER.size + length, 0, 0, HOPS, UDP, 0, source, destination)
        ip = unsummed_ip[:10] + _checksum(unsummed_ip).to_bytes(2, "big") + unsummed_ip[12:]
    else:
        ip = IP6_HEADER.pack(6 << 28, length, UDP, HOPS, source, destination)
    return ethernet + ip + UDP_HEADER.pack(SENDER_PORT, port, length, checksum) + datagram.payload


@lru_cache(maxsize=1024)
def _addresses(source: str) -> tuple[bytes, int, bytes, bytes]:
    """Ethernet header, IP version, and the packed addresses of a sender and of this machine, where it sent to."""
    address = ipaddress.ip_address(source)
    kind = ETHERNET_TYPES[address.version]
    return bytes(12) + kind.to_bytes(2, "big"), address.version, address.packed, LOOPBACK[address.version]


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071). A sum of 16-bit words with end-around carry is the remainder by 65,535."""
    number = int.from_bytes(data + b"\0" if len(data) % 2 else data, "big")
    return 0xFFFF - (number % 0xFFFF or (0xFFFF if number else 0))
