"""What the sink does with a Postgres that answers and takes nothing; the rest of it is tried on a real one."""

import contextlib
import re
from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest

from spark import sink, statements, upserts
from spark.errors import SinkUnavailable
from spark.facts import FACTS
from spark.sink import Counts, Sink, as_csv


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


def test_a_format_without_rows_leaves_nothing_among_those_of_another() -> None:
    """Sessions of two formats in one micro-batch are two chunks, and one of them may be empty."""
    schema = pa.schema([("lap", pa.int16()), ("name", pa.string()), ("entry", pa.binary())])
    rows = [{"lap": 7, "name": 'a "b"', "entry": b"\0x"}, {"lap": None, "name": None, "entry": b""}]
    chunks = [pa.Table.from_pylist(part, schema) for part in ([], rows, [], rows, [])]
    for parts in (chunks, chunks[:2], chunks[1:2]):
        lines = b'7,"a ""b""","\\x0078"\n,,"\\x"\n'
        assert bytes(as_csv(pa.concat_tables(parts))) == lines * sum(len(part) > 0 for part in parts)


def test_no_statement_names_a_schema() -> None:
    """A rebuild runs them on tables of another."""
    found = [each for each in vars(statements).values() if isinstance(each, str) and each != statements.__doc__]
    found += [each for pack in vars(statements).values() if isinstance(pack, tuple) for each in pack]
    found += [upserts.upsert(fact).as_string() for fact in FACTS.values()]
    assert len(found) > 2 * len(FACTS)
    assert not [each for each in found if re.search(r"\bcore\b\"?\.", each)]
