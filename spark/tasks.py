"""The work of one micro-batch on Spark: shards to tasks, reduction in the Python workers, few rows to the driver."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import orjson
import pyarrow as pa
from pyspark.sql import DataFrame

from f1_packets import PACKETS
from f1_packets.block import entry_bytes
from spark.facts import FACTS, PENDING
from spark.jobs.blocks import Block
from spark.jobs.micro_batch import reduce
from spark.sink import Counts, Sink
from spark.source import waiting_blocks

REDUCED = pa.schema([("name", pa.string()), ("payload", pa.binary())])
"""A fact's rows as an Arrow IPC stream, or a task's counts as JSON."""
COUNTS = "counts"


class Written(NamedTuple):
    counts: Counts
    rows: Mapping[str, int]
    """fact name → rows handed to the database; those that changed nothing included"""


def process(records: DataFrame, query_id: str, batch_id: int, sink: Sink, shards: int) -> Written | None:
    """Writes the facts of a DataFrame of blocks (source.SCHEMA); None if this batch was written before.

    A batch that is there already is not even read again.
    """
    if sink.has(query_id, batch_id):
        return None
    spark = records.sparkSession
    waiting = sink.waiting(query_id)
    # Each topic's partition is a task until here; as many as there are cores suffice.
    records = records.coalesce(spark.sparkContext.defaultParallelism)
    if waiting:
        records = waiting_blocks(spark, waiting).coalesce(1).unionByName(records)
    by_shard = records.repartitionById(shards, (records["shard"] % shards).cast("int"))
    reduced = by_shard.mapInArrow(_task(query_id), "name string, payload binary").toArrow()
    tables, counts = collect(zip(reduced["name"].to_pylist(), reduced["payload"].to_pylist(), strict=True))
    if not sink.write(query_id, batch_id, tables, counts):
        return None
    return Written(counts, {name: len(rows) for name, rows in tables.items() if name in FACTS})


def _task(query_id: str) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    return partial(reduce_shard, query_id)


def reduce_shard(query_id: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """All blocks of one task to few rows (REDUCED); runs in a Python worker."""
    blocks: list[Block] = []
    offsets: dict[str, dict[str, list[int]]] = {}
    waited = waited_datagrams = 0  # counted with the batch that read them
    for batch in batches:
        for row in batch.to_pylist():
            block = Block(**row | {"content": row["content"] or b""})
            blocks.append(block)
            if block.waited is not None:
                waited += 1
                waited_datagrams += len(block.content) // entry_bytes(PACKETS[block[:2]].size)
                continue
            if block.topic is None:
                continue
            shard = offsets.setdefault(row["topic"], {}).setdefault(str(row["shard"]), [row["offset"], 0])
            shard[0] = min(shard[0], row["offset"])
            shard[1] = max(shard[1], row["offset"] + 1)
    if not blocks:
        return
    result = reduce(blocks, query_id)
    counts = {
        "blocks": len(blocks) - waited,
        "datagrams": result.datagrams - waited_datagrams,
        "rejected_blocks": result.rejected_blocks,
        "offsets": offsets,
        "checked": result.checked,
        "broken": result.broken,
        "late": result.late,
    }
    payloads = {name: _ipc(rows) for name, rows in result.tables.items()} | {COUNTS: orjson.dumps(counts)}
    yield pa.record_batch([pa.array(payloads.keys()), pa.array(payloads.values(), pa.binary())], schema=REDUCED)


def collect(reduced: Iterable[tuple[str, bytes]]) -> tuple[dict[str, pa.Table], Counts]:
    """What all tasks yielded, put together."""
    parts: dict[str, list[pa.Table]] = {}
    blocks = datagrams = rejected = 0
    offsets: dict[str, dict[str, tuple[int, int]]] = {}
    checked, broken, late = Counter[str](), Counter[str](), Counter[str]()
    for name, payload in reduced:
        if name != COUNTS:
            parts.setdefault(name, []).append(pa.ipc.open_stream(payload).read_all())
            continue
        counts = orjson.loads(payload)
        blocks += counts["blocks"]
        datagrams += counts["datagrams"]
        rejected += counts["rejected_blocks"]
        checked.update(counts["checked"])
        broken.update(counts["broken"])
        late.update(counts["late"])
        for topic, shards in counts["offsets"].items():
            offsets.setdefault(topic, {}).update(shards)
    tables = {name: pa.concat_tables(found) for name, found in parts.items()}
    assert tables.keys() <= {*FACTS, PENDING.name}
    return tables, Counts(blocks, datagrams, rejected, offsets, checked, broken, late)


def _ipc(rows: pa.Table) -> bytes:
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, rows.schema) as stream:
        stream.write_table(rows)
    return buffer.getvalue().to_pybytes()
