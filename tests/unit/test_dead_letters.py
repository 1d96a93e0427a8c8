"""What is posted of a dead letter, and how one reads: from headers and bytes written down here."""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
import typer

from pitlane.cli_dead_letters import moment, problem
from pitlane.dead_letters import DeadLetter, NoLetter, Where
from pitlane.redrive import StillRejected, flowfiles
from tests.datagrams import datagram, session

ARRIVAL = 1_750_000_000_000_000_001


def letter(content: bytes, **headers: str) -> tuple[DeadLetter, bytes]:
    said = {name.replace("_", ".", 1): value for name, value in headers.items()}
    return DeadLetter(Where(1, 17), datetime.now(UTC), said, len(content), (), None), content


def block(*datagrams: bytes, rig: bytes = b"rig-1") -> bytes:
    return b"".join(struct.pack("<Q16s", ARRIVAL + n, rig) + raw for n, raw in enumerate(datagrams))


REFUSED = {
    "packet_format": "2025", "packet_id": "6", "packet_name": "car_telemetry", "block_id": "a-00000001",
    "block_count": "2", "block_bytes": "1376", "block_first_arrival_ns": "5", "shard": "1",
}  # fmt: skip


def test_what_kafka_refused_goes_as_it_was_posted() -> None:
    why = {"reject_reason": "record_too_large", "reject_detail": "…", "reject_topic": "f1.car_telemetry"}
    ((attributes, content),) = flowfiles(*letter(b"whatever it is", **REFUSED, **why))
    assert content == b"whatever it is"
    # Without why it was refused, or its record would look like a dead letter.
    assert attributes == {name.replace("_", ".", 1): value for name, value in REFUSED.items()} | {"block.redrives": "1"}


@pytest.mark.parametrize(("before", "after"), [("1", "2"), ("9", "10"), ("x", "1"), ("-1", "1")])
def test_it_says_how_many_times_it_was_sent_again(before: str, after: str) -> None:
    ((attributes, _),) = flowfiles(*letter(b"", block_redrives=before))
    assert attributes == {"block.redrives": after}


REJECTED = {
    "packet_format": "none", "packet_id": "none", "packet_name": "rejected", "block_id": "a-00000002",
    "block_first_arrival_ns": str(ARRIVAL), "shard": "1", "reject_reason": "unknown_packet",
}  # fmt: skip


def test_what_the_gateway_rejected_goes_as_the_packet_that_it_is_by_now() -> None:
    content = block(datagram(6), datagram(6, frame=701))
    ((attributes, sent),) = flowfiles(*letter(content, **REJECTED, block_count="2", block_bytes=str(24 + 1352)))
    assert sent == content
    assert attributes == {
        "packet.format": "2025",
        "packet.id": "6",
        "packet.name": "car_telemetry",
        "block.id": "a-00000002",
        "block.count": "2",
        "block.bytes": "1376",
        "block.first_arrival_ns": str(ARRIVAL),
        "shard": "1",
        "block.redrives": "1",
    }


def test_datagrams_of_several_packets_become_a_block_of_each() -> None:
    # A motion packet has the same size in two formats, so the gateway gathered them in one block.
    motions = [datagram(0, packet_format=f, frame=n) for n, f in enumerate((2025, 2023, 2025))]
    content = block(*motions)
    found = flowfiles(*letter(content, **REJECTED, block_count="3", block_bytes=str(24 + 1349)))
    assert {attributes["packet.format"]: (attributes["block.count"], sent) for attributes, sent in found} == {
        "2025": ("2", content[: 24 + 1349] + content[2 * (24 + 1349) :]),
        "2023": ("1", content[24 + 1349 : 2 * (24 + 1349)]),
    }
    assert [attributes["block.first_arrival_ns"] for attributes, _ in found] == [str(ARRIVAL), str(ARRIVAL + 1)]


@pytest.mark.parametrize(
    ("content", "length", "words"),
    [
        (block(b"junk" * 10, b"null" * 10), 64, "unknown_format 2"),
        (block(datagram(6), datagram(6)[:-1] + b""), 1376, "no block"),
        (block(datagram(6)[:2] * 676), 1376, "unknown_packet 1"),
        (block(session()), 24 + 753, "session packets, which the gateway stores itself 1"),
        (b"", 0, "no block"),
    ],
)
def test_what_the_gateway_would_still_reject_is_not_sent(content: bytes, length: int, words: str) -> None:
    with pytest.raises(StillRejected, match=words):
        flowfiles(*letter(content, **REJECTED, block_bytes=str(length)))


@pytest.mark.parametrize(("text", "where"), [("0:17", (0, 17)), ("1:0", (1, 0))])
def test_a_dead_letter_has_a_name(text: str, where: tuple[int, int]) -> None:
    assert Where.parse(text) == where
    assert str(Where.parse(text)) == text


@pytest.mark.parametrize("text", ["", "17", "0:", ":1", "0:-1", "a:1", "0:1:2", "f1.dead_letter:0:1"])
def test_what_is_no_name_says_so(text: str) -> None:
    with pytest.raises(NoLetter):
        Where.parse(text)


@pytest.mark.parametrize(
    ("headers", "packet", "reason"),
    [
        ({"packet_format": "2025", "packet_id": "6", "packet_name": "car_telemetry"}, "car_telemetry 2025", "unknown_packet"),
        ({"packet_format": "2025", "packet_id": "99"}, "99 2025", "unknown_packet"),
        ({"packet_id": "none", "packet_name": "rejected", "reject_reason": "too_short"}, "", "too_short"),
        ({}, "", "unknown_packet"),
    ],
)  # fmt: skip
def test_what_a_list_says_of_it(headers: Mapping[str, str], packet: str, reason: str) -> None:
    found, _ = letter(b"", **headers)
    assert (found.packet, found.reason, found.datagrams) == (packet, reason, 1)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"abc", "too_short: 3 bytes, and a header alone has 29"),
        (struct.pack("<H", 2022) + bytes(27), "unknown_format: format 2022, and known are 2023 to 2026"),
        (struct.pack("<HBBBBB", 2025, 25, 1, 0, 1, 17) + bytes(40), "unknown_packet: packet ID 17 of format 2025"),
        (datagram(6)[:-2], "wrong_size: 1,350 bytes, and car_telemetry of format 2025 has 1,352"),
        (datagram(6), "nothing is wrong with it: car_telemetry of format 2025"),
    ],
)
def test_what_is_wrong_with_a_datagram(raw: bytes, words: str) -> None:
    assert problem(raw) == words


def test_a_time_or_how_long_ago() -> None:
    now = datetime.now(UTC)
    for text, ago in {"90s": 90, "10m": 600, "2h": 7200, "1d": 86_400}.items():
        assert abs(now - moment(text) - timedelta(seconds=ago)) < timedelta(seconds=30)
    assert moment("2026-03-01T12:00+02:00") == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert moment("2026-03-01T12:00").tzinfo is not None
    for text in ("", "10", "m", "-1h", "yesterday"):
        with pytest.raises(typer.BadParameter):
            moment(text)
