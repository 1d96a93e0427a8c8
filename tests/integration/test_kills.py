"""NiFi and Kafka killed with SIGKILL while a race goes through them: nothing is lost, and nothing counts twice."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from benchmarks.kills import KAFKA, NIFI, Siege, arrived, gaps, key, lacking, settled_differences
from benchmarks.pipeline import in_kafka, unaccounted
from pitlane.settlement import Meter
from pitlane.simulator import Race, RaceConfig
from pitlane.stack.stack import Stack
from tests.stacks import started

KILLS = 2

Contents = Counter[bytes]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything from the UDP port to the tables, for these tests to break."""
    stack = Stack.ephemeral(tmp_path_factory.mktemp("kills") / "stack")
    with started(stack, stack.gateway.title, stack.spark.title):
        yield stack
    stack.remove()


@pytest.fixture(scope="module")
def sent() -> Contents:
    """What all tests of this module have sent so far."""
    return Counter()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [NIFI, KAFKA])
def test_a_race_is_whole_when_a_neighbour_is_killed_under_it(own: Stack, sent: Contents, name: str) -> None:
    race = Race(RaceConfig(packet_format=2025, laps=3, rate_hz=60, seed=len(name)))
    siege = Siege(own, own.server(name), race, KILLS, random.Random(len(name)))
    with Meter(own) as meter:
        siege.run()
        assert siege.kills == KILLS
        assert not arrived(meter, siege)
    status = own.gateway.status()
    held = in_kafka(own, of_each=key)

    # By what was sent: each datagram is in exactly one block, however often that block came.
    sent += siege.sent
    assert not lacking(sent, held)
    assert not held.contents - sent
    # By what the gateway says that NiFi took.
    assert status["forwarded"] == held.packets
    assert gaps(held.ids) == 0
    assert held.conflicting == 0
    assert (status["dropped"], unaccounted(status)) == ({}, 0)

    assert not settled_differences(own, race, race.manifest())
