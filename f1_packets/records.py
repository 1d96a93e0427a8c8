"""Blocks as records for people and other programs: plain Python values under our names.

    datagrams   {"arrival_ns": …, "rig": "…", "header": {…}, "cars": [{"speed_kmh": …, …}, …], …}
    cars        {"arrival_ns": …, "rig": "…", "header": {…}, "car_index": 0, "speed_kmh": …, …}, one for each car

Numbers are int and float, names text, arrays lists, structs dicts. NaN and infinities, which JSON does not have, are
None. Session UIDs are unsigned integers in full.
"""

import math
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import numpy as np

from f1_packets.block import decode, entry
from f1_packets.fields import text
from f1_packets.packets import Packet
from f1_packets.readers import read_event
from f1_packets.tables.event import EVENTS

Record = dict[str, Any]

EVENT: Final = 3


def datagrams(packet: Packet, content: bytes) -> list[Record]:
    """A record for each datagram of a block; ValueError if the content does not divide into entries."""
    return _datagrams(packet, decode(packet, content))


def cars(packet: Packet, content: bytes, *, players_only: bool = False) -> list[Record]:
    """A record for each car of each datagram: `car_index` and the car's own fields behind those of the datagram.

    A packet without a list of cars has one record a datagram. `players_only` leaves the cars of the player and, at a
    split screen, of the second one; events stay, and so does what is about no single car. ValueError as of `datagrams`.
    """
    entries = decode(packet, content)
    header = entries["datagram"]["header"]
    players = np.stack([header["player_car_index"], header["secondary_player_car_index"]], axis=1)
    if not packet.num_cars:
        if players_only and "car_index" in (packet.dtype.names or ()):
            entries = entries[(players == entries["datagram"]["car_index"][:, None]).any(axis=1)]
        return _datagrams(packet, entries)
    chosen = np.ones((len(entries), packet.num_cars), bool)
    if players_only:
        chosen = (players[:, :, None] == np.arange(packet.num_cars)).any(axis=1)
    datagram, car = np.nonzero(chosen)
    around = _structs(entries, leave_out="cars")
    own = _structs(entries["datagram"]["cars"][datagram, car])
    return [
        around[at] | {"car_index": index} | fields
        for at, index, fields in zip(datagram.tolist(), car.tolist(), own, strict=True)
    ]


def _datagrams(packet: Packet, entries: np.ndarray) -> list[Record]:
    if packet.id != EVENT:
        return _structs(entries)
    # An event's details are a union, and what its code does not define is uninitialised memory.
    found = _structs(entries, leave_out="details")
    for record, datagram in zip(found, entries["datagram"], strict=True):
        event = read_event(datagram.tobytes())
        record |= {"code": event.code, "known": event.known}
        record |= {name: value if math.isfinite(value) else None for name, value in event.members.items()}
    return found


def _structs(structs: np.ndarray, leave_out: str = "") -> list[Record]:
    """n structs as n records, the fields of an entry's datagram beside its stamp."""
    columns: dict[str, list[Any]] = {}
    pending = [structs]
    while pending:
        of = pending.pop()
        for name in of.dtype.names or ():
            if name == "datagram":
                pending.append(of[name])
            elif name != leave_out:
                columns[name] = _plain(of[name])
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _plain(values: np.ndarray) -> list[Any]:
    """Of each element its plain value; column by column, as numpy's own elements cost a hundred times as much."""
    elements: list[Any]
    if values.dtype.names:
        elements = _structs(values.ravel())
    elif values.dtype.kind == "S":
        elements = [text(raw) for raw in values.ravel().tolist()]
    else:
        if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
            values = np.where(finite, values, None)  # type: ignore[call-overload]
        elements = values.tolist()
        return elements
    for length in reversed(values.shape[1:]):
        elements = [elements[start : start + length] for start in range(0, len(elements), length)]
    return elements


class Selection(dict[str, "Selection"]):
    """Some of a record's fields: name → what of it; an empty selection is everything."""

    @classmethod
    def of(cls, paths: Iterable[str]) -> "Selection":
        """From dotted paths, such as `rig`, `header.session_uid`, or `header` for all of it."""
        selection, whole = cls(), set(paths)
        for path in whole:
            names = path.split(".")
            if not any(".".join(names[:depth]) in whole for depth in range(1, len(names))):
                within = selection
                for name in names:
                    within = within.setdefault(name, cls())
        return selection

    def pick(self, value: Any) -> Any:
        """What is selected of a record, or of each in a list; names that are not there are left out."""
        if not self:
            return value
        if isinstance(value, list):
            return [self.pick(element) for element in value]
        members = value.items() if isinstance(value, dict) else ()
        return {name: self[name].pick(member) for name, member in members if name in self}


def flat(record: Record) -> Record:
    """The record without structs and arrays: `header.session_uid`, `tyres_pressure_psi.0`."""
    return dict(_leaves(record, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for n, element in enumerate(value):
            yield from _leaves(element, f"{path}.{n}")
    else:
        yield path, value


@cache
def template(packet: Packet, *, by_car: bool) -> Record:
    """A record with every field that one of this packet can have, of `cars` or else of `datagrams`; its values are void.

    Of an event those are the members of all codes that its format has.
    """
    nothing = entry(0, "", packet.format.to_bytes(2, "little").ljust(packet.size, b"\0"))
    record = (cars if by_car else datagrams)(packet, nothing)[0]
    if packet.id == EVENT:
        record |= {member.name: 0 for table in EVENTS[packet.format].values() for member in table.fields}
    return record
