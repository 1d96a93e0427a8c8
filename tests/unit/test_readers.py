"""Headers, single cars and events from literal bytes; any bytes at all give a packet or a reason."""

import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from f1_packets import (
    EVENTS,
    FORMATS,
    HEADER_BYTES,
    PACKETS,
    SESSION_END_ORDER,
    CarReader,
    Packet,
    Rejected,
    identify,
    read_event,
    read_header,
    sample_order,
    signed_uid,
    text,
)
from f1_packets import block as blocks

# Format 2025, game year 25, version 1.18, packet version 1, CarTelemetry, UID 0x3c41f35fdad292e4, 1.5 s, frames 326
# and 327, player 19, no second player: written by hand from the published header.
HEADER = bytes.fromhex("e907 19 01 12 01 06 e492d2da5ff3413c 0000c03f 46010000 47010000 13 ff")


def datagram(packet: Packet, body: bytes = b"") -> bytes:
    header = struct.pack("<HBBBBBQfIIBB", packet.format, 25, 1, 0, 1, packet.id, 1, 0.0, 1, 1, 0, 255)
    return (header + body).ljust(packet.size, b"\0")


def test_the_header_is_read_field_by_field() -> None:
    assert tuple(read_header(HEADER)) == (2025, 25, 1, 18, 1, 6, 0x3C41F35FDAD292E4, 1.5, 326, 327, 19, 255)


