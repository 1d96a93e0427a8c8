"""Gathering, framing and keeping blocks."""

import struct

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway import unpack
from udp_gateway import flowfile
from udp_gateway.blocks import FULL_BLOCKS, OPEN_REJECTED, Block, BlockKey, Gatherer
from udp_gateway.ledger import DROPPED, Ledger
from udp_gateway.record import Sums

MOTION = BlockKey(2025, 0, "motion", 1, 4)
SPEED = BlockKey(2025, 6, "car_telemetry", 0, 4)
JUNK = BlockKey(0, 0, "rejected", 0, 4, "too_short")
ENTRY = 28


def entry(number: int) -> bytes:
    return struct.pack("<Q16sI", number, b"rig", number)


def test_entries_of_one_kind_are_one_block():
    gathered = Gatherer(limit_bytes=1000)
    for number in range(3):
        gathered.add(MOTION, 100 + number, entry(number))
    gathered.add(SPEED, 200, entry(9))
    assert list(gathered.counts()) == [(MOTION, 3), (SPEED, 1)]
    motion, speed = gathered.take()
    assert motion == Block(MOTION, 3, 100, entry(0) + entry(1) + entry(2))
    assert speed == Block(SPEED, 1, 200, entry(9))
    assert gathered.take() == []


def test_a_block_never_outgrows_its_limit():
    gathered = Gatherer(limit_bytes=3 * ENTRY + 5)
    for number in range(7):
        gathered.add(MOTION, number, entry(number))
    assert list(gathered.counts()) == [(MOTION, 1), (MOTION, 3), (MOTION, 3)]
    blocks = gathered.take()
    assert [b.datagrams for b in blocks] == [3, 3, 1]
    assert b"".join(b.content for b in blocks) == b"".join(map(entry, range(7)))
    assert [b.first_arrival_ns for b in blocks] == [0, 3, 6]


def test_large_blocks_are_handed_over_before_the_time():
    gathered = Gatherer(limit_bytes=ENTRY)
    for number in range(FULL_BLOCKS):
        assert not gathered.is_full
        gathered.add(MOTION, number, entry(number))
    assert gathered.is_full
    gathered.take()
    assert not gathered.is_full


def test_attributes_are_what_nifi_routes_on_and_kafka_keeps():
    gathered = Gatherer(limit_bytes=1000)
    gathered.add(MOTION, 7, entry(1))
    gathered.add(MOTION, 8, entry(2))
    assert gathered.take()[0].attributes("id-0") == {
        "packet.format": "2025", "packet.id": "0", "packet.name": "motion", "block.id": "id-0", "block.count": "2",
        "block.bytes": "28", "block.first_arrival_ns": "7", "shard": "1",
    }  # fmt: skip


def test_a_rejected_block_says_why():
    gathered = Gatherer(limit_bytes=1000)
    assert gathered.add(JUNK, 7, entry(1))
    attributes = gathered.take()[0].attributes("id-0")
    assert attributes["packet.name"] == "rejected"
    assert (attributes["packet.id"], attributes["packet.format"]) == ("none", "none")
    assert attributes["reject.reason"] == "too_short"


def test_junk_of_every_length_does_not_become_a_flowfile_for_each():
    gathered = Gatherer(limit_bytes=1000)
    taken = [gathered.add(JUNK._replace(datagram_bytes=n), n, bytes(24 + n)) for n in range(OPEN_REJECTED + 10)]
    assert taken == [True] * OPEN_REJECTED + [False] * 10
    assert gathered.add(JUNK._replace(datagram_bytes=3), 1, bytes(27)), "a kind that is open takes more"
    assert gathered.add(MOTION, 1, entry(1)), "packets are never refused"
    gathered.take()
    assert gathered.add(JUNK._replace(datagram_bytes=999), 1, bytes(1023))


# --- framing ----------------------------------------------------------------------------------------------------


