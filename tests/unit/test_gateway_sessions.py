"""What Postgres gets of session packets: rows and the samples that say something new, from literal bytes."""

import struct
from datetime import timedelta

import pytest

from tests.datagrams import session
from udp_gateway.blocks import Block, BlockKey
from udp_gateway.segment import Spooled
from udp_gateway.sessions import changes, read_block

NOW = 1_795_352_725_126_000_000


def spooled(*datagrams: bytes, rig: str = "a") -> Spooled:
    """A block of session packets, a second apart."""
    entries = [struct.pack("<Q16s", NOW + n * 10**9, rig.encode()) + raw for n, raw in enumerate(datagrams)]
    return Spooled(0, Block(BlockKey(2025, 1, "session", 0, 753), len(entries), NOW, b"".join(entries)))


def test_a_block_gives_row_and_sample_of_each_packet():
    read = list(read_block(spooled(session({32: ("B", 57)}), session({32: ("B", 58)}), rig="left")))
    assert [(said.row.rig, said.row.total_laps) for said in read] == [("left", 57), ("left", 58)]
    assert read[1].row.started_at - read[0].row.started_at == timedelta(seconds=1)
    merged = read[0].row.merged(read[1].row)
    assert merged.last_seen_at - merged.started_at == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("offset", "code"), [(29, "B"), (30, "b"), (31, "b"), (38, "H"), (153, "B")],
    ids=["weather", "track temperature", "air temperature", "time left", "safety car"],
)  # fmt: skip
def test_a_sample_is_taken_when_something_changed(offset, code):
    said = [1, 1, 2, 2, 1]
    packets = [session({offset: (code, value)}, overall_frame=10 * n + 10) for n, value in enumerate(said)]
    samples = [said.sample for said in read_block(spooled(*packets))]
    last: dict = {}
    assert list(changes(samples[:3], last)) == [samples[0], samples[2]]
    assert list(changes(samples[3:], last)) == [samples[4]], "also over batches"


def test_another_session_and_another_rig_start_with_a_sample():
    samples = [said.sample for said in read_block(spooled(session(uid=1), session(uid=2)))]
    samples += [said.sample for said in read_block(spooled(session(uid=1), rig="b"))]
    assert list(changes(samples, {})) == samples
