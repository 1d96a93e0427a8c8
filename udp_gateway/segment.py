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
        self.is_broken = False
        """Nothing is written into it any more: what stands at its end is not known."""

    @classmethod
    def begin(cls, folder: Path, number: int, first: int) -> "Segment":
        """A new file, whose name is on disk when this returns. Raises OSError, also where the file is there already."""
        folder.mkdir(parents=True, exist_ok=True)  # somebody may have tidied up
        segment = cls(folder / f"{number:016x}{cls.EXTENSION}", first, os.O_CREAT | os.O_EXCL)
        try:
            fd = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError:
            segment.delete()
            raise
        return segment

    @classmethod
    def all(cls, folder: Path) -> "list[Segment]":
        """Those of a folder, oldest first."""
        return [cls(path) for path in sorted(folder.glob(f"{'[0-9a-f]' * 16}{cls.EXTENSION}"))]

    def sync(self) -> None:
        _to_disk(self.fd)

    def cut(self, size: int) -> None:
        """Takes back what stands behind `size`; where that fails, the file is not written any more."""
        try:
            os.ftruncate(self.fd, size)
        except OSError as error:
            log.error("spool file given up", file=self.path.name, error=str(error))
            self.is_broken = True
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

    def read(self, segment: Segment) -> int:
        """Takes in one segment; returns where its last whole record ends."""
        segment.first = self.end.sequence
        if not segment.size:
            return 0
        since = segment.path.stat().st_mtime
        end, run_is_open = 0, False
        with mmap(segment.fd, segment.size, access=ACCESS_READ) as data:
            for found in record.scan(data):
                begin = Position(found.sequence, found.before)
                if not end:
                    segment.first = found.sequence
                if found.kind == STATE:
                    self._take_state(found, data)
                    run_is_open = False
                    self.end = max(self.end, begin)
                elif found.kind == BLOCK:
                    after = Position(found.sequence + 1, found.after)
                    start = found.start - record.HEADER_BYTES
                    if run_is_open and self.runs[-1].after == begin and self.runs[-1].end == start:
                        self.runs[-1] = self.runs[-1]._replace(end=found.end, after=after)
                    else:
                        self.runs.append(Run(segment, start, found.end, begin, after, since))
                    run_is_open, self.end = True, max(self.end, after)
                end = found.end
        return end

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