def test_flowfile_v3_bytes():
    body = flowfile.pack([({"a": "1", "städte": "ok"}, b"xyz"), ({}, b"")])
    assert body == (
        b"NiFiFF3" b"\x00\x02"
        b"\x00\x01a" b"\x00\x011"
        b"\x00\x07st\xc3\xa4dte" b"\x00\x02ok"
        b"\x00\x00\x00\x00\x00\x00\x00\x03xyz"
        b"NiFiFF3" b"\x00\x00" b"\x00\x00\x00\x00\x00\x00\x00\x00"
    )  # fmt: skip


def test_a_value_longer_than_two_bytes_can_say():
    body = flowfile.pack([({"k": "v" * 0xFFFF}, b"")])
    assert body.startswith(b"NiFiFF3\x00\x01\x00\x01k\xff\xff\x00\x00\xff\xffvvv")
    assert flowfile.pack([({"k": "v" * 0xFFFE}, b"")]).startswith(b"NiFiFF3\x00\x01\x00\x01k\xff\xfevvv")


@given(st.lists(st.tuples(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5), st.binary())))
def test_any_flowfiles_come_apart_again(flowfiles):
    assert unpack(flowfile.pack(flowfiles)) == flowfiles


# --- counts -----------------------------------------------------------------------------------------------------


def counted() -> Ledger:
    """12 received: 2 stored, 1 skipped, 1 forwarded, 1 dropped, 3 rejected (1 forwarded, 1 dropped); the others wait."""
    ledger = Ledger(received=12, stored=2)
    ledger.skipped["no_session"] += 1
    ledger.gathered(MOTION, 5)
    ledger.gathered(SPEED, 3)
    for _ in range(3):
        ledger.gathered(JUNK)
    ledger.taken(Sums(1, 1))
    ledger.drop(Sums(1, 1), "spool_full")
    return ledger


WAITING = Sums(4, 1)


def test_the_ledger_keeps_packets_and_dead_letter_apart():
    assert counted().as_dict(WAITING) == {
        "received": 12, "stored": 2, "skipped": {"no_session": 1}, "forwarded": 1, "waiting": 4,
        "rejected": {"too_short": 3}, "dropped": {"spool_full": 1},
        "dead_letter": {"forwarded": 1, "waiting": 1, "dropped": 1},
        "packets": {"2025": {"motion": 5, "car_telemetry": 3}},
    }  # fmt: skip
    assert counted().accounted(WAITING) == 12


def test_counts_outlive_the_process():
    note = orjson.loads(orjson.dumps(counted().note()))
    again = Ledger.recover(note, [], WAITING, received=12)
    assert again.as_dict(WAITING) == counted().as_dict(WAITING)


def test_what_a_crash_took_is_counted():
    again = Ledger.recover(counted().note(), [], WAITING, received=20)
    assert (again.received, again.dropped["crash"]) == (20, 8)
    assert again.accounted(WAITING) == 20


def test_blocks_that_no_note_counts_are_counted():
    behind = [Block(MOTION, 6, 0, b""), Block(JUNK, 2, 0, b"")]
    again = Ledger.recover(counted().note(), behind, WAITING + Sums(6, 2), received=20)
    assert (again.rejected["too_short"], again.packets[2025, 0, "motion"]) == (5, 11)
    assert (again.received, again.dropped["crash"], again.accounted(WAITING + Sums(6, 2))) == (20, 0, 20)


def test_rejected_datagrams_whose_block_is_damaged_are_of_unknown_reason():
    again = Ledger.recover(counted().note(), [], WAITING + Sums(0, 2), received=14)
    assert again.rejected == {"too_short": 3, "unknown": 2}
    assert again.accounted(WAITING + Sums(0, 2)) == 14


def test_a_count_that_the_machine_lost_is_made_good():
    assert Ledger.recover(counted().note(), [], WAITING, received=0).received == 12


def test_a_new_ledger_begins_at_nothing():
    assert Ledger.recover(None, [], Sums(), received=0) == Ledger()


def test_every_reason_is_explained():
    assert set(counted().dropped) <= set(DROPPED)
