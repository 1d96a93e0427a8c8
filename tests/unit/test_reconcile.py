"""The sums of `pitlane reconcile`, from numbers that stand for a gateway, a Kafka and a Spark."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitlane.arrivals import Numbers, Read, SparkRead, named
from pitlane.reconcile import Equation, Standing, as_dict, equations, exit_code
from tests.statuses import status

# The status closes: 20,000 = 401 + 17 + 19,000 + 532 + 43 + 7, and 43 = 36 + 5 + 2.
READ = Read(Counter({"f1.motion": 2}), 40, 190, 18_900, 1, 100)
"""18,900 datagrams in 190 records before where Spark is, 100 of them in one that no table reads; 40 in 2 behind it."""
SPARK = SparkRead(190, 18_800, 1, {("f1.motion", 0): 190})
STANDING = Standing(
    before=status(), after=status(), queued=30, queued_unknown=0, nifi_error="", in_kafka=19_006, repeated=0, redriven=0, foreign=0,
    deleted=Counter(), read=READ, spark=SPARK, fact_topics=frozenset({"f1.motion"}),
)  # fmt: skip


def named_equations(standing: Standing) -> dict[str, Equation]:
    return {each.name: each for each in equations(standing)}


def test_sums_that_close():
    found = equations(STANDING)
    assert [str(each) for each in found] == [
        "received 20,000 = stored 401 + skipped 17 (no_session 17) + forwarded 19,000 + waiting 532 + "
        "rejected 43 (too_short 31, wrong_size 12) + dropped 7 (spool_full 7)",
        "rejected 43 (too_short 31, wrong_size 12) = forwarded 36 + waiting 5 + dropped 2",
        "forwarded 19,000 + dead letters 36 = in Kafka 19,006 + in NiFi 30",
        "in the topics of facts 18,940 = read by Spark 18,800 + unreadable 100 + not yet read 40",
    ]
    assert [each.closes for each in found] == [True] * 4
    assert [each.remarks for each in found] == [()] * 4
    assert exit_code(found) == 0


@pytest.mark.parametrize(
    ("changes", "name", "remark"),
    [
        ({"after": status(received=20_001)}, "gateway", "1 missing"),
        ({"after": status(stored=403)}, "gateway", "2 too many"),
        ({"after": status(rejected={"too_short": 43, "wrong_size": 0}, dead_letter={"forwarded": 36, "waiting": 4, "dropped": 2})}, "dead letters", "1 missing"),
        ({"in_kafka": 19_005}, "Kafka", "1 missing"),
        ({"queued": 0}, "Kafka", "30 missing"),
        # More than was forwarded and more than waits for an answer of NiFi.
        ({"in_kafka": 19_006 + 532 + 5 + 1}, "Kafka", "538 too many"),
        ({"spark": SPARK._replace(datagrams=18_799)}, "Spark", "1 missing"),
        ({"spark": SPARK._replace(datagrams=18_801)}, "Spark", "1 too many"),
        ({"spark": SPARK._replace(blocks=189)}, "Spark", "core.ledger has 189 records, Kafka 190 up to where it says it is"),
        ({"spark": SPARK._replace(rejected_blocks=0)}, "Spark", "0 unreadable records in core.ledger, 1 in Kafka"),
    ],
)  # fmt: skip
def test_a_sum_that_does_not_close_is_named(changes, name, remark):
    found = equations(replace(STANDING, **changes))
    assert [each.name for each in found if each.closes is False] == [name]
    assert remark in {each.name: each for each in found}[name].remarks
    assert exit_code(found) == 1


@pytest.mark.parametrize(
    ("changes", "name", "remark"),
    [
        ({"queued": 0, "queued_unknown": 4}, "Kafka", "NiFi holds 4 blocks that it does not show"),
        ({"queued": 0, "nifi_error": "what waits in NiFi is not known: no NiFi answers"}, "Kafka", "no NiFi answers"),
        ({"in_kafka": 18_000, "deleted": Counter({"f1.event": 12})}, "Kafka", "oldest 12 records of f1.event;"),
        # Answers of NiFi that were lost: the blocks are in Kafka and wait in the gateway to be posted again.
        ({"in_kafka": 19_100}, "Kafka", "datagrams moved while they were counted: between 19,036 and 19,573"),
        ({"before": status(received=19_500, forwarded=18_500)}, "Kafka", "between 18,536 and 19,573"),
        ({"in_kafka": 18_800, "before": status(received=19_500, forwarded=18_500)}, "Kafka", "moved while"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_not_claimed(changes, name, remark):
    found = equations(replace(STANDING, **changes))
    assert [each.name for each in found if each.closes is not True] == [name]
    (equation,) = [each for each in found if each.closes is None]
    assert remark in equation.remarks[0]
    assert exit_code(found) == 3
    assert as_dict(found, "a")["closes"] is None


def test_facts_that_kafka_deleted_can_be_compared_no_more():
    found = named_equations(replace(STANDING, deleted=Counter({"f1.motion": 5}), read=READ._replace(read_datagrams=1)))
    assert (found["Spark"].closes, found["Kafka"].closes) == (None, None)
    # A sum that is wrong whatever was deleted is still wrong.
    more = replace(STANDING, deleted=Counter({"f1.motion": 5}), in_kafka=30_000)
    assert exit_code(equations(more)) == 1


def test_duplicates_and_other_ledgers_are_said_beside():
    found = named_equations(replace(STANDING, repeated=64, redriven=9, foreign=7))["Kafka"]
    assert found.closes is True
    assert found.remarks == (
        "beside these 64 datagrams stand in Kafka again, in blocks that came twice",
        "beside these 9 datagrams stand there again, redriven from the dead letters",
        "beside these 7 datagrams there are of other ledgers",
    )


def test_json_has_every_number():
    said = as_dict(equations(STANDING), "65f0c0de1a2b3c4d")
    assert (said["ledger"], said["closes"]) == ("65f0c0de1a2b3c4d", True)
    gateway = said["equations"][0]
    assert gateway["left"] == {"received": {"value": 20_000}}
    assert gateway["right"]["rejected"] == {"value": 43, "by_reason": {"too_short": 31, "wrong_size": 12}}
    assert (gateway["difference"], gateway["closes"], gateway["remarks"]) == (0, True, ())


def test_at_rest_means_that_nothing_is_on_its_way():
    still = status(waiting=0, dead_letter={"forwarded": 36, "waiting": 0, "dropped": 7}, forwarded=19_532)
    rest = replace(STANDING, before=still, after=still, queued=0, read=READ._replace(unread=Counter()))
    assert rest.at_rest
    for change in (
        {"queued": 1},
        {"queued_unknown": 1},
        {"read": READ},
        {"before": still | {"received": 19_999}},
        {"after": still | {"waiting": 1}},
        {"after": still | {"dead_letter": {"forwarded": 36, "waiting": 1, "dropped": 6}}},
    ):
        assert not replace(rest, **change).at_rest


# --- what counts them ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block_id", "ledger", "number"),
    [
        ("65f0c0de1a2b3c4d-0000001f", "65f0c0de1a2b3c4d", 31),
        ("a-b-ff", "a-b", 255),
        ("a-123456789", "a", 0x123456789),  # more than eight digits
        ("", "", 0),
        ("deadbeef", "", 0),
        ("-1f", "", 0),
        ("a-none", "", 0),
    ],
)
def test_a_block_has_a_number_in_its_ledger(block_id, ledger, number):
    assert named(block_id) == (ledger, number)


@given(st.lists(st.integers(0, 200) | st.integers(2**16 - 3, 2**16 + 3) | st.integers(0, 2**40), max_size=80))
def test_numbers_are_a_set(given_numbers):
    numbers, model = Numbers(), set()
    for number in given_numbers:
        assert (number in numbers) == (number in model)
        assert numbers.add(number) == (number not in model)
        model.add(number)
