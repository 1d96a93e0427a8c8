"""How the stream stands, as a file beside its checkpoint that the application rewrites every second.

    {"state": "running", "at": 1750000000.0, "pid": 4711, "query_id": "…", "batch_id": 17, "rows": 240,
     "seconds": 0.61, "lag": {"f1.lap_data": 0, …}, "archive": {"state": "running", "lag": 0, "error": ""}, "error": ""}

`state` is "starting" before the first micro-batch can be planned, "running", "retrying" after a failure, and "stopped"
at the end. A reader knows that the application is well when it is "running" and `at` is recent. `lag` is the number of
blocks of each topic that were in Kafka and not read when the last micro-batch began. `archive` is the query beside it:
"running", "retrying" or "off", which is nothing to the state of the facts.
"""

import ast
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import structlog

if TYPE_CHECKING:  # loading pyspark takes a second, which `pitlane status` has no use for
    from pyspark.sql.streaming.listener import StreamingQueryProgress

log = structlog.get_logger()

SILENT_S = 15
"""A busy machine may delay a heartbeat; one that stays away this long has none."""


def file(checkpoint: Path) -> Path:
    return checkpoint.parent / "progress.json"


def write(checkpoint: Path, state: str, *, error: str = "", **more: Any) -> None:
    """A disk that takes no more must not end the application: its readers see that it has said nothing for long."""
    path = file(checkpoint)
    part = path.with_suffix(".part")
    said = orjson.dumps({"state": state, "at": time.time(), "pid": os.getpid(), **more, "error": error})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(said)
        part.replace(path)
    except OSError as failure:
        log.warning("the progress was not written", error=str(failure))


def read(checkpoint: Path) -> dict[str, Any]:
    """What the application said last, `silent_s` ago; "silent" when that is long, "stopped" if it never began."""
    try:
        said: dict[str, Any] = orjson.loads(file(checkpoint).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {"state": "stopped", "silent_s": None, "error": ""}
    said["silent_s"] = round(max(0.0, time.time() - said["at"]), 1)
    if said["silent_s"] > SILENT_S and said["state"] != "stopped":
        said |= {"state": "silent", "error": said["error"] or f"has said nothing for {said['silent_s']:.0f} s"}
    return said


def in_words(said: Mapping[str, Any]) -> Iterator[str]:
    """Lines for a person."""
    yield " ".join(filter(None, ("the stream is", said["state"], said["error"] and f"({said['error']})")))
    if archive := said.get("archive"):
        waits = archive["lag"] and f"behind by {archive['lag']:,} blocks"
        error = archive["error"] and f"({archive['error']})"
        yield " ".join(filter(None, ("the raw archive is", archive["state"], waits, error)))
    if said.get("batch_id") is None:
        return
    yield f"micro-batch {said['batch_id']}: {said['rows']:,} blocks in {said['seconds']:.1f} s"
    behind = {topic: blocks for topic, blocks in said["lag"].items() if blocks}
    yield f"behind by {sum(behind.values()):,} blocks" if behind else "nothing waits in Kafka"
    for topic, blocks in sorted(behind.items(), key=lambda each: -each[1]):
        yield f"  {topic}  {blocks:,}"


def of_batch(last: "StreamingQueryProgress") -> dict[str, Any]:
    """A micro-batch in the words of the file."""
    return {
        "batch_id": last.batchId,
        "rows": last.numInputRows,
        "seconds": last.batchDuration / 1000,
        "lag": lag(last),
    }


def lag(last: "StreamingQueryProgress") -> dict[str, int]:
    """Blocks of each topic that were in Kafka and not read when the micro-batch began."""
    behind: dict[str, int] = {}
    for source in last.sources:
        newest, done = _offsets(source.latestOffset), _offsets(source.endOffset)
        for topic, shards in newest.items():
            read = done.get(topic, {})
            behind[topic] = sum(max(0, offset - read.get(shard, 0)) for shard, offset in shards.items())
    return behind


def _offsets(told: str) -> dict[str, dict[str, int]]:
    """topic → partition → offset; a listener is told in JSON, who asks the query gets it as Python would print it."""
    return ast.literal_eval(told) or {}
