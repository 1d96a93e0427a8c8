from collections import Counter

import pytest

from pitlane.settlement import Arrived

CLOSED = {
    "received": 100,
    "stored": 10,
    "skipped": Counter(no_session=5),
    "forwarded": 82,
    "rejected": Counter(too_short=3),
    "dead_letters": 3,
    "in_kafka": Counter({"f1.motion": 82, "f1.dead_letter": 3}),
}


def test_counts_that_close():
    assert Arrived(**CLOSED).missing(100) == []


@pytest.mark.parametrize(
    ("changes", "sent", "words"),
    [
        ({"kernel_drops": 7}, 110, "10 of 110 datagrams did not reach the gateway, 7 of them dropped by the kernel"),
        ({"waiting": 4, "forwarded": 78, "in_kafka": Counter(a=81)}, 100, "4 datagrams wait in the gateway"),
        ({"stored": 9}, 100, "received 100 and accounts for 99"),
        (
            {"forwarded": 80, "dropped": Counter(spool_full=2), "in_kafka": Counter(a=83)},
            100,
            "2 datagrams were given up",
        ),
        ({"in_kafka": Counter(a=80)}, 100, "NiFi took 85 datagrams and Kafka has 80"),
        ({"in_kafka": Counter(a=86)}, 100, "NiFi took 85 datagrams and Kafka has 86"),
        ({"unread_by_spark": Counter(a=2)}, 100, "Spark has 2 Kafka records to go"),
    ],
)
def test_what_does_not_close_is_said(changes, sent, words):
    (found,) = Arrived(**CLOSED | changes).missing(sent)
    assert words in found
