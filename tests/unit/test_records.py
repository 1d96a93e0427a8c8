"""Records against an independent decoder, and against values poked into datagrams at the published offsets."""

import math
import struct
from typing import Any

import dpkt
import numpy as np
import pytest

from f1_packets import EVENTS, PACKETS, Packet, block, identify, records
from f1_packets.records import Selection
from tests.datagrams import datagram
from tests.peers import peer_decoder, values
from tests.shared import RACE_2026, TIME_TRIAL, needs_recordings

UID = 0xFEDCBA9876543210
"""Beyond what a float, or a signed 64-bit number, holds."""


def packets(*leave_out: str) -> Any:
    chosen = [pytest.param(p, id=f"{p.format}-{p.name}") for p in PACKETS.values() if p.name not in leave_out]
    return pytest.mark.parametrize("packet", chosen)


def random_datagrams(packet: Packet, count: int) -> list[bytes]:
    """Real headers, and bodies of any bytes: NaN, infinities and broken UTF-8 among them."""
    rng = np.random.default_rng(packet.format * 100 + packet.id)
    head = packet.format.to_bytes(2, "little") + b"\x19\x01\x00\x01" + bytes([packet.id])
    return [head + rng.integers(0, 256, packet.size - 7, dtype=np.uint8).tobytes() for _ in range(count)]


def content(*datagrams: bytes) -> bytes:
    return b"".join(block.entry(1000 + n, f"rig-{n}", raw) for n, raw in enumerate(datagrams))


def theirs(raw: bytes, packet: Packet) -> list[Any]:
    """The other decoder's values, text and what is no number as we write them."""
    plain = []
    for value in values(peer_decoder(packet.format).resolve(raw)):
        if isinstance(value, bytes):
            plain.append(value.split(b"\0")[0].decode(errors="ignore"))
        else:
            plain.append(value if not isinstance(value, float) or math.isfinite(value) else None)
    return plain


def same_as_theirs(record: dict[str, Any], raw: bytes) -> bool:
    ours = [value for name, value in records.flat(record).items() if name not in ("arrival_ns", "rig")]
    return ours == theirs(raw, identify(raw))


@packets("event")
def test_random_bytes_become_the_values_of_an_independent_decoder(packet: Packet) -> None:
    datagrams = random_datagrams(packet, 5)
    found = records.datagrams(packet, content(*datagrams))
    assert [(record["arrival_ns"], record["rig"]) for record in found] == [(1000 + n, f"rig-{n}") for n in range(5)]
    for record, raw in zip(found, datagrams, strict=True):
        assert same_as_theirs(record, raw)


@needs_recordings
@pytest.mark.parametrize("capture", [TIME_TRIAL, RACE_2026], ids=lambda path: path.stem)
def test_real_datagrams_become_the_values_of_an_independent_decoder(capture: Any) -> None:
    seen: dict[Packet, int] = {}
    with capture.open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            raw = bytes(dpkt.ethernet.Ethernet(frame).data.data.data)
            packet = identify(raw)
            seen[packet] = seen.get(packet, 0) + 1
            if packet.name != "event" and seen[packet] <= 3:
                (record,) = records.datagrams(packet, content(raw))
                assert same_as_theirs(record, raw), f"{packet.format} {packet.name}"
    assert len(seen) >= 12


def test_a_record_for_each_car_holds_what_was_poked_into_it() -> None:
    # CarDamageData 2025: tyres wear f32[4] at 0, tyres damage u8[4] at 16, front left wing damage u8 at 28
    packet = PACKETS[2025, 10]
    first = datagram(10, {0: ("f", 12.5), 12: ("f", math.nan), 17: ("B", 7), 28: ("B", 99)}, car=3, uid=UID)
    second = datagram(10, {4: ("f", math.inf)}, car=21, overall_frame=751)
    found = records.cars(packet, content(first, second))

    assert [(record["rig"], record["car_index"]) for record in found] == [
        (rig, car) for rig in ("rig-0", "rig-1") for car in range(22)
    ]
    third = found[3]
    assert (third["arrival_ns"], third["header"]["session_uid"]) == (1000, UID)
    assert third["tyres_wear_percent"] == [12.5, 0.0, 0.0, None]
    assert third["tyres_damage_percent"] == [0, 7, 0, 0]
    assert third["front_left_wing_damage"] == 99
    assert found[22 + 21]["tyres_wear_percent"] == [0.0, None, 0.0, 0.0]
    assert found[22 + 21]["header"]["overall_frame_identifier"] == 751
    own = [list(records.flat(record).values())[15:] for record in found]  # behind stamp, header and car_index
    assert [number for number, fields in enumerate(own) if any(fields) or None in fields] == [3, 22 + 21]


@packets("event")
def test_cars_and_datagrams_say_the_same(packet: Packet) -> None:
    block_of_three = content(*random_datagrams(packet, 3))
    whole = records.datagrams(packet, block_of_three)
    by_car = records.cars(packet, block_of_three)
    if not packet.num_cars:
        assert by_car == whole
        return
    assert len(by_car) == 3 * packet.num_cars
    for number, record in enumerate(by_car):
        datagram, car = divmod(number, packet.num_cars)
        around = {name: value for name, value in whole[datagram].items() if name != "cars"}
        assert record == around | {"car_index": car} | whole[datagram]["cars"][car]


