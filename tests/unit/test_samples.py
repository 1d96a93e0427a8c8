"""The recordings: what the unpickler admits, and that the captures are those of ../shared."""

import os
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path

import pytest

from f1_packets import PACKETS, identify
from pitlane import capture
from pitlane.samples import SampleError, sample, unpickle
from tests.shared import RACE_2026, TIME_TRIAL, needs_shared

PARTICIPANTS = {PACKETS[2025, 4], PACKETS[2026, 4]}


def test_lists_of_bytes_are_admitted() -> None:
    packets = defaultdict(list, {"A": [b"1", b"2"], "B": [b"3"]})
    assert unpickle(pickle.dumps(packets)) == [b"1", b"2", b"3"]


class Shell:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("false",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"A": [Shell()]}),
        pickle.dumps(OrderedDict(A=[b"1"])),
        pickle.dumps({"A": ["text"]}),
        pickle.dumps([b"1"]),
        pickle.dumps({"A": [bytearray(b"1")]}),
        pickle.dumps({"A": 5}),
        b"\x80\x04Pelsewhere\n.",
        b"",
        b"no pickle",
    ],
)
def test_nothing_else_is(content: bytes) -> None:
    with pytest.raises(SampleError) as raised:
        unpickle(content)
    assert raised.value.reason == "not_packets"


@needs_shared
@pytest.mark.parametrize(("name", "recording"), [("time-trial", TIME_TRIAL), ("race", RACE_2026)])
def test_samples_are_the_recordings(name: str, recording: Path) -> None:
    ours, theirs = list(capture.read(sample(name))), list(capture.read(recording))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        # Over there the players' names are masked; everything else is the same, in the same order.
        assert a.payload == b.payload or identify(a.payload) == identify(b.payload) in PARTICIPANTS
        assert abs(a.arrival_ns - b.arrival_ns) < 0.1 * capture.NANOSECONDS


def test_samples_hold_packets_and_their_notice() -> None:
    path = sample("race")
    assert {identify(datagram.payload).format for datagram in capture.read(path)} == {2026}
    assert "MIT License" in (path.parent / "race.LICENSE").read_text()
