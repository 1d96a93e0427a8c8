"""The sink on a real Postgres: any order, any cuts and any duplicates end in the same tables."""

import itertools
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitlane import capture
from pitlane.settings import SupersetSettings
from pitlane.stack.postgres import PostgresServer
from spark import statements
from spark.jobs.blocks import Block
from spark.jobs.micro_batch import reduce
from spark.sink import Counts, Sink
from tests.blocks import Timed, blocks
from tests.handmade import SIGNED_UID, lap_data, motion, packet, participants, session_history, status, telemetry
from tests.integration.history import Content, content, empty, fresh_database
from tests.shared import RACE_2026, needs_recordings
from tests.unit import test_packet_facts as packets


@pytest.fixture(scope="module")
def own(postgres_server: PostgresServer, database: SupersetSettings) -> Iterator[SupersetSettings]:
    with fresh_database(postgres_server, database) as own_settings:
        yield own_settings


@pytest.fixture
def sink(own: SupersetSettings) -> Iterator[Sink]:
    empty(own)
    sink = Sink(own.conninfo("spark"))
    yield sink
    sink.close()


def write(sink: Sink, batch_id: int, found: list[Block], query_id: str = "query") -> bool:
    """As spark.tasks does, without Spark."""
    result = reduce([*sink.waiting(query_id), *found], query_id)
    counts = Counts(len(found), result.datagrams, result.rejected_blocks, {})
    return sink.write(query_id, batch_id, result.tables, counts)


def write_all(sink: Sink, batches: list[list[Block]]) -> None:
    for batch_id, batch in enumerate(batches):
        assert write(sink, batch_id, batch)


def timed(*datagrams: bytes) -> list[Block]:
    return blocks([(1_750_000_000_000_000_000, raw) for raw in datagrams])


def race(path: Path = RACE_2026) -> list[Timed]:
    return [(d.arrival_ns, d.payload) for d in capture.read(path)][:3500]


@pytest.fixture(scope="module")
def in_one(own: SupersetSettings) -> Content:
    """The race as one batch in the order of its arrival."""
    empty(own)
    with_all = Sink(own.conninfo("spark"))
    write_all(with_all, [blocks(race())])
    with_all.close()
    found = content(own)
    assert len(found["lap_trace"]) > 1000
    return found


@needs_recordings
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(), cuts=st.lists(st.floats(0, 1), max_size=12), duplicates=st.floats(0, 0.3))
def test_any_order_cuts_and_duplicates_end_in_the_same_tables(
    own: SupersetSettings, in_one: Content, seed: int, cuts: list[float], duplicates: float
) -> None:
    """Packets overtake each other by up to half a second, as topics read unevenly let them."""
    chance = random.Random(seed)
    datagrams = race()
    datagrams += [d for d in datagrams if chance.random() < duplicates]
    first_arrival = min(at for at, _ in datagrams)
    shuffled = [raw for _, raw in sorted((at + chance.random() * 5e8, (at, raw)) for at, raw in datagrams)]
    ends = sorted(int(cut * len(shuffled)) for cut in cuts)
    batches = [shuffled[a:b] for a, b in zip([0, *ends], [*ends, None], strict=True)]
    assert first_arrival == race()[0][0]

    empty(own)
    sink = Sink(own.conninfo("spark"))
    try:
        write_all(sink, [blocks(batch) for batch in batches])
        assert content(own) == in_one
        assert not write(sink, 0, blocks(batches[0])), "the batch is there already"
        write(sink, len(batches), blocks(race()))
        assert content(own) == in_one, "a replay changes nothing"
    finally:
        sink.close()


