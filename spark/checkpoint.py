"""What Spark keeps in a checkpoint's folder: which query it is of, and what each of its micro-batches reads.

    CHECKPOINT/metadata         {"id": "…"}, made once
    CHECKPOINT/offsets/17       what micro-batch 17 reads, written before it runs and never changed

Spark does not sync these files. So when a machine dies the newest may be gone while Postgres, which does, has the batch;
the same with a checkpoint out of a backup. Spark then plans anew, under numbers that stand for something else.
"""

import time
import zlib
from pathlib import Path

import orjson
import structlog

from spark.sink import Sink

log = structlog.get_logger()


def query_id(checkpoint: Path) -> str:
    """The id that Spark gave the query when it made the checkpoint: with the batch number it names a batch."""
    return str(orjson.loads((checkpoint / "metadata").read_bytes())["id"])


def plan(checkpoint: Path, batch_id: int) -> str:
    """Eight hex digits that are others when this micro-batch reads something else."""
    return f"{zlib.crc32((checkpoint / 'offsets' / str(batch_id)).read_bytes()):08x}"


def set_aside_if_older(checkpoint: Path, sink: Sink) -> None:
    """Moves a checkpoint away that does not know of micro-batches which the tables have.

    Their numbers would be used again, for other records, which nobody would read. The query that begins without a checkpoint
    reads all that Kafka still holds, and changes nothing of what is there.
    """
    if not (checkpoint / "metadata").exists():
        return
    name = query_id(checkpoint)
    planned = max((int(each.name) for each in checkpoint.glob("offsets/*") if each.name.isdigit()), default=-1)
    if (written := sink.newest(name)) <= planned:
        return
    aside = checkpoint.with_name(f"{checkpoint.name}-older-{time.time_ns()}")
    log.warning(
        "the checkpoint is older than the tables and set aside", planned=planned, written=written, aside=str(aside)
    )
    checkpoint.rename(aside)
    sink.forget(name)