def test_numpy_and_struct_read_the_same_header() -> None:
    raw = HEADER.ljust(PACKETS[2025, 6].size, b"\0")
    assert np.frombuffer(raw, PACKETS[2025, 6].dtype)[0]["header"].item() == tuple(read_header(raw))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "too_short"),
        (HEADER[:-1], "too_short"),
        (b"\xe6\x07" + HEADER[2:], "unknown_format"),
        (HEADER[:6] + b"\x10" + HEADER[7:], "unknown_packet"),
        (HEADER, "wrong_size"),
        (HEADER.ljust(1353, b"\0"), "wrong_size"),
    ],
)
def test_bytes_that_are_no_packet_say_why(raw: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        identify(raw)
    assert caught.value.reason == reason
    assert reason in Rejected.REASONS


def test_a_header_cut_short_is_rejected() -> None:
    with pytest.raises(Rejected, match="too_short"):
        read_header(HEADER[:28])


@given(st.binary(max_size=1500))
@example(HEADER)
def test_any_bytes_give_a_packet_or_a_reason(raw: bytes) -> None:
    try:
        size = identify(raw).size
    except Rejected as rejected:
        reason = rejected.reason
        assert reason in Rejected.REASONS
    else:
        assert size == len(raw)


@given(st.sampled_from(sorted(PACKETS)), st.binary(max_size=1500))
def test_any_body_behind_a_good_header_can_be_read(key: tuple[int, int], body: bytes) -> None:
    packet = PACKETS[key]
    raw = datagram(packet, body)[: packet.size]
    assert identify(raw) is packet
    assert len(blocks.decode(packet, blocks.entry(1, "rig", raw))) == 1
    if packet.name == "event":
        record = read_event(raw)
        assert record.known == (record.code in EVENTS[packet.format])


def test_one_car_is_read_by_struct_as_by_numpy() -> None:
    packet = PACKETS[2026, 6]
    values = np.random.default_rng(7).integers(0, 256, packet.size, dtype=np.uint8).tobytes()
    names = ("speed_kmh", "gear", "tyres_inner_temperature_c", "tyres_pressure_psi")
    reader = CarReader(packet, names)
    cars = np.frombuffer(values, packet.dtype)["cars"][0]
    for index in (0, 23):
        flat = [v for name in names for v in np.atleast_1d(cars[index][name]).tolist()]
        np.testing.assert_array_equal(reader.read(values, index), flat)
    for beyond in (-1, 24, 255):
        with pytest.raises(IndexError):
            reader.read(values, beyond)


def test_text_of_one_car_is_raw_bytes() -> None:
    packet = PACKETS[2025, 4]
    body = b"\x01" + bytes(7) + b"P\xc3\xa9rez\0junk".ljust(32, b"\xff")
    (raw,) = CarReader(packet, ("name",)).read(datagram(packet, body), 0)
    assert text(raw) == "Pérez"


def test_fields_must_exist_and_come_in_wire_order() -> None:
    for names in (("nothing",), ("gear", "speed_kmh")):
        with pytest.raises(KeyError):
            CarReader(PACKETS[2025, 6], names)


def test_a_name_is_cut_at_its_nul_and_at_a_split_rune() -> None:
    assert text(b"VERSTAPPEN\0\xde\xad") == "VERSTAPPEN"
    assert text("Räikkönen".encode()[:2]) == "R"


def test_events_have_the_members_of_their_code_and_no_memory_behind() -> None:
    penalty = datagram(PACKETS[2025, 3], b"PENA" + bytes([5, 4, 21, 20, 255, 16, 0]) + b"\xde\xad\xbe\xef\xde")
    assert read_event(penalty).members == {
        "penalty_type": 5, "infringement_type": 4, "car_index": 21, "other_car_index": 20, "time_s": 255,
        "lap_num": 16, "places_gained": 0,
    }  # fmt: skip
    fastest = datagram(PACKETS[2023, 3], b"FTLP\x07" + struct.pack("<f", 80.5))
    assert read_event(fastest) == ("FTLP", {"car_index": 7, "lap_time_s": 80.5}, True)
    assert read_event(fastest) == ("FTLP", {"car_index": 7, "lap_time_s": 80.5}, True)  # from the cache
    collision = b"COLL\x01\x02\x03"
    assert read_event(datagram(PACKETS[2024, 3], collision)).members == {"car_index": 1, "other_car_index": 2}
    assert read_event(datagram(PACKETS[2026, 3], collision)).members["severity"] == 3
    assert read_event(datagram(PACKETS[2023, 3], b"COLL")).known is False
    assert read_event(datagram(PACKETS[2025, 3], b"\xffABC")) == ("\\xffABC", {}, False)


def test_the_end_of_a_session_sorts_last_although_its_frame_is_0() -> None:
    assert sample_order(0, 0.0) == 0
    assert sample_order(326, 1.5) == 326
    assert sample_order(0, 1680.6) == SESSION_END_ORDER > sample_order(2**32 - 1, 1.0)


def test_a_block_is_entries_of_one_length() -> None:
    packet = PACKETS[2025, 3]
    one = datagram(packet, b"SSTA")
    two = datagram(packet, b"SEND")
    content = blocks.entry(5, "left", one) + blocks.entry(2**63, "right", two)
    assert content[:24] == b"\x05" + bytes(7) + b"left" + bytes(12)
    assert len(content) == 2 * blocks.entry_bytes(packet.size)
    decoded = blocks.decode(packet, content)
    assert decoded["arrival_ns"].tolist() == [5, 2**63]
    assert decoded["rig"].tolist() == [b"left", b"right"]
    assert bytes(decoded["datagram"]["code"][1]) == b"SEND"
    with pytest.raises(ValueError, match="buffer size"):
        blocks.decode(packet, content[:-1])


def test_a_rig_has_one_shard_and_a_name_that_fits() -> None:
    assert blocks.rig_name("192.168.1.20") == "192.168.1.20"
    long = {blocks.rig_name(f"the rig of the team in box {n}") for n in range(20)}
    assert len(long) == 20
    assert all(len(name.encode()) <= blocks.RIG_BYTES for name in long)
    assert {blocks.shard_of(f"rig-{n}", 4) for n in range(50)} == {0, 1, 2, 3}


def test_a_session_uid_keeps_its_64_bits_as_a_bigint() -> None:
    told = {0: 0, 2**63 - 1: 2**63 - 1, 2**63: -(2**63), 0x85DB0A0F77EC492A: -8801429985212741334, 2**64 - 1: -1}
    assert {uid: signed_uid(uid) for uid in told} == told
    assert all(uid.to_bytes(8, "little") == signed_uid(uid).to_bytes(8, "little", signed=True) for uid in told)


def test_per_car_packets_know_their_cars() -> None:
    assert [PACKETS[year, 2].num_cars for year in FORMATS] == [22, 22, 22, 24]
    assert PACKETS[2025, 1].num_cars == 0
    assert HEADER_BYTES == 29
