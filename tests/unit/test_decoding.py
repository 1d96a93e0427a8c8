"""What DecodePackets writes, read back with the standard library and held against values poked in by hand."""

import csv
import io
import json
import math
import struct
from typing import Any

import numpy as np
import pytest

from f1_packets import EVENTS, PACKETS, Rejected, block
from nifi.python.decoding import Choice, Decoder, Form
from tests.datagrams import datagram

UID = 0xFEDCBA9876543210
ARRIVAL = 1_750_000_000_000_000_001


def damage(**header: Any) -> bytes:
    """One datagram of CarDamage 2025; car 19: tyres wear f32[4] at 0, front left wing damage u8 at 28."""
    pokes = {0: ("f", 12.5), 4: ("f", math.nan), 8: ("f", -math.inf), 28: ("B", 99)}
    return block.entry(ARRIVAL, "rig-1", datagram(10, pokes, car=19, uid=UID, **header))


def lines(content: bytes) -> list[dict[str, Any]]:
    def no_such(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return [json.loads(line, parse_constant=no_such) for line in content.decode().splitlines()]


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def test_json_lines_are_a_car_each() -> None:
    decoded = Decoder().decode(damage() + damage(overall_frame=751))
    found = lines(decoded.content)
    assert decoded.records == len(found) == 44
    assert decoded.content.endswith(b"}\n")
    assert found[19]["header"]["session_uid"] == UID
    assert found[19]["arrival_ns"] == ARRIVAL
    assert str(UID).encode() in decoded.content.splitlines()[19], "in full, and not as 1.836475854449306e+19"
    assert found[19]["tyres_wear_percent"] == [12.5, None, None, 0.0]
    assert found[19]["front_left_wing_damage"] == 99
    assert [record["header"]["overall_frame_identifier"] for record in (found[0], found[22])] == [750, 751]


def test_a_json_array_holds_the_same() -> None:
    as_lines = Decoder().decode(damage())
    as_array = Decoder(Form.JSON_ARRAY).decode(damage())
    assert json.loads(as_array.content) == lines(as_lines.content)
    assert as_array.records == 22


def test_csv_has_a_column_for_each_wheel() -> None:
    decoded = Decoder(Form.CSV).decode(damage())
    found = rows(decoded.content)
    assert decoded.records == len(found) == 22
    car = found[19]
    assert (car["arrival_ns"], car["rig"], car["header.session_uid"]) == (str(ARRIVAL), "rig-1", str(UID))
    assert [car[f"tyres_wear_percent.{wheel}"] for wheel in range(4)] == ["12.5", "", "", "0.0"]
    assert (car["car_index"], car["front_left_wing_damage"]) == ("19", "99")
    assert decoded.content.count(b"\r\n") == 23


def test_csv_and_json_have_the_same_values_of_every_packet() -> None:
    rng = np.random.default_rng(5)
    for packet in PACKETS.values():
        head = packet.format.to_bytes(2, "little") + b"\x19\x01\x00\x01" + bytes([packet.id])
        raw = head + rng.integers(0, 256, packet.size - 7, dtype=np.uint8).tobytes()
        content = block.entry(1, "rig", raw) + block.entry(2, "rig", raw)
        for choice in Choice:
            as_csv = Decoder(Form.CSV, choice).decode(content)
            as_json = Decoder(Form.JSON_ARRAY, choice).decode(content)
            assert as_csv.records == as_json.records
            for row, record in zip(rows(as_csv.content), json.loads(as_json.content), strict=True):
                told = {name: "" if value is None else str(value) for name, value in leaves(record).items()}
                assert row == dict.fromkeys(row, "") | told, f"{packet.format} {packet.name}"


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict | list):
        return {path[1:]: value}
    found: dict[str, Any] = {}
    for key, member in value.items() if isinstance(value, dict) else enumerate(value):
        found |= leaves(member, f"{path}.{key}")
    return found


