"""What taps get: messages by literal bytes, and the sums that make a loss exact. Over sockets: test_record.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udp_gateway.raw import ENTRY, MESSAGE_BYTES, Broken, Entry, Tap, decode, of_rig

# Number 7; then "hi!" from 192.168.0.7 at 1,750,000,000.123456789 s, and nothing at all from ::1 a nanosecond later.
MESSAGE = (
    bytes.fromhex("0700000000000000")
    + bytes.fromhex("15cd4a6cba3f4918 0b 0300") + b"192.168.0.7" + b"hi!"
    + bytes.fromhex("16cd4a6cba3f4918 03 0000") + b"::1"
)  # fmt: skip
ENTRIES = [Entry(1_750_000_000_123_456_789, "192.168.0.7", b"hi!"), Entry(1_750_000_000_123_456_790, "::1", b"")]


def test_the_literal_is_right() -> None:
    assert int.from_bytes(MESSAGE[8:16], "little") == 1_750_000_000_123_456_789


def test_reads_the_literal() -> None:
    assert decode(MESSAGE) == (7, ENTRIES)
    assert decode(MESSAGE[:8]) == (7, [])


def entry(datagram: bytes, source: str = "192.168.0.7", arrival_ns: int = 1) -> bytes:
    return (
        arrival_ns.to_bytes(8, "little")
        + bytes([len(source), *len(datagram).to_bytes(2, "little")])
        + (source.encode() + datagram)
    )


def test_gathers_the_literal() -> None:
    tap = Tap()
    for _ in range(7):
        tap.offer(entry(b"x"))
    assert decode(tap.take() or b"")[0] == 0
    for raw in (MESSAGE[8:33], MESSAGE[33:]):
        tap.offer(raw)
    assert tap.take() == MESSAGE
    assert tap.take() is None


@given(st.integers(0, len(MESSAGE)))
def test_a_cut_message_is_broken_or_ends_between_entries(kept: int) -> None:
    if kept in (8, 33, len(MESSAGE)):
        assert decode(MESSAGE[:kept])[0] == 7
    else:
        with pytest.raises(Broken):
            decode(MESSAGE[:kept])


@given(st.binary(max_size=200))
def test_any_bytes_are_entries_or_broken(content: bytes) -> None:
    try:
        _, entries = decode(content)
    except Broken:
        return
    assert 8 + sum(ENTRY.size + len(e.source) + len(e.datagram) for e in entries) == len(content)


@given(st.lists(st.one_of(st.integers(0, 60), st.none()), max_size=200), st.integers(0, 300))
def test_what_is_lost_is_known_exactly(steps: list[int | None], limit_bytes: int) -> None:
    """Datagrams of some length come, and at None the reader takes a message."""
    tap = Tap(limit_bytes=limit_bytes)
    offered, got, lost = 0, [], 0
    waiting = 0
    for step in [*steps, *[None] * 200]:
        if step is None:
            message = tap.take()
            if message is None:
                assert len(got) + lost == offered
                continue
            number, entries = decode(message)
            assert number >= len(got) + lost
            lost = number - len(got)
            got += [e.arrival_ns for e in entries]
            waiting -= len(message) - 8
        else:
            raw = entry(bytes(step), arrival_ns=offered)
            waiting += len(raw) if waiting + len(raw) <= limit_bytes else 0
            tap.offer(raw)
            offered += 1
    assert len(got) + lost == offered
    assert got == sorted(set(got))
    assert waiting == 0


def test_messages_are_bounded_and_say_where_something_is_missing() -> None:
    raw = entry(bytes(60_000))
    tap = Tap(limit_bytes=10 * len(raw))
    for _ in range(12):
        tap.offer(raw)
    first = tap.take()
    assert first is not None
    assert len(first) <= MESSAGE_BYTES
    tap.offer(raw)
    numbers = [(decode(message)[0], len(decode(message)[1])) for message in iter(tap.take, None)]
    assert len(decode(first)[1]) == 4
    assert numbers == [(4, 4), (8, 2), (12, 1)]


def test_after_its_end_a_tap_takes_nothing_more() -> None:
    tap = Tap()
    tap.offer(entry(b"a"))
    tap.end()
    tap.offer(entry(b"b"))
    assert decode(tap.take() or b"") == (0, [Entry(1, "192.168.0.7", b"a")])
    assert tap.take() is None


async def test_it_says_at_once_that_it_listens_and_ends_with_what_waits() -> None:
    tap, sent = Tap(), []

    async def send(message: bytes) -> None:
        sent.append(decode(message))
        if len(sent) == 1:
            tap.offer(entry(b"a"))
            tap.end()

    await tap.run(send)
    assert sent == [(0, []), (0, [Entry(1, "192.168.0.7", b"a")])]


def test_a_rig_is_its_name_or_its_address() -> None:
    names = {"192.168.0.7": "sim-1"}
    assert of_rig("sim-1", names)("192.168.0.7")
    assert of_rig("192.168.0.7", names)("192.168.0.7")
    assert not of_rig("sim-1", names)("192.168.0.8")
    assert of_rig("", names)("192.168.0.8")
