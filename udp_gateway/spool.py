"""Blocks on disk, from the moment they are gathered until their taker has them.

Format. A spool is a folder of segments, files of records (`udp_gateway.record`) named by a number that
counts up: `0000000000000000.spool`. Each `append` writes its blocks and behind them one state: the id of the spool,
the position from which blocks are still held, and a note of the owner (the gateway's ledger). The blocks of one append
are a run; what is kept in memory is where each run lies, never a block.

Invariants.
1. A block is on disk before it is given out: `batch` gives only what `sync` has seen through. A sync that fails is
   logged, and its blocks are given out all the same: their taker is then safer than this disk.
2. A block is held from `append` until `forget`; until then `batch` gives the same blocks again, under the same ids.
3. Blocks come out in the order they went in. Their sequence numbers have no gaps, over restarts neither.
4. A segment is deleted when all its blocks are forgotten and a state that says so is on disk behind it.
5. The folder never grows beyond `limit_bytes`: the oldest segment goes first, its datagrams counted (`spool_full`).
   A disk without room is a limit as well; what it refuses even then is counted too (`spool_failed`).
6. What is damaged is never given out. Its datagrams are counted exactly, and once, when the blocks around it are
   forgotten (`spool_damaged`): the sums in the headers tell.

Recovery. Opening reads every header, in order. The last state that is whole says what is still held and what the owner
noted. Blocks behind it were written by an append that was cut short: they are held too, and the owner is told of them
(`Recovered.unaccounted`), since no note counts them. What follows the last whole record is a torn tail and is cut off.
A bit that flipped in a header costs this record, in a payload this block: the next record is found by its magic.
`forget` reaches the disk with the next append, so blocks forgotten just before a crash come out again.
"""

import errno
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from udp_gateway import record
from udp_gateway.blocks import Block
from udp_gateway.record import Sums
from udp_gateway.segment import Findings, Position, Run, Segment, Spooled, read

log = structlog.get_logger()

SEGMENT_BYTES = 64 * 1024 * 1024
SMALLEST_SEGMENT_BYTES = 64 * 1024

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

OnDrop = Callable[[Sums, str], None]
"""Called with the datagrams that are given up and the reason."""


class Recovered(NamedTuple):
    """What opening a spool found."""

    note: Any
    """The owner's last note; None in a new spool."""
    unaccounted: list[Block]
    """Blocks that were written after it."""


