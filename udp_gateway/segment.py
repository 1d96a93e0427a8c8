"""Segments: the files of a spool, where the runs of blocks lie in them, and what all of them say when a spool opens."""

import os
from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import structlog

from udp_gateway import record
from udp_gateway.blocks import Block
from udp_gateway.record import BLOCK, STATE, Record, Sums

log = structlog.get_logger()

_to_disk: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # macOS has only fsync


class Spooled(NamedTuple):
    sequence: int
    block: Block


class Position(NamedTuple):
    sequence: int = 0
    sums: Sums = Sums()


class Segment:
    """One file, named by a number that counts up; `first` is the sequence number of its first block."""

    EXTENSION = ".spool"

    def __init__(self, path: Path, first: int = 0, flags: int = 0) -> None:
        self.path = path
        self.number = int(path.stem, 16)
        self.first = first
        self.fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)
        self.size = os.fstat(self.fd).st_size
        self._is_named = True
        self.is_sealed = False
        """Nothing is written into it any more: its end is not known, or is a run without the state behind it."""

    @classmethod
    def begin(cls, folder: Path, number: int, first: int) -> "Segment":
        """A new file, whose name is on disk after its first `sync`. Raises OSError, also where it is there already."""
        folder.mkdir(parents=True, exist_ok=True)  # somebody may have tidied up
        segment = cls(folder / f"{number:016x}{cls.EXTENSION}", first, os.O_CREAT | os.O_EXCL)
        segment._is_named = False
        return segment

    @classmethod
    def all(cls, folder: Path) -> "list[Segment]":
        """Those of a folder, oldest first."""
        return [cls(path) for path in sorted(folder.glob(f"{'[0-9a-f]' * 16}{cls.EXTENSION}"))]

    def sync(self) -> None:
        """What is written is on disk after this; in a thread, for it may take long. Raises OSError."""
        _to_disk(self.fd)
        if not os.fstat(self.fd).st_nlink:  # somebody tidied up: what comes next goes into a file that can be found
            log.error("spool file deleted by others", file=self.path.name)
            self.is_sealed = True
        elif not self._is_named:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._is_named = True

    def cut(self, size: int) -> None:
        """Takes back what stands behind `size`; where that fails, the file is not written any more."""
        try:
            os.ftruncate(self.fd, size)
        except OSError as error:
            log.error("spool file given up", file=self.path.name, error=str(error))
            self.is_sealed = True
        self.size = size

    def delete(self) -> None:
        os.close(self.fd)
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:  # a file system that turned read-only must not stop what is received
            log.error("spool file cannot be deleted", file=self.path.name, error=str(error))


class Run(NamedTuple):
    """The blocks of one append, back to back in one segment."""

    segment: Segment
    start: int
    end: int
    begin: Position
    after: Position
    since: float
    """When it was written, in seconds since the epoch."""

    @property
    def size(self) -> int:
        return self.end - self.start

    @property
    def holds(self) -> Sums:
        return self.after.sums - self.begin.sums


class Findings:
    """What the records of a spool say, read in order."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.id: str | None = None
        self.held = Position()
        self.note: Any = None
        self.stated = 0
        """Sequence number up to which the last state accounts for blocks."""
        self.end = Position()
        self.run_is_open = False
        """Whether the last run has no state behind it."""

    def read(self, segment: Segment) -> int:
        """Takes in one segment; returns where its last whole record ends."""
        segment.first = self.end.sequence
        if not segment.size:
            return 0
        since = segment.path.stat().st_mtime
        end, self.run_is_open = 0, False
        with mmap(segment.fd, segment.size, access=ACCESS_READ) as data:
            for found in record.scan(data):
                begin = Position(found.sequence, found.before)
                if not end:
                    segment.first = found.sequence
                self._take_back(begin)
                if found.kind == STATE:
                    self._take_state(found, data)
                    self.run_is_open = False
                    self.end = begin
                elif found.kind == BLOCK:
                    after = Position(found.sequence + 1, found.after)
                    start = found.start - record.HEADER_BYTES
                    if self.run_is_open and self.runs[-1].after == begin and self.runs[-1].end == start:
                        self.runs[-1] = self.runs[-1]._replace(end=found.end, after=after)
                    else:
                        self.runs.append(Run(segment, start, found.end, begin, after, since))
                    self.run_is_open, self.end = True, after
                end = found.end
        return end

    def _take_back(self, begin: Position) -> None:
        """Numbers that come again: an append that failed could not be cut off, and was counted as dropped then."""
        while begin.sequence < self.end.sequence and self.runs and self.runs[-1].begin.sequence >= begin.sequence:
            self.runs.pop()

    def _take_state(self, found: Record, data: mmap) -> None:
        payload = found.payload(data)
        if payload is None:
            return
        said = orjson.loads(payload)
        sequence, *sums = said["held"]
        self.id, self.note = said["id"], said["note"]
        self.held, self.stated = Position(sequence, Sums(*sums)), found.sequence


def read(run: Run) -> tuple[list[Spooled], Sums]:
    """The blocks of a run that are whole, and the datagrams of the others."""
    try:
        data = os.pread(run.segment.fd, run.size, run.start)
    except OSError as error:
        log.error("spool cannot be read", file=run.segment.path.name, error=str(error))
        data = b""
    blocks = []
    lost = run.holds
    for found in record.scan(data):
        payload = found.payload(data)
        if payload is not None and found.kind == BLOCK:
            blocks.append(Spooled(found.sequence, record.read_block(payload, found.holds.total)))
            lost = lost - found.holds
    return blocks, lost
