"""What the gateway's status alone tells; the rest of the doctor's rounds is tried on real servers."""

import copy

import pytest

from pitlane.doctor import judge

HEALTHY = {
    "received": 500,
    "rejected": {},
    "nifi": {"state": "up", "last_error": ""},
    "postgres": {"state": "up", "last_error": ""},
    "rigs": {"127.0.0.1": {"silent_s": 0.1, "rate_hz": 150.0, "session": "00000000000000aa"}},
}


def status(**changes):
    return copy.deepcopy(HEALTHY) | changes


def judged(status, host="127.0.0.1"):
    finding = judge(status, 20777, host)
    return finding and finding.reason


def test_nothing_is_wrong_with_a_running_feed():
    assert judged(HEALTHY) is None


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("nothing_received", {"received": 0, "rigs": {}}),
        ("wrong_format", {"rejected": {"unknown_format": 400, "too_short": 100}, "rigs": {}}),
        ("nifi_refuses", {"nifi": {"state": "down", "last_error": "refused"}}),
        ("postgres_refuses", {"postgres": {"state": "down", "last_error": "refused"}}),
        ("feed_stopped", {"rigs": {"a": {"silent_s": 30.0, "rate_hz": 0.0, "session": "00000000000000aa"}}}),
        ("no_session", {"rigs": {"a": {"silent_s": 0.1, "rate_hz": 9.0, "session": "0000000000000000"}}}),
    ],
)
def test_each_reason_is_told_from_the_counts(reason, changes):
    assert judged(status(**changes)) == reason


def test_a_few_refused_datagrams_among_good_ones_are_no_finding():
    assert judged(status(rejected={"too_short": 3})) is None


def test_one_silent_rig_beside_a_live_one_is_no_finding():
    rigs = HEALTHY["rigs"] | {"b": {"silent_s": 900.0, "rate_hz": 0.0, "session": "00000000000000bb"}}
    assert judged(status(rigs=rigs)) is None


def test_the_advice_fits_where_the_gateway_listens():
    local = judge(status(received=0), 20777, "127.0.0.1").text
    assert "this machine only" in local
    assert "PITLANE_UDP_HOST=0.0.0.0" in local
    everywhere = judge(status(received=0), 20778, "0.0.0.0").text
    assert "firewall" in everywhere
    assert "port 20778" in everywhere
    assert "\n" not in local + everywhere
