"""What Postgres gets of session packets: rows and the samples that say something new, from literal bytes."""

import struct
from collections.abc import Iterable
from datetime import timedelta

import numpy as np
import pytest

from f1_packets import PACKETS, read_header
from postgres import tables
from tests.datagrams import session
from tests.peers import peer_decoder
from tests.shared import CAPTURES, needs_shared
from udp_gateway import forecast
from udp_gateway.blocks import Block, BlockKey
from udp_gateway.segment import Spooled
from udp_gateway.session_row import SessionRow, read_session
from udp_gateway.session_settings import SessionSettings, read_settings
from udp_gateway.sessions import changes, read_block

NOW = 1_795_352_725_126_000_000


def spooled(*datagrams: bytes, rig: str = "a") -> Spooled:
    """A block of session packets, a second apart."""
    entries = [struct.pack("<Q16s", NOW + n * 10**9, rig.encode()) + raw for n, raw in enumerate(datagrams)]
    return Spooled(0, Block(BlockKey(2025, 1, "session", 0, 753), len(entries), NOW, b"".join(entries)))


def test_a_block_gives_row_and_sample_of_each_packet():
    read = list(read_block(spooled(session({32: ("B", 57)}), session({32: ("B", 58)}), rig="left")))
    assert [(said.row.rig, said.row.total_laps) for said in read] == [("left", 57), ("left", 58)]
    assert read[1].row.started_at - read[0].row.started_at == timedelta(seconds=1)
    merged = read[0].row.merged(read[1].row)
    assert merged.last_seen_at - merged.started_at == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("offset", "code"), [(29, "B"), (30, "b"), (31, "b"), (38, "H"), (153, "B")],
    ids=["weather", "track temperature", "air temperature", "time left", "safety car"],
)  # fmt: skip
def test_a_sample_is_taken_when_something_changed(offset, code):
    said = [1, 1, 2, 2, 1]
    packets = [session({offset: (code, value)}, overall_frame=10 * n + 10) for n, value in enumerate(said)]
    samples = [said.sample for said in read_block(spooled(*packets))]
    last: dict = {}
    assert list(changes(samples[:3], last)) == [samples[0], samples[2]]
    assert list(changes(samples[3:], last)) == [samples[4]], "also over batches"


def test_another_session_and_another_rig_start_with_a_sample():
    samples = [said.sample for said in read_block(spooled(session(uid=1), session(uid=2)))]
    samples += [said.sample for said in read_block(spooled(session(uid=1), rig="b"))]
    assert list(changes(samples, {})) == samples


def forecasts(*said: Iterable[tuple[int, ...]], told: int | None = None) -> list[bytes]:
    """Session packets a second apart, each with these forecast entries."""
    packets = []
    for n, entries in enumerate(said):
        pokes: dict[int, tuple[str, object]] = {155: ("B", len(list(entries)) if told is None else told), 668: ("B", 1)}
        for i, entry in enumerate(entries):
            for at, value in enumerate(entry):
                pokes[156 + 8 * i + at] = ("b" if 3 <= at <= 6 else "B", value)
        packets.append(session(pokes, overall_frame=10 * n + 10))
    return packets


RACE_NOW, RACE_SOON = (15, 0, 3, 25, 1, 19, 2, 53), (15, 5, 0, -3, 0, -4, 1, 4)


def test_a_forecast_is_what_the_packet_says_without_what_pads_it():
    (said,) = read_block(spooled(*forecasts([RACE_NOW, RACE_SOON])))
    first, second = said.forecast.rows()
    assert len(said.forecast.entries) == 2
    assert dict(zip(forecast.COLUMNS, first, strict=True)) == {
        "session_uid": 0x85DB0A0F77EC492A - 2**64, "rig": "a", "overall_frame": 10, "session_time_s": 12.5,
        "arrived_at": said.row.started_at, "is_approximate": True, "session_type_id": 15, "time_offset_min": 0,
        "weather_id": 3, "track_temperature_c": 25, "track_temperature_change": 1, "air_temperature_c": 19,
        "air_temperature_change": 2, "rain_percent": 53,
    }  # fmt: skip
    assert second[6:] == RACE_SOON


