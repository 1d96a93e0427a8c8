"""What the gateway decides, from literal bytes: no socket, no clock."""

import ipaddress
import struct
import zlib
from collections import Counter
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_packets import HEADER_BYTES, PACKETS, Rejected
from tests.datagrams import datagram, session
from udp_gateway import sources
from udp_gateway.blocks import Block
from udp_gateway.decide import Core, Drop, Forward, Note, Reject, ShowLive, Skip, StoreSession
from udp_gateway.live_state import Car
from udp_gateway.segment import Spooled
from udp_gateway.sessions import read_block

NOW = 1_795_352_725_126_000_000
SOURCE = "192.168.1.50"
SECOND = 1_000_000_000
FATES = (Forward, StoreSession, Skip, Reject, Drop)


@pytest.fixture
def core() -> Core:
    return Core({}, shards=2)


def fate(effects):
    """The one effect that says what becomes of the datagram."""
    (found,) = [effect for effect in effects if isinstance(effect, FATES)]
    return found


def live(effects):
    found = [effect.state for effect in effects if isinstance(effect, ShowLive)]
    return found[0] if found else None


def stored(effects):
    """Row and sample that Postgres gets of a session packet."""
    store = fate(effects)
    assert isinstance(store, StoreSession)
    (read,) = read_block(Spooled(0, Block(store.key, 1, store.arrival_ns, store.entry)))
    return read.row, read.sample


def shown(effects, car=Car.FOLLOWED):
    """The live message of that car, as fields; None if there is none."""
    state = live(effects)
    index = state.index(car) if state else None
    return None if index is None else state.fields(index)


def notes(effects):
    return [effect for effect in effects if isinstance(effect, Note)]


# --- blocks -----------------------------------------------------------------------------------------------------


def test_a_packet_becomes_an_entry_of_its_block(core):
    raw = datagram(0)
    forward = fate(core.decide(raw, SOURCE, NOW))
    assert isinstance(forward, Forward)
    assert forward.key[:3] == (2025, 0, "motion")
    assert forward.key.shard == zlib.crc32(b"192.168.1.50") % 2
    assert forward.entry == struct.pack("<Q", NOW) + b"192.168.1.50\0\0\0\0" + raw


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "too_short"),
        (b"\xe9\x07" + bytes(26), "too_short"),
        (b"\xe6\x07" + bytes(1350), "unknown_format"),
        (b"\xe9\x07\x19\x01\x12\x01\x63" + bytes(1345), "unknown_packet"),
        (datagram(6)[:-1], "wrong_size"),
        (datagram(6) + b"\0", "wrong_size"),
    ],
)
def test_bytes_that_are_no_packet_go_to_the_dead_letter(core, raw, reason):
    (reject,) = core.decide(raw, SOURCE, NOW)
    assert isinstance(reject, Reject)
    assert reject.key.reject_reason == reason
    assert reject.key.packet_name == "rejected"
    assert reject.entry == struct.pack("<Q", NOW) + b"192.168.1.50\0\0\0\0" + raw
    assert core.rigs == {}


def test_a_rig_is_its_address_or_what_settings_call_it():
    core = Core({"10.0.0.7": "left", "10.0.0.8": "left"}, shards=4)
    for source in ("10.0.0.7", "10.0.0.8", "10.0.0.9", "fe80::dead:beef:cafe:1"):
        core.decide(datagram(0), source, NOW)
    checksum = f"{zlib.crc32(b'fe80::dead:beef:cafe:1'):08x}"
    assert list(core.rigs) == ["left", "10.0.0.9", f"fe80::de{checksum}"]
    assert core.rigs["left"].datagrams == 2


def test_the_rigs_unseen_for_longest_are_forgotten(core, monkeypatch):
    monkeypatch.setattr(sources, "MAX_SOURCES", 4)
    monkeypatch.setattr("udp_gateway.decide.MAX_SOURCES", 4)
    for seconds, source in enumerate("abcdae"):
        core.decide(datagram(0), source, NOW + seconds * SECOND)
    assert list(core.rigs) == ["a", "d", "e"]
    assert core.rigs["a"].datagrams == 2
    core.decide(datagram(0), "b", NOW + 9 * SECOND)
    assert core.rigs["b"].datagrams == 1, "a rig that comes back is met again"


