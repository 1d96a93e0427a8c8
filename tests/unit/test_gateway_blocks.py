"""Gathering, framing and keeping blocks."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway import unpack
from udp_gateway import flowfile
from udp_gateway.blocks import OPEN_REJECTED, Block, BlockKey, Gatherer
from udp_gateway.ledger import Ledger
from udp_gateway.outbox import Outbox

MOTION = BlockKey(2025, 0, "motion", 1, 4)
SPEED = BlockKey(2025, 6, "car_telemetry", 0, 4)
JUNK = BlockKey(0, 0, "rejected", 0, 4, "too_short")
ENTRY = 28


def gatherer(limit_bytes: int = 1000) -> Gatherer:
    ids = iter(range(10_000))
    return Gatherer(limit_bytes, lambda: f"id-{next(ids)}")


def entry(number: int) -> bytes:
    return struct.pack("<Q16sI", number, b"rig", number)


def block(number: int, size: int, key: BlockKey = MOTION) -> Block:
    return Block(key, f"id-{number}", 1, number, bytes(size))


def test_entries_of_one_kind_are_one_block():
    gathered = gatherer()
    for number in range(3):
        gathered.add(MOTION, 100 + number, entry(number))
    gathered.add(SPEED, 200, entry(9))
    assert list(gathered.counts()) == [(MOTION, 3), (SPEED, 1)]
    motion, speed = gathered.take()
    assert motion == Block(MOTION, "id-0", 3, 100, entry(0) + entry(1) + entry(2))
    assert speed == Block(SPEED, "id-1", 1, 200, entry(9))
    assert gathered.take() == []


def test_a_block_never_outgrows_its_limit():
    gathered = gatherer(limit_bytes=3 * ENTRY + 5)
    for number in range(7):
        gathered.add(MOTION, number, entry(number))
    assert list(gathered.counts()) == [(MOTION, 1), (MOTION, 3), (MOTION, 3)]
    blocks = gathered.take()
    assert [b.datagrams for b in blocks] == [3, 3, 1]
    assert b"".join(b.content for b in blocks) == b"".join(map(entry, range(7)))
    assert [b.first_arrival_ns for b in blocks] == [0, 3, 6]


def test_attributes_are_what_nifi_routes_on_and_kafka_keeps():
    gathered = gatherer()
    gathered.add(MOTION, 7, entry(1))
    gathered.add(MOTION, 8, entry(2))
    assert gathered.take()[0].attributes() == {
        "packet.format": "2025", "packet.id": "0", "packet.name": "motion", "block.id": "id-0", "block.count": "2",
        "block.bytes": "28", "block.first_arrival_ns": "7", "shard": "1",
    }  # fmt: skip


def test_a_rejected_block_says_why():
    gathered = gatherer()
    assert gathered.add(JUNK, 7, entry(1))
    attributes = gathered.take()[0].attributes()
    assert attributes["packet.name"] == "rejected"
    assert (attributes["packet.id"], attributes["packet.format"]) == ("none", "none")
    assert attributes["reject.reason"] == "too_short"


def test_junk_of_every_length_does_not_become_a_flowfile_for_each():
    gathered = gatherer()
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


# --- waiting for NiFi ---------------------------------------------------------------------------------------------


def test_the_outbox_gives_blocks_in_order_and_again_until_forgotten():
    outbox = Outbox(1000, on_drop=pytest.fail)
    outbox.append([block(n, 100) for n in range(5)])
    first = list(outbox.batch(limit_bytes=250))
    assert [b.block_id for b in first] == ["id-0", "id-1"]
    outbox.append([block(5, 100)])
    assert outbox.batch(limit_bytes=250) == first
    assert outbox.forget() == first
    assert [b.block_id for b in outbox.batch(10_000)] == ["id-2", "id-3", "id-4", "id-5"]
    outbox.forget()
    assert (len(outbox), outbox.bytes, outbox.batch(10)) == (0, 0, [])


def test_a_block_above_the_batch_limit_goes_alone():
    outbox = Outbox(1000, on_drop=pytest.fail)
    outbox.append([block(0, 500), block(1, 1)])
    assert [b.block_id for b in outbox.batch(100)] == ["id-0"]


def test_beyond_the_limit_the_oldest_are_dropped_but_never_what_is_out():
    dropped: list[Block] = []
    outbox = Outbox(300, dropped.append)
    outbox.append([block(n, 100) for n in range(3)])
    outbox.batch(100)
    outbox.append([block(3, 100), block(4, 100)])
    assert [b.block_id for b in dropped] == ["id-1", "id-2"]
    assert [b.block_id for b in outbox] == ["id-0", "id-3", "id-4"]
    assert outbox.bytes == 300


@given(st.lists(st.one_of(st.integers(1, 200), st.sampled_from(["batch", "forget"])), max_size=60))
def test_every_block_arrives_once_or_is_dropped_once(actions):
    dropped: list[Block] = []
    arrived: list[Block] = []
    outbox = Outbox(500, dropped.append)
    sent = 0
    for action in actions:
        if action == "batch":
            outbox.batch(250)
        elif action == "forget":
            arrived += outbox.forget()
        else:
            outbox.append([block(sent, action)])
            sent += 1
        assert outbox.bytes == sum(b.size for b in outbox) <= 500 + 250
    ids = [b.first_arrival_ns for b in [*arrived, *dropped, *outbox]]
    assert sorted(ids) == list(range(sent))
    assert [b.first_arrival_ns for b in arrived] == sorted(b.first_arrival_ns for b in arrived)


# --- counts -----------------------------------------------------------------------------------------------------


def test_the_ledger_keeps_packets_and_dead_letter_apart():
    ledger = Ledger(received=12)
    ledger.rejected["too_short"] = 3
    ledger.skipped["no_session"] = 1
    ledger.packets[2025, 0, "motion"] = 5
    ledger.packets[2025, 6, "car_telemetry"] = 3
    ledger.stored = 2
    ledger.block_arrived(block(0, 1))
    ledger.block_arrived(block(1, 1, JUNK))
    ledger.block_dropped(block(2, 1), "outbox_full")
    ledger.block_dropped(block(3, 1, JUNK), "outbox_full")
    assert ledger.as_dict([(MOTION, 2), (SPEED, 1), (JUNK, 1)], waiting_sessions=1) == {
        "received": 12, "stored": 2, "skipped": {"no_session": 1}, "forwarded": 1, "waiting": 4,
        "rejected": {"too_short": 3}, "dropped": {"outbox_full": 1},
        "dead_letter": {"forwarded": 1, "waiting": 1, "dropped": 1},
        "packets": {"2025": {"motion": 5, "car_telemetry": 3}},
    }  # fmt: skip
