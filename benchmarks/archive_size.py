"""What an hour of racing takes in the raw archive: a simulated race at 60 Hz, all cars, as Spark writes it.

The blocks are the gateway's (100 ms), the files those of the archive's trigger (30 s), and after compaction one for each
packet and day. `write` makes an archive without UDP, NiFi and Kafka, for whoever needs one.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from benchmarks.report import Result, Row
from f1_packets import PACKET_NAMES
from f1_packets.block import PREFIX
from pitlane.settings import SparkSettings
from pitlane.simulator import Race, RaceConfig
from pitlane.topics import topic
from spark import archive
from tests.blocks import Timed, blocks

START_NS = 1_773_532_800 * 10**9
"""2026-03-15, 00:00."""


def write(folder: Path, datagrams: Iterable[Timed], rig: str, shard: int = 0) -> archive.Appended:
    """Datagrams with their arrival, in order, as an archive of the topics `f1.…` would hold them."""
    every_ns = int(SparkSettings(_env_file=None).spark_archive_trigger_s * 1e9)  # type: ignore[call-arg]
    offsets: Counter[str] = Counter()
    found = archive.Appended(0, 0)
    for number, of_batch in groupby(datagrams, lambda timed: timed[0] // every_ns):
        rows = sorted(_rows(list(of_batch), rig, shard, offsets), key=lambda row: str(row["topic"]))
        batches = pa.Table.from_pylist(rows, archive.SCHEMA).to_batches(max_chunksize=32)
        added = archive.append(folder, f"{rig}-{number:08}", batches)
        found = archive.Appended(found.blocks + added.blocks, found.num_bytes + added.num_bytes)
    return found


def _rows(datagrams: list[Timed], rig: str, shard: int, offsets: Counter[str]) -> Iterator[dict[str, object]]:
    for block in blocks(datagrams, rig=rig):
        of_packet = topic(PACKET_NAMES[block.packet_id])
        arrival_ns, _ = PREFIX.unpack_from(block.content)
        yield {
            "topic": of_packet,
            "shard": shard,
            "offset": offsets[of_packet],
            "timestamp": datetime.fromtimestamp(arrival_ns // 10**6 / 1000, UTC),
            "packet_format": block.packet_format,
            "packet_id": block.packet_id,
            "num_bytes": len(block.content),
            "content": block.content,
        }
        offsets[of_packet] += 1


def run(quick: bool) -> Result:
    race = Race(RaceConfig(packet_format=2025, laps=1 if quick else 10, rate_hz=60, seed=1))
    hours = race.duration_s / 3600
    count = raw_bytes = 0

    def timed() -> Iterator[Timed]:
        nonlocal count, raw_bytes
        for at_s, raw in race.datagrams():
            count, raw_bytes = count + 1, raw_bytes + len(raw)
            yield START_NS + int(at_s * 1e9), raw

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = write(folder, timed(), "rig")
        files = len(archive.files(folder))
        began = time.process_time()
        archive.compact(folder, date.max)
        compaction_s = time.process_time() - began
        compacted = [path.stat().st_size for path in archive.files(folder)]
    mb = 1e6 * hours
    return Result(
        name="archive_size",
        title="The raw archive: disk for an hour of racing of one rig",
        rows=[
            Row("datagrams as received", raw_bytes / mb, "MB/h"),
            Row("in the archive, as written every 30 s", written.num_bytes / mb, "MB/h"),
            Row("in the archive, compacted", sum(compacted) / mb, "MB/h"),
            Row("files as written", files / hours, "files/h"),
            Row("files of a day, compacted", len(compacted), "files"),
            Row("processor time of the compaction", compaction_s / hours, "s/h"),
        ],
        notes=[f"A simulated race of {race.config.cars} cars at 60 Hz, {race.duration_s:.0f} s, {count:,} datagrams."],
    )
