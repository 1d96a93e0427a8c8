"""The facts: which columns of which table a micro-batch brings, and which of two versions of a row stands.

Columns and types come from postgres/tables. A fact is a table or, for core.lap, one group of its columns, since
times, position and tyres of a lap come from different packets and are replaced independently.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import REAL, BigInteger, Boolean, Column, Double, Integer, LargeBinary, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from postgres import columns, tables

ARROW: dict[type, pa.DataType] = {
    SmallInteger: pa.int16(),
    Integer: pa.int32(),
    BigInteger: pa.int64(),
    REAL: pa.float32(),
    Double: pa.float64(),
    Boolean: pa.bool_(),
    Text: pa.string(),
    JSONB: pa.string(),
    LargeBinary: pa.binary(),
    type(columns.INSTANT): pa.timestamp("us", tz="UTC"),
}

Values = Mapping[str, "np.ndarray | pa.Array"]


@dataclass(frozen=True, eq=False)
class Fact:
    """Rows of `table`. Of two rows with one key the one with the greater `order` columns stands; the smaller, with "-".

    Without an order rows of one key are alike, but for their greatest and least columns.
    """

    name: str
    table: Table
    order: tuple[str, ...] = ("overall_frame",)
    group: str = ""
    """Only this group of the table's columns, beside the key."""
    greatest: tuple[str, ...] = ()
    """Columns that keep the greatest value ever seen, whichever row stands; true is greater than false."""
    least: tuple[str, ...] = ()
    """Columns that keep the least value ever seen, whichever row stands."""
    since: str = ""
    """`greatest` and `least` are of the rows only that have the same value in this column as the one that stands."""
    earliest: bool = False
    """The row with the smaller `order` stands instead."""

    @cached_property
    def key(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.table.primary_key.columns)

    @cached_property
    def columns(self) -> tuple[Column[Any], ...]:
        mine = (c for c in self.table.columns if c.primary_key or c.info.get("group", "") == self.group)
        return tuple(c for c in mine if c.computed is None)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)

    @cached_property
    def values(self) -> tuple[str, ...]:
        """What can change: all but the key."""
        return tuple(name for name in self.names if name not in self.key)

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field(c.name, ARROW[type(c.type)]) for c in self.columns])

    def rows(self, values: Values) -> pa.Table:
        """An Arrow table from arrays by column name; a masked array's masked values are NULL.

        What a column cannot hold (a number out of its range, NaN, infinity) is NULL too, and so is a float beyond half
        its range, because Postgres fails where a difference of two overflows (core.lap.fuel_used_kg). A row with NULL
        in a column that must have a value is left out: garbage in a packet must never stop the stream.
        """
        table = pa.table([_array(values[f.name], f.type) for f in self.schema], schema=self.schema)
        required = [c.name for c in self.columns if not c.nullable]
        keep = pa.array(np.ones(len(table), bool))
        for name in required:
            if table[name].null_count:
                keep = pa.compute.and_(keep, table[name].combine_chunks().is_valid())
        return table.filter(keep) if keep.true_count < len(table) else table


def _array(values: "np.ndarray | pa.Array", wanted: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values.cast(wanted)
    data = np.ma.getdata(values)
    hidden = np.ma.getmaskarray(values)
    if pa.types.is_integer(wanted) and data.dtype.kind in "iu":
        limits = np.iinfo(wanted.to_pandas_dtype())
        hidden = hidden | (data < limits.min) | (data > limits.max)
        data = np.where(hidden, 0, data).astype(wanted.to_pandas_dtype())
    elif data.dtype.kind == "f":
        hidden = hidden | ~(np.abs(data) <= np.finfo(data.dtype).max / 2)
        data = np.where(hidden, 0, data).astype(wanted.to_pandas_dtype())
    return pa.array(np.ascontiguousarray(data), type=wanted, mask=hidden)


FACTS: dict[str, Fact] = {
    fact.name: fact
    for fact in (
        Fact("participant", tables.participant, greatest=("was_restricted",)),
        Fact("history", tables.history),
        Fact("lap_times", tables.lap, ("history_frame",), "history"),
        Fact("lap_place", tables.lap, ("overall_frame",), "place"),
        Fact("lap_line", tables.lap, ("line_rewound", "-line_frame"), "line"),
        Fact("lap_start", tables.lap_start, ("start_frame",), earliest=True),
        Fact("lap_status", tables.lap, ("status_frame",), "status"),
        Fact(
            "lap_trace",
            tables.lap_trace,
            ("rewound", "is_complete", "overall_frame"),
            greatest=("top_speed_kmh",),
            since="rewound",
        ),
        Fact("lap_damage", tables.lap_damage),
        Fact("player_trace", tables.player_trace, ("rewound", "overall_frame")),
        Fact(
            "pit_sample",
            tables.pit_sample,
            ("rewound", "overall_frame"),
            greatest=("stop_time_ms",),
            since="rewound",
        ),
        Fact("stint", tables.stint),
        Fact("event", tables.event, ("arrived_at",), earliest=True),
        Fact("result", tables.result),
        Fact("setup", tables.setup, (), greatest=("last_frame",), least=("first_frame",)),
        Fact("tyre_set", tables.tyre_set),
        Fact("time_trial", tables.time_trial),
        Fact("lobby_player", tables.lobby_player, ("arrived_at",)),
        Fact("quarantine", tables.quarantine, ("arrived_at", "record_offset", "datagram_index"), earliest=True),
    )
}
"""In the order in which they are written."""

PENDING = Fact("pending_datagram", tables.pending_datagram)