def test_a_csv_of_events_has_the_columns_of_every_code() -> None:
    packet = PACKETS[2026, 3]
    header = struct.pack("<HBBBBBQfIIBB", 2026, 25, 1, 7, 1, 3, UID, 12.5, 100, 101, 19, 255)
    fastest = block.entry(1, "rig", header + b"FTLP" + struct.pack("<Bf", 7, 83.25) + b"\xff" * 7)
    drs = block.entry(2, "rig", header + b"DRSE" + b"\xff" * 12)
    one, two = (rows(Decoder(Form.CSV).decode(content).content) for content in (fastest, drs + fastest))
    assert list(one[0]) == list(two[0]), "whichever codes there are"
    members = {member.name for table in EVENTS[packet.format].values() for member in table.fields}
    assert members <= set(one[0])
    assert [row["code"] for row in two] == ["DRSE", "FTLP"]
    assert (two[1]["car_index"], two[1]["lap_time_s"], two[1]["speed_kmh"]) == ("7", "83.25", "")
    assert {two[0][name] for name in members} == {""}


def test_the_players_car_alone() -> None:
    (found,) = lines(Decoder(choice=Choice.PLAYER_CARS).decode(damage(player=19)).content)
    assert (found["car_index"], found["front_left_wing_damage"]) == (19, 99)
    nobody = damage(player=255)
    assert Decoder(choice=Choice.PLAYER_CARS).decode(nobody) == (b"", 0)
    assert Decoder(Form.JSON_ARRAY, Choice.PLAYER_CARS).decode(nobody) == (b"[]", 0)
    header = Decoder(Form.CSV).decode(nobody).content.splitlines()[0]
    assert Decoder(Form.CSV, Choice.PLAYER_CARS).decode(nobody) == (header + b"\r\n", 0)


def test_a_datagram_each_has_its_cars_in_a_list() -> None:
    (found,) = lines(Decoder(choice=Choice.DATAGRAMS).decode(damage()).content)
    assert len(found["cars"]) == 22
    assert found["cars"][19]["front_left_wing_damage"] == 99


def test_chosen_fields_are_all_there_is() -> None:
    fields = ("header.session_uid", "car_index", "tyres_wear_percent", "speed_kmh")
    found = lines(Decoder(fields=fields).decode(damage()).content)
    assert found[19] == {
        "header": {"session_uid": UID}, "car_index": 19, "tyres_wear_percent": [12.5, None, None, 0.0],
    }  # fmt: skip
    as_csv = Decoder(Form.CSV, fields=fields).decode(damage()).content.splitlines()
    wheels = ",".join(f"tyres_wear_percent.{wheel}" for wheel in range(4))
    assert as_csv[0].decode() == f"header.session_uid,car_index,{wheels}"
    assert as_csv[20].decode() == f"{UID},19,12.5,,,0.0"


def test_a_block_without_any_of_the_fields_is_rejected() -> None:
    with pytest.raises(Rejected) as caught:
        Decoder(fields=("speed_kmh", "gear")).decode(damage())
    assert caught.value.reason == "no_such_field"


@pytest.mark.parametrize(
    ("choice", "fields", "unknown"),
    [
        (Choice.CARS, ("car_index", "speed_kmh", "header", "code", "lap_time_s", "laps.lap_time_ms"), set()),
        (Choice.CARS, ("cars.speed_kmh", "m_speed", "rig.name", "header.nothing", "tyres_wear_percent.0"), None),
        (Choice.DATAGRAMS, ("cars", "cars.speed_kmh", "rig"), set()),
        (Choice.DATAGRAMS, ("gear",), None),
    ],
)
def test_fields_that_no_packet_has_are_named(choice: Choice, fields: tuple[str, ...], unknown: set[str] | None) -> None:
    assert Decoder(choice=choice, fields=fields).unknown_fields() == (set(fields) if unknown is None else unknown)


@pytest.mark.parametrize("raw", [b"", b"no block", damage()[:-1], damage() + damage()[:200]])
def test_what_is_no_block_is_rejected(raw: bytes) -> None:
    for form in Form:
        with pytest.raises(Rejected):
            Decoder(form).decode(raw)


def test_each_form_has_a_mime_type_of_its_own() -> None:
    assert [form.mime_type for form in Form] == ["application/x-ndjson", "application/json", "text/csv"]