def test_a_forecast_is_written_whole_when_anything_in_it_changed():
    wetter = (*RACE_SOON[:7], 60)
    packets = forecasts(
        [RACE_NOW, RACE_SOON], [RACE_NOW, RACE_SOON], [RACE_NOW, wetter], [RACE_NOW], [], [RACE_NOW], [RACE_NOW]
    )
    said = [one.forecast for one in read_block(spooled(*packets))]
    assert list(changes(said, {})) == [said[0], said[2], said[3], said[5]]


@pytest.mark.parametrize(("packet_format", "most"), [(2023, 56), (2025, 64)])
def test_a_forecast_has_as_many_entries_as_the_format_has_room_for(packet_format, most):
    raw = bytearray(session(packet_format=packet_format))
    raw[155] = 255
    packet = PACKETS[packet_format, 1]
    record = np.frombuffer(bytes(raw), packet.dtype)[0]
    assert len(forecast.read_entries(record)) == most


def test_settings_are_those_of_the_packet():
    said = {
        685: 1, 686: 2, 687: 3, 688: 1, 689: 0, 690: 1, 691: 0, 692: 2, 700: 5, 708: 1, 709: 1, 710: 3, 711: 1,
        712: 1, 713: 1, 714: 1, 716: 3, 717: 2, 718: 2, 722: 1, 723: 1, 725: 2, 727: 1, 729: 3, 732: 3, 733: 1,
        734: 13, 735: 16,
    }  # fmt: skip
    pokes = {offset: ("B", value) for offset, value in said.items()} | {696: ("I", 905)}
    (read,) = read_block(spooled(session(pokes)))
    assert read.row.settings == SessionSettings(
        session_length_id=5, time_of_day_min=905, steering_assist=True, braking_assist_id=2, gearbox_assist_id=3,
        pit_assist=True, pit_release_assist=False, ers_assist=True, drs_assist=False, racing_line_id=2,
        abs_assist=None, traction_control_id=None, has_equal_cars=True, recovery_mode_id=1, flashback_limit_id=3,
        has_realistic_surface=True, has_hard_fuel_mode=True, has_assisted_starts=True, has_carcass_temperature=True,
        car_damage_id=3, car_damage_rate_id=2, collisions_id=2, has_strict_corner_cutting=True, has_parc_ferme=True,
        safety_car_id=2, red_flags_id=3, has_formation_lap=True, weekend_structure=[1, 13, 16],
        is_sprint_weekend=True, start_reaction_time_s=None,
    )  # fmt: skip


def test_what_older_formats_and_the_first_packets_do_not_tell_is_none():
    old = session(packet_format=2023)
    record = np.frombuffer(old, PACKETS[2023, 1].dtype)[0]
    settings = read_settings(record)
    assert settings.has_equal_cars is settings.weekend_structure is settings.is_sprint_weekend is None
    assert settings.steering_assist is False
    (first,) = read_block(spooled(session()))
    assert first.row.settings.weekend_structure is first.row.settings.is_sprint_weekend is None


def test_a_row_has_the_columns_of_its_table():
    (said,) = read_block(spooled(session()))
    assert set(SessionRow.columns()) == {column.name for column in tables.session.columns}
    assert dict(zip(SessionRow.columns(), said.row.values(), strict=True))["track_length_m"] == 5276
    assert set(forecast.COLUMNS) == {column.name for column in tables.weather_forecast.columns}


@needs_shared
@pytest.mark.parametrize(
    "path", sorted((CAPTURES / "packets").glob("*/id01_*.bin")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_forecasts_and_weekends_of_real_packets(path):
    raw = path.read_bytes()
    packet = PACKETS[int(path.parent.name), 1]
    sent = peer_decoder(packet.format).resolve(raw)
    said = read_session(packet, read_header(raw), raw, "rig", NOW)
    told = list(sent.weather_forecast_samples)[: sent.num_weather_forecast_samples]
    assert [list(entry) for entry in said.forecast.entries] == [
        [getattr(entry, name) for name, _ in entry._fields_] for entry in told
    ]
    assert told
    if packet.format > 2023:
        weekend = list(sent.weekend_structure)[: sent.num_sessions_in_weekend]
        assert said.row.settings.weekend_structure == (weekend if any(weekend) else None)
