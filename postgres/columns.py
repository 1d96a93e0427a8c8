"""What the tables are made of: the metadata they all belong to, and the kinds of column they have."""

from typing import Any

from sqlalchemy import TIMESTAMP, BigInteger, CheckConstraint, Column, Integer, MetaData, SmallInteger, Text
from sqlalchemy.types import TypeEngine

ColumnType = TypeEngine[Any] | type[TypeEngine[Any]]

metadata = MetaData(
    naming_convention={"ck": "%(table_name)s_%(constraint_name)s", "pk": "%(table_name)s_pkey"},
)
INSTANT = TIMESTAMP(timezone=True)
FRAME = "order of the sample that this row shows"
REWOUND = "frames that flashbacks had taken back until that sample: later ones win; NULL = from before this was kept"


def key(name: str, type_: ColumnType, comment: str) -> Column[Any]:
    return Column(name, type_, primary_key=True, autoincrement=False, nullable=False, comment=comment)


def value(name: str, type_: ColumnType, comment: str, *, group: str = "") -> Column[Any]:
    """A nullable column. Columns of one `group` come from the same sample and are replaced together."""
    return Column(name, type_, comment=comment or None, info={"group": group})


WHEELS = ("rear_left", "rear_right", "front_left", "front_right")
"""The order of every array of four in the packets."""


def by_wheel(name: str, type_: ColumnType, comment: str) -> tuple[Column[Any], ...]:
    """A nullable column for each wheel, in the packets' order: `rear_left_NAME` and so on."""
    return tuple(value(f"{wheel}_{name}", type_, comment) for wheel in WHEELS)


def always(name: str, type_: ColumnType, comment: str) -> Column[Any]:
    """A column that the game or the writer always fills."""
    return Column(name, type_, nullable=False, comment=comment or None)


def session_key() -> tuple[Column[Any], Column[Any]]:
    return (
        key("session_uid", BigInteger, "the game's session UID, two's complement"),
        key("rig", Text, "name of the rig that sent it"),
    )


def car_key() -> tuple[Column[Any], ...]:
    return *session_key(), key("car_index", SmallInteger, "place of the car in the packets' arrays, 0-based")


def pointer() -> tuple[Column[Any], ...]:
    """Where the bytes of a datagram lie, beside its `shard`."""
    return (
        value("topic", Text, "of Kafka, in which the datagram came; NULL = not from Kafka, as the two below"),
        value("record_offset", BigInteger, "of the block in the topic's partition `shard`; NULL as topic"),
        value("datagram_index", Integer, "place of the datagram in the block, from 0; NULL as topic"),
    )


def check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name=name)