def test_only_the_players_cars() -> None:
    packet = PACKETS[2025, 10]
    found = records.cars(
        packet,
        content(
            datagram(10, player=19, second=255),
            datagram(10, player=4, second=2),
            datagram(10, player=255, second=255),  # a spectator
        ),
        players_only=True,
    )
    assert [(record["rig"], record["car_index"]) for record in found] == [("rig-0", 19), ("rig-1", 2), ("rig-1", 4)]


def test_a_packet_about_one_car_counts_as_the_players_when_it_is_his() -> None:
    packet = PACKETS[2025, 12]  # TyreSets: car_index u8 behind the header
    raw = bytearray(random_datagrams(packet, 1)[0])
    raw[27:30] = 4, 2, 4
    somebody = bytes(raw[:29] + b"\x05" + raw[30:])
    second = bytes(raw[:29] + b"\x02" + raw[30:])
    found = records.cars(packet, content(bytes(raw), somebody, second), players_only=True)
    assert [(record["rig"], record["car_index"]) for record in found] == [("rig-0", 4), ("rig-2", 2)]


def test_what_is_about_no_single_car_stays_with_the_players() -> None:
    for packet in (PACKETS[2025, 1], PACKETS[2025, 3], PACKETS[2025, 13]):
        blocks = content(*random_datagrams(packet, 2))
        assert len(records.cars(packet, blocks, players_only=True)) == 2


def test_an_event_has_its_own_members_and_nothing_of_the_memory_behind_them() -> None:
    packet = PACKETS[2025, 3]
    fastest = datagram(3, {29: ("4s", b"FTLP"), 33: ("B", 7), 34: ("f", 83.25), 38: ("I", 0xDEADBEEF)}, uid=UID)
    trap = datagram(3, {29: ("4s", b"SPTP"), 33: ("B", 7), 34: ("f", math.nan)})
    other = datagram(3, {29: ("4s", b"WHAT"), 33: ("B", 7)})
    found = records.datagrams(packet, content(fastest, trap, other))
    assert found[0]["header"]["session_uid"] == UID
    members = [{n: v for n, v in record.items() if n not in ("arrival_ns", "rig", "header")} for record in found]
    assert members[0] == {"code": "FTLP", "known": True, "car_index": 7, "lap_time_s": 83.25}
    assert members[1]["speed_kmh"] is None
    assert members[2] == {"code": "WHAT", "known": False}


def test_a_selection_keeps_the_shape() -> None:
    packet = PACKETS[2025, 10]
    (record,) = records.datagrams(packet, content(datagram(10, {0: ("f", 12.5)}, car=0, uid=UID)))
    selection = Selection.of(["header.session_uid", "rig", "cars.tyres_wear_percent", "cars.no_such", "rig.no_such"])
    picked = selection.pick(record)
    assert list(picked) == ["rig", "header", "cars"]
    assert picked["header"] == {"session_uid": UID}
    assert picked["cars"][0] == {"tyres_wear_percent": [12.5, 0.0, 0.0, 0.0]}
    assert len(picked["cars"]) == 22
    assert Selection.of([]).pick(record) == record
    assert Selection.of(["header.frame_identifier", "header"]).pick(record)["header"] == record["header"]


def test_flat_names_count_the_elements() -> None:
    record = {"a": 1, "b": {"c": [2, 3], "d": {"e": 4}}, "f": [{"g": 5}, {"g": 6}]}
    assert records.flat(record) == {"a": 1, "b.c.0": 2, "b.c.1": 3, "b.d.e": 4, "f.0.g": 5, "f.1.g": 6}


@packets()
@pytest.mark.parametrize("by_car", [False, True])
def test_a_template_has_the_names_of_every_record(packet: Packet, by_car: bool) -> None:
    names = list(records.flat(records.template(packet, by_car=by_car)))
    assert len(names) == len(set(names))
    blocks = content(*random_datagrams(packet, 2))
    found = records.cars(packet, blocks) if by_car else records.datagrams(packet, blocks)
    if packet.name == "event":
        codes = [struct.pack("<4s", code.encode()) for code in EVENTS[packet.format]]
        raw = random_datagrams(packet, 1)[0]
        found = records.datagrams(packet, content(*(raw[:29] + code + raw[33:] for code in codes)))
        assert set(names) == {name for record in found for name in records.flat(record)}
    else:
        assert all(list(records.flat(record)) == names for record in found)


def test_content_that_is_no_block_of_the_packet() -> None:
    for decode in (records.datagrams, records.cars):
        with pytest.raises(ValueError, match="size"):
            decode(PACKETS[2025, 10], b"twenty bytes of that")


@packets()
def test_a_block_says_itself_what_it_holds(packet: Packet) -> None:
    assert block.identify(content(*random_datagrams(packet, 3))) is packet


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "too_short"),
        (content(datagram(10))[:52], "too_short"),
        (content(datagram(10), datagram(10))[:-1], "wrong_size"),
        (content(datagram(10)) + b"\0", "wrong_size"),
        (block.entry(1, "rig", b"\xe6\x07" + datagram(10)[2:]), "unknown_format"),
        (block.entry(1, "rig", datagram(10)[:6] + b"\x63" + datagram(10)[7:]), "unknown_packet"),
        (content(datagram(10), datagram(10)[:6] + b"\x06" + datagram(10)[7:]), "mixed_packets"),
        (content(datagram(10), b"\xe8\x07" + datagram(10)[2:]), "mixed_packets"),
    ],
)
def test_bytes_that_are_no_block_say_why(raw: bytes, reason: str) -> None:
    with pytest.raises(block.NotABlock) as caught:
        block.identify(raw)
    assert caught.value.reason == reason
    assert reason in block.NotABlock.REASONS
