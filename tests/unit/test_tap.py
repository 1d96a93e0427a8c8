"""Records as bytes written down here, so that nothing of what is tested makes what it is tested with."""

import struct

import pytest

from pitlane.tap import TapError, entries

ARRIVAL = 1_750_000_000_000_000_001
UID = 0xFEDCBA9876543210
HEADER = struct.pack("<HBBBBBQfIIBB", 2025, 25, 1, 7, 1, 3, UID, 12.5, 100, 101, 19, 255)


def entry(datagram, rig=b"rig-1"):
    return struct.pack("<Q16s", ARRIVAL, rig) + datagram


def headers(**said):
    return [(name.replace("_", "."), str(value).encode()) for name, value in said.items()]


def test_an_event_shows_its_own_members_and_nothing_of_the_memory_behind_them():
    # Fastest lap: car index, lap time; the rest of the 12 bytes is whatever the game had there.
    datagram = HEADER + b"FTLP" + struct.pack("<Bf", 7, 83.25) + b"\xde\xad\xbe\xef\xde\xad\xbe"
    (found,) = entries(headers(packet_format=2025, packet_id=3), entry(datagram))
    assert (found["arrival_ns"], found["rig"], found["code"]) == (ARRIVAL, "rig-1", "FTLP")
    assert found["header"]["session_uid"] == UID
    assert found["header"]["overall_frame_identifier"] == 101
    assert sorted(value for name, value in found.items() if name not in ("arrival_ns", "rig", "header", "code")) == [
        True,
        7,
        83.25,
    ]


def test_per_car_fields_come_as_lists_of_objects():
    car_telemetry = bytearray(1352)
    car_telemetry[:29] = HEADER[:6] + b"\x06" + HEADER[7:]
    struct.pack_into("<H", car_telemetry, 29 + 60 * 19, 287)  # speed is the first field of each 60-byte car
    content = entry(bytes(car_telemetry)) * 2
    first, second = entries(headers(packet_format=2025, packet_id=6), content)
    assert first == second
    assert [car["speed_kmh"] for car in first["cars"]] == [0] * 19 + [287] + [0] * 2


def test_dead_letters_keep_their_reason_and_bytes():
    said = headers(packet_name="rejected", packet_id="none", reject_reason="too_short", block_bytes=27)
    found = list(entries(said, entry(b"abc") + entry(b"def", b"rig-2")))
    assert [(f["rig"], f["reject_reason"], f["datagram"]) for f in found] == [
        ("rig-1", "too_short", "616263"),
        ("rig-2", "too_short", "646566"),
    ]


def test_a_mark_that_a_dead_letter_was_sent_again_is_no_datagram():
    assert list(entries([("redrive.of", b"17")], b"")) == []


@pytest.mark.parametrize("bytes_of_each", [0, 30, "many"])
def test_a_dead_letter_that_is_no_block_is_shown_whole(bytes_of_each):
    said = headers(reject_reason="x", block_bytes=bytes_of_each)
    assert list(entries(said, b"twenty")) == [{"reject_reason": "x", "content": "7477656e7479"}]


@pytest.mark.parametrize("said", [{"packet_format": 2025, "packet_id": 3}, {}])
def test_a_record_that_is_no_block_is_told_as_such(said):
    with pytest.raises(TapError) as error:
        list(entries(headers(**said), b"twenty bytes of that"))
    assert error.value.reason == "not_a_block"