class Spool:
    """One owner, one taker, in one thread; only `sync` may run in another."""

    def __init__(self, folder: Path, limit_bytes: int, on_drop: OnDrop, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Opens the spool in `folder`, or begins one. Raises OSError when that cannot be done."""
        self._folder = folder
        self.limit_bytes = limit_bytes
        self._segment_bytes = max(SMALLEST_SEGMENT_BYTES, min(segment_bytes, limit_bytes // 8))
        self._on_drop = on_drop
        self._segments: deque[Segment] = deque()
        self._runs: deque[Run] = deque()
        self._out: list[Spooled] = []
        self._out_runs: list[Run] = []
        self._out_lost = Sums()
        self._end = Position()
        self._stated: object = None
        self.id = f"{int(time.time()):08x}{secrets.token_hex(4)}"
        """Made with the spool, and its own for as long as the folder lives."""
        self.waiting = Sums()
        """Datagrams that are held."""
        self.bytes = 0
        """Size of their blocks."""
        folder.mkdir(parents=True, exist_ok=True)  # a folder that cannot be had is told now
        self.recovered = self._recover()
        self._synced = self._end.sequence
        self._written = self._settled = (0, 0)
        """From which sequence number the last state says blocks are held, and in which segment it stands; the second
        of the last state that is on disk."""
        self._unsynced: list[Segment] = []

    def append(self, blocks: Iterable[Block], note: Callable[[], object]) -> None:
        """Writes blocks and what the owner notes then; neither is safe from a failing machine before `sync`.

        Never raises: blocks that the disk does not take are dropped and counted.
        """
        self._reclaim()
        end = self._end
        parts: list[bytes] = []
        for block in blocks:
            parts += record.block(block, end.sequence, end.sums)
            end = Position(end.sequence + 1, end.sums + Sums.of(block.key, block.datagrams))
        size = sum(map(len, parts))
        segment = self._room(size)
        held = self._held()  # after making room, which may have dropped some
        said = {"id": self.id, "held": [held.sequence, *held.sums], "note": note()}
        if not parts and said == self._stated:
            return
        parts += record.state(said, end.sequence, end.sums)
        if segment is None or not self._write(segment, b"".join(parts)):
            self._on_drop(end.sums - self._end.sums, "spool_failed")
            return
        if size:
            start = segment.size - sum(map(len, parts))
            self._hold(Run(segment, start, start + size, self._end, end, time.time()))
        self._end, self._stated = end, said
        self._written = held.sequence, segment.number

    def sync(self) -> None:
        """Sees everything appended so far through to the disk. May take long; meant for a thread."""
        end, written = self._end.sequence, self._written
        segments, self._unsynced = self._unsynced, []
        for segment in segments:
            try:
                segment.sync()
            except OSError as error:
                log.error("spool not synced", file=segment.path.name, error=str(error))
        self._synced, self._settled = end, written

    def batch(self, limit_bytes: int) -> list[Spooled]:
        """The oldest blocks: whole runs up to `limit_bytes`, at least one if there is any; out until forgotten."""
        while not self._out and self._ready():
            size = 0
            while self._ready() and (not size or size + self._runs[0].size <= limit_bytes):
                size += self._runs[0].size
                self._give_next()
            if not self._out:  # all damaged
                self.forget()
        return self._out

    def batch_and_more(self) -> list[Spooled]:
        """The batch that is out, and one run more if there is one."""
        if self._ready():
            self._give_next()
        return self._out

    def _give_next(self) -> None:
        run = self._runs.popleft()
        blocks, lost = read(run)
        self._out_runs.append(run)
        self._out.extend(blocks)
        self._out_lost = self._out_lost + lost

    def forget(self) -> list[Spooled]:
        """The batch that is out has arrived."""
        arrived, self._out = self._out, []
        runs, self._out_runs = self._out_runs, []
        lost, self._out_lost = self._out_lost, Sums()
        for run in runs:
            self._let_go(run)
        if lost.total:
            log.error("spool damaged", datagrams=lost.total)
            self._on_drop(lost, "spool_damaged")
        return arrived

    def block_id(self, sequence: int) -> str:
        return f"{self.id}-{sequence:08x}"

    @property
    def is_empty(self) -> bool:
        return not (self._out_runs or self._runs)

    def oldest_s(self, now: float) -> float:
        """Age of the oldest block that is held, 0 without any; `now` in seconds since the epoch."""
        held = self._out_runs or self._runs
        return max(0.0, now - held[0].since) if held else 0.0

    def close(self) -> None:
        for segment in self._segments:
            os.close(segment.fd)
        self._segments.clear()

    def _ready(self) -> bool:
        return bool(self._runs) and self._runs[0].after.sequence <= self._synced

    def _held(self) -> Position:
        """From where blocks are still held."""
        held = self._out_runs or self._runs
        return held[0].begin if held else self._end

    def _hold(self, run: Run) -> None:
        self._runs.append(run)
        self.waiting = self.waiting + run.holds
        self.bytes += run.size

    def _let_go(self, run: Run) -> None:
        self.waiting = self.waiting - run.holds
        self.bytes -= run.size

    # --- writing

    def _room(self, size: int) -> Segment | None:
        """The segment to write into, after the limit is kept; None when the disk takes no new file."""
        while self._size() + size > self.limit_bytes and self._drop_oldest():
            pass
        last = self._segments[-1] if self._segments else None
        if last is None or last.size >= self._segment_bytes or last.is_sealed:
            try:
                number = last.number + 1 if last else 0
                self._segments.append(Segment.begin(self._folder, number, self._end.sequence))
            except OSError as error:
                log.error("spool cannot grow", error=str(error))
                if last is None or last.is_sealed or self._size() + size > self.limit_bytes:
                    return None
        return self._segments[-1]

    def _size(self) -> int:
        return sum(segment.size for segment in self._segments)

    def _drop_oldest(self) -> bool:
        """Gives up the oldest segment; False when it is the only one."""
        if len(self._segments) < 2:
            return False
        oldest = self._segments.popleft()
        while self._runs and self._runs[0].segment is oldest:
            run = self._runs.popleft()
            self._let_go(run)
            self._on_drop(run.holds, "spool_full")
        self._forget_segment(oldest)
        return True

    def _write(self, segment: Segment, data: bytes) -> bool:
        size, view = segment.size, memoryview(data)
        while view:
            try:
                view = view[os.write(segment.fd, view) :]
            except OSError as error:
                segment.cut(size)
                if error.errno in NO_ROOM and not segment.is_sealed and self._make_room(segment):
                    size, view = segment.size, memoryview(data)
                    continue
                log.error("spool cannot write", file=segment.path.name, error=str(error))
                return False
        segment.size = size + len(data)
        if segment not in self._unsynced:
            self._unsynced.append(segment)
        return True

    def _make_room(self, segment: Segment) -> bool:
        """On a full disk: the oldest segment goes, or what stands in the only one when nothing of it is held."""
        if self._drop_oldest():
            return True
        if not (self.is_empty and segment.size):
            return False
        segment.cut(0)
        segment.first = self._end.sequence
        return not segment.is_sealed

    def _reclaim(self) -> None:
        """Deletes segments whose blocks are all forgotten, or that hold nothing but states."""
        held_from, stated_in = self._settled
        for segment, following in pairwise(list(self._segments)):
            if segment.number < stated_in and following.first <= max(held_from, segment.first):
                self._segments.remove(segment)
                self._forget_segment(segment)

    def _forget_segment(self, segment: Segment) -> None:
        self._unsynced = [other for other in self._unsynced if other is not segment]
        segment.delete()

    def _recover(self) -> Recovered:
        found = Findings()
        end = 0
        for segment in Segment.all(self._folder):
            self._segments.append(segment)
            end = found.read(segment)
        if self._segments and end < self._segments[-1].size:
            torn = self._segments[-1]
            log.warning("spool ended in a torn record", file=torn.path.name, bytes=torn.size - end)
            torn.cut(end)
        if found.run_is_open:  # what is appended next must not look like one run with it
            self._segments[-1].is_sealed = True
        self.id = found.id or self.id
        self._end = found.end
        at = found.held
        for run in found.runs:
            if run.after.sequence > at.sequence:
                self._hold_gap(at, run.begin, run.segment)
                self._hold(run)
                at = run.after
        if self._segments:
            self._hold_gap(at, found.end, self._segments[-1])
        behind = [run for run in self._runs if run.begin.sequence >= found.stated]
        return Recovered(found.note, [spooled.block for run in behind for spooled in read(run)[0]])

    def _hold_gap(self, begin: Position, after: Position, segment: Segment) -> None:
        """Blocks that are not to be found count as a run of no bytes, all of it damaged."""
        if after.sequence > begin.sequence:
            self._hold(Run(segment, 0, 0, begin, after, time.time()))
