"""From the bytes of a block to JSON or CSV: what the processor DecodePackets does, without NiFi."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import orjson

from f1_packets import PACKETS, Packet, Rejected, block, records
from f1_packets.records import Record, Selection


class Form(StrEnum):
    """How records are written: the values of the property Output Format."""

    JSON_LINES = "JSON Lines"
    JSON_ARRAY = "JSON Array"
    CSV = "CSV"

    @property
    def mime_type(self) -> str:
        return _MIME_TYPES[self]


_MIME_TYPES = {
    Form.JSON_LINES: "application/x-ndjson",
    Form.JSON_ARRAY: "application/json",
    Form.CSV: "text/csv",
}


class Choice(StrEnum):
    """What a record is: the values of the property Records."""

    CARS = "Cars"
    PLAYER_CARS = "Player Cars"
    DATAGRAMS = "Datagrams"


class NoSuchField(Rejected):
    """A block of a packet that has none of the chosen fields."""

    REASONS = ("no_such_field",)


class Decoded(NamedTuple):
    content: bytes
    records: int


@dataclass(frozen=True)
class Decoder:
    """`fields` are dotted names, such as `header.session_uid`; none means all."""

    form: Form = Form.JSON_LINES
    choice: Choice = Choice.CARS
    fields: tuple[str, ...] = ()

    def decode(self, content: bytes) -> Decoded:
        """The records of a block, in UTF-8. Raises Rejected: bytes that are no block, and NoSuchField."""
        packet = block.identify(content)
        present = _present(self, packet)
        if self.fields and not present:
            raise NoSuchField("no_such_field")
        if self.choice is Choice.DATAGRAMS:
            found = records.datagrams(packet, content)
        else:
            found = records.cars(packet, content, players_only=self.choice is Choice.PLAYER_CARS)
        selection = Selection.of(present)
        chosen = [selection.pick(record) for record in found]
        if self.form is Form.CSV:
            return Decoded(_csv(chosen, list(records.flat(selection.pick(self._template(packet))))), len(chosen))
        return Decoded(_json(chosen, self.form), len(chosen))

    def unknown_fields(self) -> set[str]:
        """Those of `fields` that are in no packet."""
        return set(self.fields).difference(*(_present(self, packet) for packet in PACKETS.values()))

    def _template(self, packet: Packet) -> Record:
        return records.template(packet, by_car=self.choice is not Choice.DATAGRAMS)


@cache
def _present(decoder: Decoder, packet: Packet) -> tuple[str, ...]:
    """The chosen fields that the packet has."""
    template = decoder._template(packet)
    return tuple(field for field in decoder.fields if records.flat(Selection.of([field]).pick(template)))


def _json(chosen: Sequence[Record], form: Form) -> bytes:
    if form is Form.JSON_ARRAY:
        return orjson.dumps(chosen)
    return b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in chosen)


def _csv(chosen: Sequence[Record], columns: Sequence[str]) -> bytes:
    """As RFC 4180 has it: a line of names, then one for each record; what an event does not have is empty."""
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, columns)
    rows.writeheader()
    rows.writerows(records.flat(record) for record in chosen)
    return text.getvalue().encode()