def test_a_batch_that_fails_leaves_nothing(sink: Sink, own: SupersetSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = timed(lap_data(700), telemetry(700), status(700), motion(700))
    with monkeypatch.context() as broken:
        broken.setattr(statements, "CLOSE", "SELECT 1 / 0 + %s + %s + %s + %s + %s + %s + %s")
        with pytest.raises(psycopg.Error):
            write(sink, 0, whole)
    assert not any(content(own).values())
    assert write(sink, 0, whole)
    assert len(content(own)["lap_trace"]) == 1


def test_a_lost_connection_is_made_anew(sink: Sink, own: SupersetSettings, postgres_server: PostgresServer) -> None:
    assert write(sink, 0, timed(lap_data(700)))
    with psycopg.connect(postgres_server.conninfo(), autocommit=True) as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [own.postgres_database]
        )
    result = reduce(timed(lap_data(701)), "query")
    assert sink.write("query", 1, result.tables, Counts(1, 1, 0, {}))


@pytest.mark.parametrize("participants_first", [True, False])
def test_hidden_values_are_null_whenever_the_setting_is_heard(
    sink: Sink, own: SupersetSettings, participants_first: bool
) -> None:
    hidden = packet("car_status", 700, {1: {"actual_tyre_compound": 17, "tyres_age_laps": 4}})
    batches = [
        timed(participants(650, {1: 0})),
        timed(lap_data(700, {1: {}}), telemetry(700, car=1), hidden, motion(700, car=1)),
    ]
    write_all(sink, batches if participants_first else batches[::-1])
    with psycopg.connect(own.conninfo("reader")) as reader:
        columns = "fuel_in_tank_kg, ers_store_j, ers_deploy_mode, ers_deployed_j, ers_harvested_j, speed_kmh"
        trace = reader.execute(f"SELECT {columns} FROM core.lap_trace".encode()).fetchall()
        columns = "fuel_start_kg, fuel_end_kg, fuel_used_kg, ers_deployed_j, ers_harvested_j, tyre_age_laps"
        lap = reader.execute(f"SELECT {columns} FROM core.lap".encode()).fetchall()
    assert trace == [(None, None, None, None, None, 287)]
    assert lap == [(None, None, None, None, None, 4)]


