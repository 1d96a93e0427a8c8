"""The raw archive: every block of the topics of facts as it stood in Kafka, in Parquet files that any tool can read.

    FOLDER/day=2026-03-15/packet=lap_data/<name>.parquet

The day is that of the block's Kafka timestamp (UTC), the packet is what its topic is named after. A file appears whole or
not at all, is synced before it appears, and never changes. A name is used for one batch only: what comes again under a
name that is there is not written again. All the same a block may lie in two files, after a compaction that was cut off or
with a second checkpoint: readers go by topic, shard, offset and timestamp (a topic made anew counts its offsets from 0).
"""

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("shard", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("packet_format", pa.int32()),
        ("packet_id", pa.int32()),
        ("num_bytes", pa.int32()),
        ("content", pa.binary()),
    ]
)
"""A block with where it was read; `num_bytes` is the length of its content."""
IDENTITY = ("topic", "shard", "offset", "timestamp")
ROW_GROUP_BYTES = 8 * 1024 * 1024
"""Of raw blocks: what a writer holds in memory for each packet, and a reader for each file."""


class Appended(NamedTuple):
    blocks: int
    num_bytes: int
    """on disk"""


def append(folder: Path, name: str, batches: Iterable[pa.RecordBatch]) -> Appended:
    """Writes blocks (SCHEMA) to files called `name`, one for each day and packet; says what was not there before.

    Raises OSError; what is missing then comes when they come again.
    """
    parts: dict[Path, _Part | None] = {}
    with contextlib.ExitStack() as begun:
        for batch in batches:
            for place, rows in _by_place(pa.table(batch)):
                path = folder / place / f"{name}.parquet"
                if path not in parts:
                    parts[path] = None if path.exists() else begun.enter_context(_Part(path))
                if part := parts[path]:
                    part.add(rows)
        made = [part.finish() for part in parts.values() if part]
    return Appended(sum(each.blocks for each in made), sum(each.num_bytes for each in made))


def _by_place(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    days = pc.strftime(rows["timestamp"], "%Y-%m-%d")
    packets = pc.list_element(pc.split_pattern(rows["topic"], ".", max_splits=1, reverse=True), 1)
    places = pc.binary_join_element_wise("day=", days, "/packet=", packets, "")
    distinct = pc.unique(places).to_pylist()
    for place in distinct:
        yield place, rows if len(distinct) == 1 else rows.filter(pc.equal(places, place))


class _Part:
    """A file in the making."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._blocks = 0

    def __enter__(self) -> "_Part":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._part, SCHEMA, compression="zstd", use_dictionary=["topic"])
        return self

    def add(self, rows: pa.Table) -> None:
        self._waiting.append(rows)
        self._waiting_bytes += rows.nbytes
        self._blocks += len(rows)
        if self._waiting_bytes > ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting).select(SCHEMA.names).cast(SCHEMA))
            self._waiting, self._waiting_bytes = [], 0

    def finish(self) -> Appended:
        self._flush()
        self._writer.close()
        _sync(self._part)
        self._part.replace(self._path)
        _sync(self._path.parent)
        return Appended(self._blocks, self._path.stat().st_size)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what stood in the way of the file stands in the way of its footer too
            self._writer.close()
        self._part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def files(folder: Path) -> list[Path]:
    """All files, by day."""
    return sorted(folder.glob("day=*/packet=*/*.parquet"))


def place_of(topic: str) -> str:
    """The folder of a topic's blocks within each day."""
    return f"packet={topic.rpartition('.')[2]}"


def day_of(path: Path) -> date:
    return date.fromisoformat(path.parent.parent.name.removeprefix("day="))


class Chunk(NamedTuple):
    """The blocks of `files` from `first` to `last`, both included."""

    files: list[Path]
    first: datetime
    last: datetime
    blocks: int
    """Each counted once."""
    has_repeats: bool
    """Some block is there twice."""


def chunks(found: Iterable[Path], at_most_bytes: int) -> Iterator[Chunk]:
    """Consecutive time spans that hold all blocks of these files, each of about `at_most_bytes` of content or less.

    Blocks of one timestamp are never cut apart. Spans end with their day.
    """
    for _, of_day in groupby(sorted(found), day_of):
        index = ds.dataset(list(of_day), SCHEMA, format="parquet").to_table(
            columns=[*IDENTITY, "num_bytes", "__filename"]
        )
        index = index.sort_by("timestamp")
        times = index["timestamp"].cast(pa.int64()).to_numpy()
        sums = np.cumsum(index["num_bytes"].to_numpy())
        begin = 0
        while begin < len(times):
            before = sums[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(sums, before + at_most_bytes, "right")))
            end = int(np.searchsorted(times, times[end - 1], "right"))
            rows = index.slice(begin, end - begin)
            blocks = len(rows.group_by(IDENTITY).aggregate([]))
            yield Chunk(
                files=sorted(map(Path, pc.unique(rows["__filename"]).to_pylist())),
                first=rows["timestamp"][0].as_py(),
                last=rows["timestamp"][-1].as_py(),
                blocks=blocks,
                has_repeats=blocks < len(rows),
            )
            begin = end


def first_missing(found: Iterable[Path], topic: str, shard: int, offset: int, since_ms: int) -> int:
    """The first offset from `offset` on that these files lack, of blocks not older than `since_ms`."""
    of_shard = (pc.field("topic") == topic) & (pc.field("shard") == shard) & (pc.field("offset") >= offset)
    recent = of_shard & (pc.field("timestamp") >= datetime.fromtimestamp(since_ms / 1000, UTC))
    there = ds.dataset(list(found), SCHEMA, format="parquet").to_table(columns=["offset"], filter=recent)
    offsets = np.unique(there["offset"].to_numpy())
    return offset + int(np.count_nonzero(offsets == offset + np.arange(len(offsets))))


def compact(folder: Path, before: date) -> int:
    """Of each packet of each day before that date one file, where there are several; returns how many files went.

    Blocks that were there twice are there once. Does nothing while somebody reads (`reading`).
    """
    gone = 0
    with contextlib.suppress(BlockingIOError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for place, there in groupby(files(folder), lambda path: path.parent):
            several = list(there)
            if len(several) > 1 and day_of(several[0]) < before:
                append(folder, f"compacted-{uuid.uuid4()}", _once(several))
                for path in several:
                    path.unlink()
                _sync(place)
                gone += len(several)
    return gone


def _once(several: list[Path]) -> Iterator[pa.RecordBatch]:
    seen: set[tuple[object, ...]] = set()
    for path in several:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=64):
            keys = list(zip(*(batch[name].to_pylist() for name in IDENTITY), strict=True))
            new = [key not in seen and not seen.add(key) for key in keys]  # type: ignore[func-returns-value]
            yield batch.filter(pa.array(new, pa.bool_()))


@contextlib.contextmanager
def reading(folder: Path) -> Iterator[None]:
    """The files that are there stay as long as this lasts."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, how)
        yield
    finally:
        os.close(number)
