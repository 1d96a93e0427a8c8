"""Tables of fields: the one notation in which every packet is written down.

A table is text, one line a field: our name, the type, the game's name.

    speed_kmh             u16     m_speed
    tyres_inner_temp_c    u8[4]   m_tyresInnerTemperature
    cars                  CarTelemetryData[22]  m_carTelemetryData

Types are `u8 i8 u16 i16 u32 u64 f32 f64`, `char[n]` (text, NUL-terminated) and other tables, each with
dimensions in brackets if it is an array. Everything is little-endian and packed. A later format is the
earlier one plus its differences (`derive`); each table states its published size, checked at import.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

NUMPY_TYPES = {
    "u8": "u1", "i8": "i1", "u16": "<u2", "i16": "<i2", "u32": "<u4", "u64": "<u8", "f32": "<f4", "f64": "<f8",
}  # fmt: skip
LINE = re.compile(r"(?P<name>\w+)\s+(?P<type>\w+)(?:\[(?P<dims>[\d,]+)\])?\s+(?P<game_name>\w+)")


@dataclass(frozen=True)
class Field:
    """One field: `type` names a number type, `char` or another table; `dims` is () for a scalar."""

    name: str
    type: str
    dims: tuple[int, ...]
    game_name: str


@dataclass(frozen=True, eq=False)
class Table:
    """A struct of the game: named fields in wire order. `parts` are the tables its fields refer to."""

    name: str
    size: int
    fields: tuple[Field, ...]
    parts: Mapping[str, "Table"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.dtype.itemsize != self.size:
            raise ValueError(f"{self.name}: {self.dtype.itemsize} bytes described, {self.size} published")

    @cached_property
    def dtype(self) -> np.dtype:
        """Packed little-endian structured dtype; text is `S`, so junk after the NUL must be cut by `text`."""
        return np.dtype([(f.name, self._base(f), self._shape(f)) for f in self.fields])

    def _base(self, f: Field) -> np.dtype:
        if f.type == "char":
            return np.dtype(f"S{f.dims[-1]}")
        return self.parts[f.type].dtype if f.type in self.parts else np.dtype(NUMPY_TYPES[f.type])

    @staticmethod
    def _shape(f: Field) -> tuple[int, ...]:
        return f.dims[:-1] if f.type == "char" else f.dims

    def derive(self, size: int, *parts: "Table", change: str = "", insert: Mapping[str, str] | None = None) -> "Table":
        """The same struct in a later format.

        `change` replaces lines of the same name in place (a new type or a new name in the game), `insert` maps
        the name of a field to the lines that now follow it. `parts` replace the parts of the same name.
        """
        changed = {f.name: f for f in parse(change)}
        unknown = (set(changed) | set(insert or {})) - {f.name for f in self.fields}
        if unknown:
            raise ValueError(f"{self.name}: no such fields to change: {sorted(unknown)}")
        fields: list[Field] = []
        for f in self.fields:
            fields.append(changed.get(f.name, f))
            fields.extend(parse((insert or {}).get(f.name, "")))
        return Table(self.name, size, tuple(fields), {**self.parts, **{p.name: p for p in parts}})

    def leaves(self, prefix: str = "", offset: int = 0) -> Iterator[tuple[str, Field, int]]:
        """Every field down to the numbers, as (path, field, byte offset); arrays of tables at their first element."""
        for f in self.fields:
            at = offset + self.dtype.fields[f.name][1]  # type: ignore[index]
            if f.type in self.parts:
                yield from self.parts[f.type].leaves(f"{prefix}{f.name}.", at)
            else:
                yield f"{prefix}{f.name}", f, at


def parse(text: str) -> Iterator[Field]:
    """The fields of a table's text; a line that is not one raises ValueError."""
    for line in filter(None, map(str.strip, text.splitlines())):
        match = LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a field: {line!r}")
        dims = tuple(int(n) for n in (match["dims"] or "").split(",") if n)
        yield Field(match["name"], match["type"], dims, match["game_name"])


def table(name: str, size: int, text: str, *parts: Table) -> Table:
    """A table from its text; `parts` are the tables that its lines use as types."""
    return Table(name, size, tuple(parse(text)), {p.name: p for p in parts})


def text(raw: bytes) -> str:
    """A name as the game sends it: UTF-8, cut at the first NUL, junk after it, the last rune perhaps split."""
    return raw.split(b"\0", 1)[0].decode("utf-8", errors="ignore")
