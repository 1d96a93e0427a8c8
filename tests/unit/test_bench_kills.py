"""What is concluded from kills and outages, against cases worked out by hand."""

from collections import Counter

import pytest

from benchmarks.kafka_outage import MB, memory, refusals
from benchmarks.kills import gaps, key, lacking
from benchmarks.load import Begun, Sent
from benchmarks.outage import Moment, Outage
from benchmarks.pipeline import InKafka
from tests.datagrams import datagram


def test_block_ids_have_no_gaps_from_the_first_on() -> None:
    assert gaps(set()) == 0
    assert gaps({"abc-00000000", "abc-00000001", "d-e-00000000"}) == 0
    assert gaps({"abc-00000000", "abc-00000010"}) == 15, "hexadecimal"
    assert gaps({"abc-00000002"}) == 2


def test_what_is_lacking_is_told_by_packet_and_sessions_are_none_of_it() -> None:
    sent = [datagram(6), datagram(6, frame=701), datagram(2), datagram(1)]
    keys = Counter(map(key, sent))
    assert len(keys) == 4
    assert lacking(keys, InKafka(contents=keys.copy())) == Counter()
    assert lacking(keys + keys, InKafka(contents=keys.copy())) == {"car_telemetry": 2, "lap_data": 1}
    assert lacking(keys, InKafka()) == {"car_telemetry": 2, "lap_data": 1}


def outage(*moments: Moment) -> Outage:
    """Kafka stopped from 10 to 20."""
    return Outage(
        title="Kafka", stopped_s=10, calm_from=0, down_from=10, starting=20, up_at=23, usual=0, gone=True,
        gone_after_s=1, seen=list(moments), frames=[], begun=Begun(0, []), sent=Sent(), status={}, held=InKafka(),
    )  # fmt: skip


def moment(at: float, error: str = "", gateway: int = 100, nifi: int = 900) -> Moment:
    return Moment(at, 0, int(at) * MB, "down" if error else "up", error, {"gateway": gateway * MB, "nifi": nifi * MB})


def test_memory_is_flat_between_the_first_refusal_and_the_end() -> None:
    full = "HTTP 503 full"
    seen = outage(
        moment(5, gateway=80), moment(11), moment(13, full, 100), moment(14, full, 102, 910), moment(15, full, 104),
        moment(18, full, 110), moment(19, full, 108), moment(20, full, 108, 905), moment(22, full, 150),
    )  # fmt: skip
    gateway, nifi = memory(seen, window_s=2)
    assert (gateway.theirs, gateway.ours, gateway.met) == (102, 108, False)
    assert gateway.note == "80 MiB before the outage, at most 150 MiB while the backlog went"
    assert (nifi.theirs, nifi.ours, nifi.met) == (900, 900, True)


@pytest.mark.parametrize(
    ("errors", "met"),
    [(["HTTP 503 full"], True), (["HTTP 503 full", "ClientOSError: gone"], False), (["HTTP 404"], False), ([], False)],
)
def test_a_full_nifi_says_503_and_nothing_else(errors: list[str], met: bool) -> None:
    until, nothing, waited = refusals(outage(moment(12), *(moment(14 + n, each) for n, each in enumerate(errors))))
    assert until.met is met
    assert until.ours == (4 if errors else 10)
    assert nothing.ours == (9 if errors else 3)
    assert waited.ours == (14 + len(errors) - 1 if errors else 12)
