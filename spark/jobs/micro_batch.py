"""A micro-batch: blocks in, facts out. What each Spark task computes for its shards."""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from spark.facts import FACTS, PENDING
from spark.jobs import (
    drivers,
    events,
    frames,
    garage,
    lap_damage,
    lap_trace,
    laps,
    lobby,
    pending,
    pit_samples,
    player_trace,
    time_trial,
)
from spark.jobs.blocks import Block, decode
from spark.quality.check import check

_BY_CARS = {
    "lap_place": laps.lap_place,
    "lap_start": laps.lap_start,
    "lap_status": laps.lap_status,
    "lap_trace": lap_trace.lap_trace,
    "lap_damage": lap_damage.lap_damage,
    "player_trace": player_trace.player_trace,
    "pit_sample": pit_samples.pit_samples,
}
_BY_PACKET = {
    "participant": ("participants", drivers.participants),
    "history": ("session_history", laps.history),
    "lap_times": ("session_history", laps.lap_times),
    "stint": ("session_history", laps.stints),
    "lap_line": ("lap_positions", laps.lap_line),
    "event": ("event", events.events),
    "result": ("final_classification", drivers.results),
    "setup": ("car_setups", garage.setups),
    "tyre_set": ("tyre_sets", garage.tyre_sets),
    "time_trial": ("time_trial", time_trial.records),
    "lobby_player": ("lobby_info", lobby.players),
}


class Reduced(NamedTuple):
    tables: dict[str, pa.Table]
    """fact name → rows; what still waits for its partners is under `pending_datagram`"""
    datagrams: int
    rejected_blocks: int
    checked: dict[str, int]
    """rule of quality → rows that it was asked of; what had waited was counted when it was read first"""
    broken: dict[str, int]
    """rule → rows that broke it"""
    late: dict[str, int]
    """`pending.Waiting.late`"""


def reduce(blocks: Iterable[Block], query_id: str) -> Reduced:
    """The facts in `blocks`, which must hold all of a rig's blocks of this batch and what waited from the one before.

    `query_id` marks the datagrams that go on waiting.
    """
    received = decode(blocks)
    decoded, quarantined, checked, broken = check(received)
    parts: dict[str, list[pa.Table]] = {name: [] for name in FACTS}
    for rows in frames.join(decoded):
        for name, compute in _BY_CARS.items():
            parts[name].append(compute(rows, decoded.sessions))
    for name, (packet_name, read) in _BY_PACKET.items():
        for samples in decoded.of(packet_name):
            parts[name].append(read(samples, decoded.sessions))
    tables = {name: pa.concat_tables(found) for name, found in parts.items() if found}
    tables["quarantine"] = quarantined
    tables[PENDING.name], late = pending.still_waiting(received, query_id)
    return Reduced(
        {name: rows for name, rows in tables.items() if len(rows)},
        received.datagrams,
        received.rejected_blocks,
        checked,
        broken,
        late,
    )
