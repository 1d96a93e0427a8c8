"""The history converges, with real servers: a race with flashbacks, quits and pit stops, in any order, cut into any
blocks and batches, some of it twice, and read again, ends in byte-equal tables.
"""

import random
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from pitlane.settings import SupersetSettings
from pitlane.stack.broker import Broker
from pitlane.stack.postgres import PostgresServer
from spark import backfill
from spark.sink import Sink
from tests import flashbacks
from tests.blocks import Timed, blocks
from tests.integration.history import differences, dumped, empty, fresh_database, spark_settings
from tests.integration.test_facts_sink import write
from tests.integration.test_spark_facts import ledger, send, stream_all

pytestmark = pytest.mark.timeout(600)

SHARDS = 2
RIGS = ("rig", "second rig")
LATE_S = 0.5
"""So much later than it was sent may a datagram come, and still find its frame's others in the batches around."""
ANY_S = 3600

disorders = {"seed": st.integers(0, 2**32), "duplicates": st.floats(0, 0.3)}
few = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": (Phase.generate,),  # an example costs seconds: nothing is made smaller
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}


@pytest.fixture(scope="module")
def race() -> list[Timed]:
    return flashbacks.race(2026)


@pytest.fixture(scope="module")
def own(postgres_server: PostgresServer, database: SupersetSettings) -> Iterator[SupersetSettings]:
    with fresh_database(postgres_server, database) as own_settings:
        yield own_settings


@pytest.fixture(scope="module")
def in_order(own: SupersetSettings, race: list[Timed]) -> list[str]:
    """The tables after one batch of the race of both rigs, in the order of its arrival."""
    prepare(own)
    sink = Sink(own.conninfo("spark"))
    write(sink, 0, [block for rig in RIGS for block in blocks(race, rig=rig)])
    sink.close()
    return dumped(own)


def prepare(own: SupersetSettings) -> None:
    """Empty, but for the sessions, which are the gateway's: what of a lap was seen is told by the length of the track."""
    empty(own)
    columns = "session_uid, rig, packet_format, game_year, track_length_m, started_at, last_seen_at, overall_frame"
    with psycopg.connect(own.conninfo("owner"), autocommit=True) as owner:
        for rig in RIGS:
            uid = flashbacks.SESSION_UID - 2**64
            values = f"({uid}, %s, 2026, 25, 4657, to_timestamp(0), to_timestamp(0), 1)"
            owner.execute(f"INSERT INTO core.session ({columns}) VALUES {values}".encode(), [rig])


def disordered(race: list[Timed], chance: random.Random, late_s: float, duplicates: float) -> list[Timed]:
    """As they are taken in: each with the time of its arrival, up to `late_s` after its turn, and some twice."""
    sent = race + [each for each in race if chance.random() < duplicates]
    late = sorted((at + chance.random() * late_s * 1e9, at, raw) for at, raw in sent)
    return [(at, raw) for _, at, raw in late]


def cut(datagrams: list[Timed], chance: random.Random, batches: int) -> list[list[Timed]]:
    ends = sorted(chance.randrange(len(datagrams)) for _ in range(batches - 1))
    return [datagrams[a:b] for a, b in zip([0, *ends], [*ends, None], strict=True)]


@examples(max_examples=6, **few)
@given(**disorders, batches=st.integers(2, 9), late_s=st.sampled_from([LATE_S, ANY_S]))
def test_the_sink_ends_in_the_same_bytes(
    own: SupersetSettings,
    race: list[Timed],
    in_order: list[str],
    seed: int,
    batches: int,
    late_s: float,
    duplicates: float,
) -> None:
    """Without bounds to the disorder a frame's packets may miss each other; a replay brings them together."""
    chance = random.Random(seed)
    prepare(own)
    sink = Sink(own.conninfo("spark"))
    try:
        number = 0
        for rig in RIGS:
            for batch in cut(disordered(race, chance, late_s, duplicates), chance, batches):
                assert write(sink, number, blocks(batch, rig=rig, interval_ms=chance.choice([10, 100, 5000])))
                number += 1
        if late_s == LATE_S:
            assert not differences(dumped(own), in_order)
        write(sink, number, [block for rig in RIGS for block in blocks(race, rig=rig)])
        assert not differences(dumped(own), in_order), "a replay"
    finally:
        sink.close()


@examples(max_examples=2, **few)
@given(**disorders, batches=st.integers(2, 4))
def test_stream_and_batch_end_in_the_same_bytes(
    own: SupersetSettings,
    race: list[Timed],
    in_order: list[str],
    broker: Broker,
    spark_session: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    batches: int,
    duplicates: float,
) -> None:
    """Through Kafka, each rig in its shard; the batch reads all of it again, onto what is there and from nothing."""
    chance = random.Random(seed)
    prefix = f"converges-{seed}-{batches}"
    place = tmp_path_factory.mktemp("converges") / "checkpoint"
    broker.create_topics(SHARDS, prefix)
    for shard, rig in enumerate(RIGS):
        sent = disordered(race, chance, LATE_S, duplicates)
        send(broker, blocks(sent, rig=rig, interval_ms=chance.choice([100, 1000])), shard, prefix)
    records = sum(count for name, count in broker.record_counts().items() if name.startswith(f"{prefix}."))
    settings = spark_settings(
        own,
        broker,
        topic_prefix=prefix,
        shards=SHARDS,
        spark_checkpoint=place,
        spark_trigger_s=0.1,
        spark_max_blocks_per_batch=records // batches,
    )
    prepare(own)
    stream_all(spark_session, settings)
    assert ledger(settings)["batches"] >= batches
    assert not differences(dumped(own), in_order)
    at_once = settings.model_copy(update={"spark_max_blocks_per_batch": records})
    backfill.write(spark_session, at_once, lambda done, of: None)
    assert not differences(dumped(own), in_order), "a batch after the stream"
    prepare(own)
    backfill.write(spark_session, settings, lambda done, of: None)
    assert not differences(dumped(own), in_order), "the batch alone"
