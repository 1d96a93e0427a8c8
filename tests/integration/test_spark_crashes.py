"""Exactly once, whatever falls over behind Kafka: the Spark driver killed with SIGKILL inside an open Postgres transaction,
Postgres and Kafka restarted under it, its checkpoint deleted. The tables are the simulator's manifest each time.
"""

import shutil
from collections.abc import Iterator

import psycopg
import pytest

from benchmarks.kills import is_writing, settled_differences, writing
from benchmarks.pipeline import wait
from f1_packets import PACKET_IDS
from pitlane.settings import PostgresSettings, SparkSettings
from pitlane.simulator import Race, RaceConfig
from pitlane.stack.stack import Stack
from tests.blocks import Timed, blocks
from tests.integration.history import differences, dumped
from tests.integration.test_spark_facts import send
from tests.stacks import started

pytestmark = pytest.mark.timeout(900)

WITHIN_S = 240
"""A bound for a test that hangs, not a claim about speed."""
PACKET_ID_AT = 6
AT_ONCE = 300
"""Blocks: three seconds of racing. Frames wait for twenty at most."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, Spark and Postgres, for these tests to break; several micro-batches for each race."""
    stack = Stack.ephemeral(tmp_path_factory.mktemp("crashes") / "stack")
    stack.values |= {"PITLANE_SPARK_TRIGGER_S": "0.2", "PITLANE_SPARK_MAX_BLOCKS_PER_BATCH": "1500"}
    with started(stack, stack.spark.title):
        yield stack
    stack.remove()


class Sent:
    """A race that goes to Kafka in two halves, and is in the tables as it was when all of it is read."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self._stack = stack
        self._race = Race(RaceConfig(packet_format=2025, laps=1, cars=6, rate_hz=10, seed=seed, restricted=(2,)))
        timed = [(round(offset_s * 1e9), raw) for offset_s, raw in self._race.datagrams()]
        middle = len(timed) // 2
        self._halves = iter((timed[:middle], timed[middle:]))
        self._read_before = read(stack)
        self._sent = 0

    def send_half(self) -> None:
        half: list[Timed] = next(self._halves)
        found = blocks(half)
        for begin in range(0, len(found), AT_ONCE):  # as NiFi does: no topic runs far ahead of the others
            of_all_topics = found[begin : begin + AT_ONCE]
            send(self._stack.kafka, of_all_topics, 0, self._stack.settings(SparkSettings).topic_prefix)
        self._sent += sum(raw[PACKET_ID_AT] != PACKET_IDS["session"] for _, raw in half)

    def wait_for_a_batch(self) -> None:
        assert wait(lambda: read(self._stack) > self._read_before, WITHIN_S)

    def assert_exactly_once(self) -> None:
        assert wait(lambda: read(self._stack) >= self._read_before + self._sent, WITHIN_S)
        assert not settled_differences(self._stack, self._race, self._race.manifest())
        assert read(self._stack) == self._read_before + self._sent, "each datagram was read by one micro-batch"


def read(stack: Stack) -> int:
    """Datagrams in the ledger; none while Postgres is away."""
    try:
        return sum(by_query(stack).values())
    except psycopg.OperationalError:
        return -1


def by_query(stack: Stack) -> dict[str, int]:
    with psycopg.connect(stack.settings(PostgresSettings).conninfo("reader")) as reader:
        found = reader.execute("SELECT query_id, sum(datagrams)::int FROM core.ledger GROUP BY query_id").fetchall()
    return dict(found)


def test_the_driver_is_killed_inside_a_transaction(own: Stack) -> None:
    race = Sent(own, seed=11)
    race.send_half()
    with writing(own):
        assert is_writing(own)
        before = read(own)
        process = own.spark.process()
        assert process is not None
        process.kill()
        process.wait(10)
    assert wait(lambda: not is_writing(own), WITHIN_S)
    assert read(own) == before, "nothing of the micro-batch is there"
    own.spark.start()
    race.send_half()
    race.assert_exactly_once()


def test_postgres_is_restarted_under_a_transaction(own: Stack) -> None:
    race = Sent(own, seed=12)
    race.send_half()
    with pytest.raises(psycopg.OperationalError), writing(own):
        own.postgres.stop()
    race.send_half()
    own.postgres.start()
    race.assert_exactly_once()


def test_kafka_is_restarted_under_the_stream(own: Stack) -> None:
    race = Sent(own, seed=13)
    race.send_half()
    race.wait_for_a_batch()
    own.kafka.stop()
    own.kafka.start()
    race.send_half()
    race.assert_exactly_once()


def test_the_checkpoint_is_deleted(own: Stack) -> None:
    """The next stream reads all that Kafka holds once more, as another query, and changes nothing."""
    race = Sent(own, seed=14)
    race.send_half()
    race.send_half()
    race.assert_exactly_once()
    before = dumped(own.settings(PostgresSettings))
    (first,) = by_query(own).items()
    own.spark.stop()
    shutil.rmtree(own.settings(SparkSettings).spark_checkpoint)
    own.spark.start()
    assert wait(lambda: read(own) >= 2 * first[1], WITHIN_S)
    assert not differences(dumped(own.settings(PostgresSettings)), before)
    again = by_query(own)
    assert again.pop(first[0]) == first[1]
    assert list(again.values()) == [first[1]]
