"""What the sink does with a Postgres that answers and takes nothing; the rest of it is tried on a real one."""

import contextlib
from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest

from spark import sink
from spark.errors import SinkUnavailable
from spark.sink import Counts, Sink


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_postgres_that_takes_nothing_is_asked_now_and_then_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    @contextlib.contextmanager
    def full(_: Sink) -> Iterator[psycopg.Connection]:
        nonlocal tried
        tried += 1
        assert tried < 1000, "tried again at once"
        raise psycopg.errors.DiskFull("could not extend file: No space left on device")
        yield

    monkeypatch.setattr(sink, "time", Clock())
    monkeypatch.setattr(Sink, "_transaction", full)
    with pytest.raises(SinkUnavailable, match="No space left on device"):
        Sink("").write("query", 0, {}, Counts(0, 0, 0, {}))
    assert tried == pytest.approx(sink.RETRY_FOR_S / sink.RETRY_EVERY_S, abs=2)


def test_a_part_without_rows_leaves_no_bytes() -> None:
    """pyarrow's writer makes rubbish of a chunk of length 0, and a batch of two formats has such parts."""
    some, none = (
        pa.table({"a": [1, 2], "b": ["x", None]}),
        pa.table({"a": pa.array([], "i8"), "b": pa.array([], "str")}),
    )
    parts = pa.concat_tables([none, some, none, some, none])
    assert bytes(sink._csv(parts)) == b'1,"x"\n2,\n1,"x"\n2,\n'
