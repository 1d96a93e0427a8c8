"""Captures against literal bytes put together by hand from the RFCs and the pcap file format."""

import struct
import tempfile
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitlane import capture
from pitlane.capture import CaptureError, Datagram

# One datagram "hi!" from 192.168.0.7:53530 to 127.0.0.1:20777, at 1,750,000,000.123456789 s.
FILE_HEADER = bytes.fromhex("4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000")
RECORD_HEADER = bytes.fromhex("80e14e68 15cd5b07 2d000000 2d000000")
ETHERNET = bytes.fromhex("000000000000 000000000000 0800")
IP = bytes.fromhex("45 00 001f 0000 0000 40 11 3b1e c0a80007 7f000001")
UDP = bytes.fromhex("d11a 5129 000b 147a") + b"hi!"
LITERAL = FILE_HEADER + RECORD_HEADER + ETHERNET + IP + UDP
DATAGRAM = Datagram(1_750_000_000_123_456_789, "192.168.0.7", b"hi!")


def checksum(data: bytes) -> int:
    """The Internet checksum of RFC 1071; 0 over data that carries its own."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def stored(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    return path


def test_the_literal_has_right_checksums() -> None:
    assert checksum(IP) == 0
    pseudo_header = IP[12:20] + b"\0\x11" + UDP[4:6]
    assert checksum(pseudo_header + UDP) == 0


def test_reads_the_literal(tmp_path: Path) -> None:
    assert list(capture.read(stored(tmp_path, LITERAL))) == [DATAGRAM]


def test_writes_the_literal(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    assert capture.write(path, [DATAGRAM]) == 1
    assert path.read_bytes() == LITERAL


# The same from 2001:db8::7 to ::1, without "!": IPv6 has no checksum of its own, UDP's is over another pseudo header.
IP6 = bytes.fromhex("60000000 000a 11 40 20010db8000000000000000000000007 00000000000000000000000000000001")
UDP6 = bytes.fromhex("d11a 5129 000a 476c") + b"hi"
RECORD6 = bytes.fromhex("80e14e68 15cd5b07 40000000 40000000 000000000000 000000000000 86dd") + IP6 + UDP6
DATAGRAM6 = Datagram(DATAGRAM.arrival_ns, "2001:db8::7", b"hi")


def test_from_ipv6(tmp_path: Path) -> None:
    assert checksum(IP6[8:40] + bytes.fromhex("0000000a 00000011") + UDP6) == 0
    path = tmp_path / "out.pcap"
    capture.write(path, [DATAGRAM6, DATAGRAM])
    assert path.read_bytes() == FILE_HEADER + RECORD6 + LITERAL[len(FILE_HEADER) :]
    assert list(capture.read(path)) == [DATAGRAM6, DATAGRAM]


@given(st.ip_addresses(), st.one_of(st.binary(max_size=9), st.sampled_from([bytes(65_507), b"\xff" * 65_507])))
def test_checksums_of_any_datagram(address: IPv4Address | IPv6Address, payload: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.pcap"
        capture.write(path, [Datagram(1, str(address), payload)])
        frame = path.read_bytes()[24 + 16 + 14 :]
        head = 20 if address.version == 4 else 40
        assert address.version == 6 or checksum(frame[:20]) == 0
        addresses = frame[12:20] if address.version == 4 else frame[8:40]
        udp = frame[head:]
        assert checksum(addresses + struct.pack(">II", len(udp), 17) + udp) == 0
        assert udp[6:8] != bytes(2), "which would say that there is no checksum"
        assert udp[8:] == payload
        assert [d.payload for d in capture.read(path)] == [payload]


def test_a_checksum_of_nothing_is_written_as_all_ones(tmp_path: Path) -> None:
    """RFC 768: where the sum comes out as zero."""
    path = tmp_path / "x.pcap"
    # The literal with its own checksum as a payload of two bytes less: words that add up to 0xFFFF.
    words = IP[12:20] + b"\0\x11\0\x0a" + bytes.fromhex("d11a 5129 000a 0000")
    payload = checksum(words).to_bytes(2, "big")
    capture.write(path, [Datagram(1, "192.168.0.7", payload)])
    assert path.read_bytes()[-4:-2] == b"\xff\xff"


def test_no_file_is_overwritten_unasked(tmp_path: Path) -> None:
    path = stored(tmp_path, b"dear")
    with pytest.raises(CaptureError) as raised:
        capture.Writer(path)
    assert raised.value.reason == "exists"
    assert path.read_bytes() == b"dear"
    with capture.Writer(path, overwrite=True) as writer:
        writer.write(DATAGRAM)
        writer.flush()
        assert path.read_bytes() == LITERAL, "what was flushed is there"
    assert writer.bytes == len(LITERAL)


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(CaptureError) as raised:
        capture.Writer(tmp_path / "none" / "x.pcap")
    assert raised.value.reason == "not_written"
    full = Path("/dev/full")  # Linux: a disk without space
    if full.exists():
        writer = capture.Writer(full, overwrite=True)
        with pytest.raises(CaptureError, match="No space left"):
            writer.flush()
        with pytest.raises(CaptureError, match="No space left"):
            writer.close()


def test_microsecond_files_are_exact(tmp_path: Path) -> None:
    header = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000")
    record = bytes.fromhex("80e14e68 40e20100 2d000000 2d000000")
    read = list(capture.read(stored(tmp_path, header + record + ETHERNET + IP + UDP)))
    assert [d.arrival_ns for d in read] == [1_750_000_000_123_456_000]


def test_raw_ip_and_ports(tmp_path: Path) -> None:
    header = FILE_HEADER[:20] + bytes.fromhex("65000000")  # LINKTYPE_RAW
    record = bytes.fromhex("80e14e68 15cd5b07 1f000000 1f000000")
    path = stored(tmp_path, header + record + IP + UDP)
    assert list(capture.read(path)) == [DATAGRAM]
    assert list(capture.read(path, port=20777)) == [DATAGRAM]
    assert list(capture.read(path, port=20778)) == []


def test_other_traffic_and_cut_datagrams_are_left_out(tmp_path: Path) -> None:
    tcp = IP[:9] + b"\x06" + IP[10:]
    cut = bytes.fromhex("80e14e68 15cd5b07 2b000000 2d000000") + (ETHERNET + IP + UDP)[:-2]
    content = FILE_HEADER + RECORD_HEADER + ETHERNET + tcp + UDP + cut + LITERAL[len(FILE_HEADER) :]
    assert list(capture.read(stored(tmp_path, content))) == [DATAGRAM]


@pytest.mark.parametrize("kept", [7, 20, 60])
def test_a_last_record_cut_short_ends_the_file(tmp_path: Path, kept: int) -> None:
    cut = (RECORD_HEADER + ETHERNET + IP + UDP)[:kept]
    assert list(capture.read(stored(tmp_path, LITERAL + cut))) == [DATAGRAM]


def test_what_is_no_capture_says_so(tmp_path: Path) -> None:
    for content, reason in ((b"", "not_a_capture"), (b"x" * 100, "not_a_capture"), (LITERAL[:10], "not_a_capture"),
                            (FILE_HEADER[:20] + b"\x7f\0\0\0", "link_type")):  # fmt: skip
        with pytest.raises(CaptureError) as raised:
            list(capture.read(stored(tmp_path, content)))
        assert raised.value.reason == reason
    with pytest.raises(CaptureError) as raised:
        list(capture.read(tmp_path / "none.pcap"))
    assert raised.value.reason == "no_capture"
