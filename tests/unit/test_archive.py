"""The raw archive's files: what is appended is there once, whatever comes again, and is read in spans of time."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark import archive

START = datetime(2026, 3, 14, 23, 59, 58, tzinfo=UTC)


def block(
    offset: int, *, packet: str = "lap_data", shard: int = 0, second: float | None = None, size: int = 10
) -> dict[str, object]:
    """Block `offset`, one a second from two seconds before midnight, unless `second` says another."""
    at = START + timedelta(seconds=offset if second is None else second)
    return {
        "topic": f"f1.{packet}", "shard": shard, "offset": offset, "timestamp": at, "packet_format": 2025,
        "packet_id": 2, "num_bytes": size, "content": bytes([offset % 256]) * size,
    }  # fmt: skip


def batches(*blocks: dict[str, object]) -> list[pa.RecordBatch]:
    return pa.Table.from_pylist(list(blocks), archive.SCHEMA).to_batches(max_chunksize=2)


def content(folder: Path) -> Counter[tuple[str, int, int, bytes]]:
    rows = [row for path in archive.files(folder) for row in pq.read_table(path, partitioning=None).to_pylist()]
    return Counter((row["topic"], row["shard"], row["offset"], row["content"]) for row in rows)


def test_blocks_lie_by_day_and_packet(tmp_path: Path) -> None:
    found = archive.append(tmp_path, "q-1", batches(*(block(i) for i in range(4)), block(7, packet="event", second=0)))
    places = ["day=2026-03-14/packet=event", "day=2026-03-14/packet=lap_data", "day=2026-03-15/packet=lap_data"]
    assert [str(path.relative_to(tmp_path)) for path in archive.files(tmp_path)] == [f"{p}/q-1.parquet" for p in places]
    assert [pq.read_metadata(path).num_rows for path in archive.files(tmp_path)] == [1, 2, 2]
    assert found == (5, sum(path.stat().st_size for path in archive.files(tmp_path)))
    assert not list(tmp_path.rglob(".*"))


def test_a_batch_that_comes_again_adds_what_was_cut_off(tmp_path: Path) -> None:
    """As after a crash between two of its files; Kafka may have deleted some of its blocks meanwhile."""
    archive.append(tmp_path, "q-1", batches(block(0), block(5, packet="event")))
    whole = content(tmp_path)
    (lost,) = tmp_path.rglob("packet=event/*")
    lost.unlink()
    assert archive.append(tmp_path, "q-1", batches(block(5, packet="event"))).blocks == 1
    assert content(tmp_path) == whole
    assert archive.append(tmp_path, "q-1", batches(block(0), block(5, packet="event"))) == (0, 0)
    assert content(tmp_path) == whole


def test_a_batch_that_fails_leaves_no_part(tmp_path: Path) -> None:
    def cut_off() -> object:
        yield from batches(block(0), block(1))
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        archive.append(tmp_path, "q-1", cut_off())  # type: ignore[arg-type]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_large_blocks_become_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ROW_GROUP_BYTES", 5000)
    archive.append(tmp_path, "q-1", batches(*(block(i, second=0, size=2000) for i in range(12))))
    (path,) = archive.files(tmp_path)
    assert pq.read_metadata(path).num_row_groups == 3
    assert len(content(tmp_path)) == 12


def test_chunks_are_consecutive_and_bounded(tmp_path: Path) -> None:
    archive.append(tmp_path, "q-1", batches(*(block(i, second=10 + i // 2) for i in range(10))))
    archive.append(tmp_path, "q-2", batches(*(block(i, packet="motion", second=10 + i) for i in range(5))))
    found = list(archive.chunks(archive.files(tmp_path), 60))
    # Three blocks a second: two seconds fit, and no second is cut apart.
    assert [each.blocks for each in found] == [6, 6, 3]
    assert [(each.last - each.first).total_seconds() for each in found] == [1, 1, 0]
    assert not any(each.has_repeats for each in found)
    assert all(len(each.files) == 2 for each in found)
    assert [each.blocks for each in archive.chunks(archive.files(tmp_path), 1)] == [3] * 5


def test_chunks_end_with_the_day_and_count_repeats_once(tmp_path: Path) -> None:
    archive.append(tmp_path, "q-1", batches(*(block(i) for i in range(4))))
    archive.append(tmp_path, "other-1", batches(block(3)))
    found = list(archive.chunks(archive.files(tmp_path), 10**6))
    assert [(each.blocks, each.has_repeats) for each in found] == [(2, False), (2, True)]
    assert [each.first.day for each in found] == [14, 15]


def test_a_topic_made_anew_has_other_blocks_of_the_same_offset(tmp_path: Path) -> None:
    archive.append(tmp_path, "q-1", batches(block(0), block(0, second=1)))
    (found,) = archive.chunks(archive.files(tmp_path), 10**6)
    assert (found.blocks, found.has_repeats) == (2, False)


@pytest.mark.parametrize(
    ("offset", "since_s", "expected"),
    [(0, 0, 3), (1, 0, 3), (3, 0, 3), (4, 0, 6), (9, 0, 9), (0, 1, 0), (2, 2, 3)],
    ids=["from the first", "later", "at the hole", "behind it", "beyond", "older are another topic's", "at its time"],
)
def test_the_first_that_is_missing(tmp_path: Path, offset: int, since_s: int, expected: int) -> None:
    archive.append(tmp_path, "q-1", batches(*(block(i) for i in (0, 1, 2, 4, 5)), block(3, shard=1)))
    since_ms = int((START + timedelta(seconds=since_s)).timestamp() * 1000)
    assert archive.first_missing(archive.files(tmp_path), "f1.lap_data", 0, offset, since_ms) == expected


def test_compaction_makes_one_file_of_a_past_day(tmp_path: Path) -> None:
    for number in range(4):
        archive.append(tmp_path, f"q-{number}", batches(block(number), block(number, packet="event", second=number)))
    archive.append(tmp_path, "other-0", batches(block(0)))
    before = content(tmp_path)
    assert archive.compact(tmp_path, date(2026, 3, 15)) == 5
    after = content(tmp_path)
    assert after.keys() == before.keys()
    assert set(after.values()) == {1}
    assert len(archive.files(tmp_path)) == 2 + 4, "the day after is not touched"
    assert archive.compact(tmp_path, date(2026, 3, 15)) == 0


def test_a_file_that_comes_after_a_compaction_is_taken_in_by_the_next(tmp_path: Path) -> None:
    for number in range(3):
        archive.append(tmp_path, f"q-{number}", batches(block(number, second=0)))
        archive.compact(tmp_path, date(2026, 3, 15))
    assert len(archive.files(tmp_path)) == 1
    assert len(content(tmp_path)) == 3


def test_nothing_is_compacted_under_a_reader(tmp_path: Path) -> None:
    for number in range(2):
        archive.append(tmp_path, f"q-{number}", batches(block(number)))
    with archive.reading(tmp_path):
        assert archive.compact(tmp_path, date(2026, 3, 15)) == 0
    assert archive.compact(tmp_path, date(2026, 3, 15)) == 2