# --- who may send, and how much -----------------------------------------------------------------------------------


def allowed(*networks: str) -> list:
    return [ipaddress.ip_network(network) for network in networks]


@pytest.mark.parametrize(
    ("source", "may"),
    [
        ("192.168.1.50", True), ("::ffff:192.168.1.50", True), ("192.168.2.50", False), ("10.0.0.7", True),
        ("10.0.0.8", False), ("fe80::1%eth0", True), ("2001:db8::1", False), ("127.0.0.1", False),
    ],
)  # fmt: skip
def test_a_list_of_allowed_sources_shuts_out_all_others(source, may):
    core = Core({}, 1, allowed("192.168.1.0/24", "10.0.0.7/32", "fe80::/10"))
    for raw in (datagram(0), b"junk"):
        effects = core.decide(raw, source, NOW)
        assert (fate(effects) == Drop("source_unknown")) is not may
    assert bool(core.rigs) is may


def test_an_empty_list_is_nobody_and_none_is_everybody():
    assert fate(Core({}, 1, []).decide(datagram(0), SOURCE, NOW)) == Drop("source_unknown")
    assert isinstance(fate(Core({}, 1, None).decide(datagram(0), SOURCE, NOW)), Forward)


def test_a_source_above_its_rate_is_held_to_it_and_no_other_is():
    core = Core({}, 1, source_rate=100)
    fates = Counter(type(fate(core.decide(datagram(0), "flood", NOW + n * SECOND // 1000))) for n in range(10_000))
    assert fates == {Forward: 1020, Drop: 8980}, "100 a second for 10 s, and a fifth of a second's worth at once"
    for number in range(600):
        assert isinstance(fate(core.decide(datagram(0), "rig", NOW + number * SECOND // 60)), Forward)


def test_a_clock_that_is_set_back_shuts_nobody_out():
    core = Core({}, 1, source_rate=100)
    for now_ns in (NOW, NOW - 3600 * SECOND, NOW - 3600 * SECOND + 1):
        assert isinstance(fate(core.decide(datagram(0), SOURCE, now_ns)), Forward)


def test_junk_counts_against_the_rate_too():
    core = Core({}, 1, source_rate=10)
    fates = Counter(type(fate(core.decide(b"junk", SOURCE, NOW))) for _ in range(100))
    assert fates == {Reject: 3, Drop: 97}


def test_the_log_hears_of_a_flood_once_a_second():
    core = Core({}, 1, source_rate=10)
    heard = [note for n in range(3000) for note in notes(core.decide(datagram(0), SOURCE, NOW + n * SECOND // 1000))]
    floods = [note.fields for note in heard if note.event == "source above its limit"]
    assert len(floods) == 3
    assert floods[0] == {"source": SOURCE, "rig": SOURCE, "dropped": 1}
    assert floods[1]["dropped"] > 900
    junk = Core({}, 1, source_rate=10)
    floods = [note.fields for _ in range(100) for note in notes(junk.decide(b"", SOURCE, NOW))]
    assert floods == [{"source": SOURCE, "dropped": 1}], "from a source that is no rig"


def test_forged_sources_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(sources, "MAX_SOURCES", 10)
    core = Core({}, 1, source_rate=100)
    for number in range(1000):
        core.decide(b"junk", f"10.0.{number // 250}.{number % 250}", NOW + number)
    assert len(core._sources._known) <= 10


def test_the_log_hears_of_rigs_and_sessions_but_not_of_every_packet(core):
    first = core.decide(datagram(0), SOURCE, NOW)
    assert [(note.event, note.fields["rig"]) for note in notes(first)] == [
        ("rig appeared", SOURCE),
        ("session began", SOURCE),
    ]
    assert notes(first)[1].fields["session"] == "85db0a0f77ec492a"
    # Two games behind one address: the session changes with every packet, the log takes one line a second.
    swaps = [core.decide(datagram(0, uid=1 + n % 2), SOURCE, NOW + SECOND + n) for n in range(10)]
    assert sum(len(notes(effects)) for effects in swaps) == 1


# --- sessions -----------------------------------------------------------------------------------------------------


def test_a_session_packet_becomes_a_row(core):
    raw = session(
        {
            29: ("B", 3), 30: ("b", -5), 31: ("b", 22), 32: ("B", 57), 35: ("B", 15), 36: ("b", -1), 37: ("B", 13),
            38: ("H", 7111), 40: ("H", 7200), 42: ("B", 80), 44: ("B", 0), 45: ("B", 0), 153: ("B", 2), 154: ("B", 1),
            669: ("B", 98), 670: ("I", 4_000_000_000), 745: ("f", 1757.5), 749: ("f", 3178.25),
        }
    )  # fmt: skip
    row, sample = stored(core.decide(raw, SOURCE, NOW))
    arrived = datetime(2026, 11, 22, 13, 5, 25, 126_000, UTC)
    assert row.session_uid == 0x85DB0A0F77EC492A - 2**64
    assert (row.rig, row.packet_format, row.game_year, row.overall_frame) == (SOURCE, 2025, 25, 750)
    assert (row.total_laps, row.track_length_m, row.session_type_id, row.track_id) == (57, 5276, 15, -1)
    assert (row.formula, row.session_duration_s, row.pit_speed_limit_kmh) == (13, 7200, 80)
    assert (row.is_network_game, row.is_spectating, row.spectator_car_index) == (True, False, None)
    assert (row.player_car_index, row.secondary_player_car_index) == (19, None)
    assert (row.ai_difficulty, row.season_link) == (98, 4_000_000_000)
    assert (row.sector2_start_m, row.sector3_start_m) == (1757.5, 3178.25)
    assert row.started_at == row.last_seen_at == arrived
    assert sample[2:] == (750, 12.5, arrived, 3, -5, 22, 2, 7111)


def test_a_format_without_sector_starts_leaves_them_unknown(core):
    row, _ = stored(core.decide(session(packet_format=2023), SOURCE, NOW))
    assert row.sector2_start_m is None
    assert row.sector3_start_m is None


def test_a_session_without_uid_is_none(core):
    assert fate(core.decide(session(uid=0), SOURCE, NOW)) == Skip(2025, "no_session")


def test_an_empty_session_packet_does_not_overwrite_a_good_one(core):
    core.decide(session({32: ("B", 57)}), SOURCE, NOW)
    assert fate(core.decide(datagram(1), SOURCE, NOW)) == Skip(2025, "empty_session")
    state = live(core.decide(datagram(6), SOURCE, NOW))
    assert state.fields(19)["total_laps"] == 57


def test_the_packet_at_session_end_is_the_newest_though_its_frame_is_0(core):
    core.decide(session(overall_frame=5000), SOURCE, NOW)
    end, _ = stored(core.decide(session({32: ("B", 9)}, overall_frame=0, time_s=900), SOURCE, NOW))
    late, _ = stored(core.decide(session(overall_frame=5010), SOURCE, NOW + 1000))
    assert end.overall_frame == 2**32
    assert shown(core.decide(datagram(6), SOURCE, NOW))["total_laps"] == 9
    assert late.merged(end).total_laps == end.merged(late).total_laps == 9
    assert late.merged(end).started_at == end.started_at
    assert end.merged(late).last_seen_at == late.last_seen_at


# --- live -------------------------------------------------------------------------------------------------------


def test_car_telemetry_completes_a_frame(core):
    assert live(core.decide(datagram(2, {33: ("B", 14)}, car=19), SOURCE, NOW)) is None
    assert live(core.decide(datagram(7, {5: ("f", 12.5)}, car=19), SOURCE, NOW)) is None
    fields = shown(core.decide(datagram(6, {0: ("H", 287)}, car=19), SOURCE, NOW + 5_000_000))
    assert (fields["speed_kmh"], fields["lap_number"], fields["fuel_in_tank_kg"]) == (287, 14, 12.5)
    assert (fields["ts"], fields["rig"], fields["session"]) == (NOW // 10**6 + 5, SOURCE, "85db0a0f77ec492a")
    assert (fields["frame"], fields["car_index"], fields["packet_format"]) == (750, 19, 2025)
    assert fields["tyre_wear_fl_pct"] is None


@pytest.mark.parametrize("player", [22, 254, 255])
def test_nobody_is_followed_without_a_car(core, player):
    effects = core.decide(datagram(6, {0: ("H", 287)}, car=3, player=player), SOURCE, NOW)
    assert shown(effects) is None
    assert shown(effects, 3)["speed_kmh"] == 287, "the others drive on"


def test_format_2026_has_two_cars_more(core):
    assert live(core.decide(datagram(6, packet_format=2026, player=23), SOURCE, NOW)).car_index == 23


def test_a_spectator_follows_the_spectated_car(core):
    watching = {44: ("B", 1), 45: ("B", 3)}
    core.decide(session(watching, player=255), SOURCE, NOW)
    assert live(core.decide(datagram(6, player=255), SOURCE, NOW)).car_index == 3
    core.decide(session({44: ("B", 1), 45: ("B", 255)}, player=255, overall_frame=751), SOURCE, NOW)
    assert live(core.decide(datagram(6, player=255), SOURCE, NOW)).car_index is None


def test_any_car_of_the_packets_can_be_shown(core):
    core.decide(datagram(2, {33: ("B", 14)}, car=7), SOURCE, NOW)
    effects = core.decide(datagram(6, {0: ("H", 301)}, car=7), SOURCE, NOW)
    fields = shown(effects, 7)
    assert (fields["car_index"], fields["speed_kmh"], fields["lap_number"]) == (7, 301, 14)
    assert shown(effects)["speed_kmh"] == 0
    assert shown(effects, 21) is not None
    assert shown(effects, 22) is None, "no room for it in this format"
    assert shown(core.decide(datagram(6, packet_format=2026), SOURCE, NOW), 23)["car_index"] == 23


def test_a_split_screen_has_a_second_player(core):
    effects = core.decide(datagram(6, {0: ("H", 301)}, car=4, second=4), SOURCE, NOW)
    assert shown(effects, Car.SECOND)["speed_kmh"] == 301
    assert shown(effects)["car_index"] == 19
    assert shown(core.decide(datagram(6, second=255), SOURCE, NOW), Car.SECOND) is None


def test_what_a_driver_does_not_share_is_unknown_and_not_zero(core):
    core.decide(datagram(4, {30 + 57 * car + 39: ("B", car == 3) for car in range(22)}), SOURCE, NOW)
    core.decide(datagram(7, {9: ("f", 110.0)}, car=2, second=4), SOURCE, NOW)
    effects = core.decide(datagram(6, second=4), SOURCE, NOW)
    hidden = shown(effects, 2)
    unknown = {"fuel_in_tank_kg", "fuel_remaining_laps", "fuel_mix", "ers_store_j", "ers_deploy_mode", "ers_deployed_j",
               "front_brake_bias_pct"}  # fmt: skip
    assert {hidden[name] for name in unknown} == {None}
    assert (hidden["telemetry_public"], hidden["fuel_capacity_kg"], hidden["speed_kmh"]) == (0, 110.0, 0)
    assert (hidden["tyre_age_laps"], hidden["pit_limiter"]) == (0, 0), "these are shared in any case"
    assert (shown(effects, 3)["telemetry_public"], shown(effects, 3)["fuel_mix"]) == (1, 0)
    assert shown(effects, 4)["fuel_mix"] == 0, "a player's own car is never hidden"
    assert shown(effects, 19)["fuel_mix"] == 0


def test_another_session_forgets_what_the_last_one_showed(core):
    core.decide(datagram(7, {5: ("f", 80.0)}, car=19, uid=1), SOURCE, NOW)
    core.decide(session({32: ("B", 57)}, uid=1), SOURCE, NOW)
    fields = shown(core.decide(datagram(6, uid=2), SOURCE, NOW))
    assert fields["fuel_in_tank_kg"] is None
    assert fields["total_laps"] is None


def test_a_menu_has_no_session_but_may_have_a_car(core):
    assert shown(core.decide(datagram(6, uid=0), SOURCE, NOW))["session"] is None


def test_a_packet_that_came_late_shows_nothing_old(core):
    assert live(core.decide(datagram(6, overall_frame=1000), SOURCE, NOW)) is not None
    late = core.decide(datagram(6, overall_frame=999), SOURCE, NOW)
    assert live(late) is None
    assert isinstance(fate(late), Forward)


def test_a_recording_played_again_is_shown_again(core):
    core.decide(datagram(6, overall_frame=9000), SOURCE, NOW)
    assert live(core.decide(datagram(6, overall_frame=30), SOURCE, NOW)) is not None


def test_a_flashback_rewinds_the_frame_and_is_news(core):
    core.decide(datagram(6, frame=500, overall_frame=1000), SOURCE, NOW)
    state = live(core.decide(datagram(6, frame=100, overall_frame=1001), SOURCE, NOW))
    assert state.fields(19)["frame"] == 1001


@pytest.mark.parametrize(
    ("frames", "came", "gaps"),
    [
        ([100, 101, 102], 3, 0),
        ([100, 101, 105, 106], 4, 3),
        ([100, 103, 106, 112, 115], 5, 1),  # one frame in three is sent
        ([100, 101, 101, 102], 3, 0),  # twice
        ([100, 101, 5000, 5001], 4, 0),  # a pause
        ([0, 0, 1, 2], 2, 0),  # before the start
    ],
)
def test_frames_and_gaps_between_them_are_counted(core, frames, came, gaps):
    for frame in frames:
        core.decide(datagram(6, overall_frame=frame), SOURCE, NOW)
    assert (core.rigs[SOURCE].frames, core.rigs[SOURCE].frame_gaps) == (came, gaps)


# --- any bytes --------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.binary(max_size=1500), st.sampled_from(["a", "b"])), max_size=10))
def test_any_bytes_have_exactly_one_fate(arrivals):
    core = Core({}, shards=3)
    for number, (raw, source) in enumerate(arrivals):
        found = fate(core.decide(raw, source, number))
        if isinstance(found, Forward | Reject):
            assert found.entry[24:] == raw
            assert found.key.datagram_bytes == len(raw)
            assert found.arrival_ns == number


@given(st.sampled_from(sorted(PACKETS)), st.data())
def test_any_body_of_any_packet_is_taken_and_shown(kind, data):
    core = Core({}, shards=1)
    packet = PACKETS[kind]
    body = data.draw(st.binary(min_size=64, max_size=64))
    rest = (body * (packet.size // 64 + 1))[: packet.size - 7]
    raw = struct.pack("<HBBBBB", packet.format, 25, 1, 0, 1, packet.id) + rest
    assert len(raw) == packet.size > HEADER_BYTES
    found = fate(core.decide(raw, SOURCE, NOW))
    assert isinstance(found, StoreSession | Skip if packet.name == "session" else Forward)
    for number in (2, 7, 10, 16, 6):
        if (packet.format, number) in PACKETS:
            size = PACKETS[packet.format, number].size
            head = struct.pack("<HBBBBBQfIIBB", packet.format, 25, 1, 0, 1, number, 5, 1.0, 1, 1, 0, 255)
            effects = core.decide(head + (body * 24)[: size - 29], SOURCE, NOW)
    for car in range(PACKETS[packet.format, 6].num_cars):
        message = orjson.loads(live(effects).text(car))
        assert set(message) == set(shown(effects, car))
        assert message["car_index"] == car


def test_reasons_of_rejection_are_the_packets_own():
    assert {"too_short", "unknown_format", "unknown_packet", "wrong_size"} == set(Rejected.REASONS)