@pytest.mark.parametrize("late", [False, True])
def test_what_a_flashback_undid_vanishes(sink: Sink, own: SupersetSettings, late: bool) -> None:
    in_lap_3 = [make(700) for make in (telemetry, status, motion)] + [lap_data(700, {3: {"current_lap_num": 3}})]
    times = [30_000, 30_000, 30_000]
    before = session_history(705, [times, times, []], [(2, 17, 16), (255, 18, 17)])
    after = session_history(900, [times, []], [(255, 17, 16)])
    batches = [timed(*in_lap_3, before), timed(after, lap_data(900))]
    write_all(sink, batches[::-1] if late else batches)
    with psycopg.connect(own.conninfo("reader")) as reader:
        laps = reader.execute("SELECT lap_number, lap_time_ms, overall_frame FROM core.lap ORDER BY 1").fetchall()
        stints = reader.execute("SELECT stint_number, end_lap FROM core.stint").fetchall()
        trace = reader.execute("SELECT lap_number FROM core.lap_trace").fetchall()
    assert laps == [(1, 90_000, None), (2, None, 900)]
    assert stints == [(1, None)]
    assert trace == [(2,)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_place_at_the_start_of_a_lap_that_a_flashback_undid_vanishes(
    sink: Sink, own: SupersetSettings, order: tuple[int, ...]
) -> None:
    times = [30_000, 30_000, 30_000]
    batches = [
        timed(packets.lap_positions(705, 0, {3: 4}, {3: 5}, {3: 6})),
        timed(session_history(900, [times, []], [(255, 17, 16)])),
        timed(
            packets.lap_positions(905, 0, {3: 4}, {3: 5}, rewound=150),
            packets.lap_positions(1900, 0, {3: 4}, {3: 5}, {3: 2}, rewound=150),
        ),
    ]
    write_all(sink, [batches[i] for i in order])
    with psycopg.connect(own.conninfo("reader")) as reader:
        laps = reader.execute("SELECT lap_number, start_position, line_frame FROM core.lap ORDER BY 1").fetchall()
    assert laps == [(1, 4, 905), (2, 5, 905), (3, 2, 1900)]


def test_a_race_of_more_than_fifty_laps_keeps_its_first_ones(sink: Sink, own: SupersetSettings) -> None:
    first = [{3: 1 + lap % 20} for lap in range(50)]
    write_all(sink, [timed(packets.lap_positions(90_060, 50, {3: 7})), timed(packets.lap_positions(90_000, 0, *first))])
    with psycopg.connect(own.conninfo("reader")) as reader:
        laps = reader.execute("SELECT lap_number, start_position FROM core.lap ORDER BY 1").fetchall()
    assert laps == [*((lap + 1, 1 + lap % 20) for lap in range(50)), (51, 7)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_setup_remembers_when_it_was_first_and_last_seen(
    sink: Sink, own: SupersetSettings, order: tuple[int, ...]
) -> None:
    batches = [
        [packets.setups(700, {3: 25})],
        [packets.setups(900, {3: 25}), packets.setups(850, {3: 27})],
        [packets.setups(800, {3: 25}), packets.setups(801, {})],
    ]
    write_all(sink, [timed(*batches[i]) for i in order])
    with psycopg.connect(own.conninfo("reader")) as reader:
        found = reader.execute("SELECT front_wing, first_frame, last_frame FROM core.setup ORDER BY 2").fetchall()
    assert found == [(25, 700, 900), (27, 850, 850)]


def test_two_formats_in_one_batch_show_one_setup(sink: Sink, own: SupersetSettings) -> None:
    """Somebody changes the format in the game's menus: formats 2024 and 2025 have the same members."""
    of_2024 = bytearray(packets.setups(700, {3: 25}))
    struct.pack_into("<H", of_2024, 0, 2024)
    write_all(sink, [timed(bytes(of_2024), packets.setups(900, {3: 25}))])
    with psycopg.connect(own.conninfo("reader")) as reader:
        found = reader.execute("SELECT first_frame, last_frame FROM core.setup").fetchall()
    assert found == [(700, 900)]


def test_a_lobby_is_kept_whatever_the_order(sink: Sink, own: SupersetSettings) -> None:
    minute = 60 * 10**9
    sent = [(packets.NOW_NS + i * minute // 4, packets.lobby([packets.player(name)])) for i, name in enumerate("ABC")]
    write_all(sink, [blocks([sent[2]]), blocks([sent[1]]), blocks([sent[0]]), blocks(sent)])
    with psycopg.connect(own.conninfo("reader")) as reader:
        found = reader.execute("SELECT extract(minute FROM minute)::int, name FROM core.lobby_player ORDER BY 1")
        assert found.fetchall() == [(7, "C")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_what_broke_a_rule_the_earliest_is_kept(sink: Sink, own: SupersetSettings, order: tuple[int, ...]) -> None:
    """The same datagram three times: twice in Kafka, and once from where nothing is known of it."""
    bad = timed(telemetry(700, speed=612))[0]
    batches = [
        [bad._replace(topic="f1.car_telemetry", offset=17)],
        [bad._replace(topic="f1.car_telemetry", offset=9)],
        [bad],
    ]
    for batch_id, i in enumerate(order):
        write(sink, batch_id, batches[i], f"query {i}")
    with psycopg.connect(own.conninfo("reader")) as reader:
        columns = "rule, subject, details, topic, shard, record_offset, datagram_index"
        found = reader.execute(f"SELECT {columns} FROM core.quarantine".encode()).fetchall()
    assert found == [("speed", "car 3, frame 700", {"speed_kmh": 612}, "f1.car_telemetry", 0, 9, 0)]


def tell_of_the_session(own: SupersetSettings) -> None:
    """Its row, as the gateway writes it: the track has eight bins."""
    with psycopg.connect(own.conninfo("gateway"), autocommit=True) as gateway:
        columns = "session_uid, rig, packet_format, game_year, track_length_m, started_at, last_seen_at, overall_frame"
        values = "(%s, 'rig', 2025, 25, 76, now(), now(), 1)"
        gateway.execute(f"INSERT INTO core.session ({columns}) VALUES {values}".encode(), [SIGNED_UID])


def test_coverage_comes_with_a_late_session_row(sink: Sink, own: SupersetSettings) -> None:
    def coverage() -> list[tuple[int, float | None]]:
        with psycopg.connect(own.conninfo("reader")) as reader:
            return reader.execute("SELECT lap_number, coverage FROM core.lap ORDER BY 1").fetchall()

    bins = [lap_data(700 + i, {3: {"lap_distance_m": 5.0 + 10 * i}}) for i in range(3)]
    assert write(sink, 0, timed(*bins))
    assert coverage() == [(2, None)]
    tell_of_the_session(own)
    assert write(sink, 1, timed(lap_data(710, {3: {"current_lap_num": 3, "lap_distance_m": 5.0}})))
    assert coverage() == [(2, 0.375), (3, 0.125)]  # of 8 bins


def test_coverage_comes_when_the_session_row_is_later_than_the_whole_race(sink: Sink, own: SupersetSettings) -> None:
    assert write(sink, 0, timed(lap_data(700, {3: {"lap_distance_m": 5.0}})))
    tell_of_the_session(own)
    assert write(
        sink, 1, blocks([(0, lap_data(700, {3: {"lap_distance_m": 5.0}}))], rig="another rig"), "another query"
    )
    with psycopg.connect(own.conninfo("reader")) as reader:
        assert reader.execute("SELECT rig, coverage FROM core.lap ORDER BY 1 DESC").fetchall() == [
            ("rig", 0.125), ("another rig", None),
        ]  # fmt: skip


def rewound(raw: bytes, frames: int) -> bytes:
    """The packet as behind flashbacks that took back so many frames."""
    changed = bytearray(raw)
    (overall_frame,) = struct.unpack_from("<I", changed, 23)
    struct.pack_into("<I", changed, 19, overall_frame - frames)
    return bytes(changed)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_lap_starts_where_the_try_that_stands_crossed_the_line(
    sink: Sink, own: SupersetSettings, order: tuple[int, ...]
) -> None:
    def sample(frame: int, lap: int, fuel: float, back: int = 0) -> list[bytes]:
        driven = lap_data(frame, {3: {"current_lap_num": lap, "lap_distance_m": 1234.5}})
        return [rewound(raw, back) for raw in (driven, status(frame, fuel=fuel))]

    batches = [
        timed(*sample(600, 2, 45), *sample(700, 3, 40)),
        timed(*sample(905, 2, 41, 255)),  # the game's frame 650 again: before the line
        timed(*sample(960, 3, 39.5, 255)),  # frame 705: later over the line than before
        timed(*sample(1200, 3, 38, 440)),  # frame 760: back within the lap
    ]
    write_all(sink, [batches[i] for i in order])
    with psycopg.connect(own.conninfo("reader")) as reader:
        laps = reader.execute("SELECT lap_number, fuel_start_kg, start_frame FROM core.lap ORDER BY 1").fetchall()
        tries = reader.execute("SELECT lap_number, rewound FROM core.lap_start ORDER BY 1, 2").fetchall()
    assert laps == [(2, 45, 600), (3, 39.5, 960)]
    assert tries == [(2, 0), (2, 255), (3, 255), (3, 440)]


@pytest.mark.parametrize("late", [False, True])
def test_behind_a_flashback_nothing_of_the_try_before_is_left_in_a_bin(
    sink: Sink, own: SupersetSettings, late: bool
) -> None:
    """Not even its higher speed, or that its frame was whole."""
    before = timed(lap_data(700), telemetry(700, speed=300), status(700), motion(700))
    again = timed(rewound(lap_data(905), 210), rewound(telemetry(905, speed=290), 210))
    write_all(sink, [again, before] if late else [before, again])
    with psycopg.connect(own.conninfo("reader")) as reader:
        trace = reader.execute("SELECT overall_frame, speed_kmh, top_speed_kmh FROM core.lap_trace").fetchall()
        top = reader.execute("SELECT top_speed_kmh FROM core.lap").fetchall()
    assert (trace, top) == ([(905, 290, 290)], [(290,)])
