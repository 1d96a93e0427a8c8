"""Hard cases: each folder of tests/cases is played from the gateway's deciding core to the tables and views.

tests/cases/README.md says what a folder holds. The reducer, the sink, the session store and Postgres are real ones. Each
case must end in the same rows as given, cut into pieces, and out of order with duplicates.
"""

import asyncio
import csv
import random
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from f1_packets import read_header
from f1_packets.block import PREFIX
from pitlane.settings import SupersetSettings
from pitlane.stack.postgres import PostgresServer
from spark.jobs.blocks import Block
from spark.sink import Sink
from tests.handmade import UID, Fields, frame_packets, packet
from tests.integration.history import empty, fresh_database
from tests.integration.test_facts_sink import write
from udp_gateway.blocks import Gatherer
from udp_gateway.decide import Core, Forward, StoreSession
from udp_gateway.ledger import Ledger
from udp_gateway.sessions import SessionStore
from udp_gateway.spool import Spool

CASES = Path(__file__).parents[1] / "cases"
FOLDERS = sorted(path.parent for path in CASES.glob("*/packets.yaml"))
START_NS = 1_750_000_000_000_000_000
STEP_NS = 16_666_667
"""Between the arrivals of two lines."""
BLOCK_BYTES = 256 * 1024
SHARDS = 4
PIECES = 5

Kept = Forward | StoreSession
Part = list[Kept]


@dataclass
class Case:
    """`packets.yaml`."""

    why: str
    packets: list[tuple[float, int, str, Fields]]
    """session time, overall frame, kind, fields"""
    format: int = 2025
    defaults: dict[str, Fields] = field(default_factory=dict)
    """kind → fields of each packet of that kind"""

    def effects(self) -> Part:
        """What the gateway decides to keep, in order of arrival."""
        core = Core({}, SHARDS)
        decided: Part = []
        for line, (time_s, frame, kind, given) in enumerate(self.packets):
            fields = _merged(self.defaults.get(kind, {}), given)
            year, rig = fields.pop("format", self.format), fields.pop("rig", "rig")
            header = {"time_s": float(time_s), "year": year, "player": 0, "uid": UID}
            made = (
                frame_packets(frame, fields, **header) if kind == "frame" else [packet(kind, frame, fields, **header)]
            )
            for raw in made:
                decided += [e for e in core.decide(raw, rig, START_NS + line * STEP_NS) if isinstance(e, Kept)]
        return decided


def _merged(defaults: Fields, given: Fields) -> dict[Any, Any]:
    both = dict(defaults)
    for name, value in given.items():
        nested = isinstance(value, dict) and isinstance(both.get(name), dict)
        both[name] = _merged(both[name], value) if nested else value
    return both


# --- ways in which packets come --------------------------------------------------------------------------------------


def as_given(effects: Part) -> list[Part]:
    return [effects]


def in_pieces(effects: Part) -> list[Part]:
    """Cut anywhere, within frames too."""
    ends = [len(effects) * n // PIECES for n in range(PIECES + 1)]
    return [effects[a:b] for a, b in pairwise(ends)]


def shuffled(seed: int) -> Callable[[Part], list[Part]]:
    def shuffle(effects: Part) -> list[Part]:
        """Whole frames in any order over three batches, packets of one in any order, a third of them twice; session
        packets keep their order, as the gateway stores them, and come with the second batch."""
        chance = random.Random(seed)
        parts: list[Part] = [[], [e for e in effects if isinstance(e, StoreSession)], []]
        where: dict[Any, int] = {}
        for effect in effects:
            if isinstance(effect, Forward):
                _, rig = PREFIX.unpack_from(effect.entry)
                header = read_header(effect.entry[PREFIX.size :])
                frame = rig, header.session_uid, header.overall_frame_identifier
                parts[where.setdefault(frame, chance.randrange(3))].append(effect)
                if chance.random() < 1 / 3:
                    parts[chance.randrange(3)].append(effect)
        for part in parts:
            chance.shuffle(facts := [e for e in part if isinstance(e, Forward)])
            part[:] = [*(e for e in part if isinstance(e, StoreSession)), *facts]
        return parts

    return shuffle


WAYS = {"as given": as_given, "in pieces": in_pieces, "shuffled": shuffled(1), "shuffled again": shuffled(2)}


# --- playing them ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(postgres_server: PostgresServer, database: SupersetSettings) -> Iterator[SupersetSettings]:
    with fresh_database(postgres_server, database) as own_settings:
        yield own_settings


@pytest.fixture(scope="module")
def sink(own: SupersetSettings) -> Iterator[Sink]:
    sink = Sink(own.conninfo("spark"))
    yield sink
    sink.close()


@asynccontextmanager
async def session_store(own: SupersetSettings, folder: Path) -> AsyncIterator[Callable[[Part], Any]]:
    """The gateway's way of session packets into Postgres."""
    ledger, spool = Ledger(), Spool(folder, 2**30, lambda *lost: pytest.fail(f"dropped {lost}"))
    store = SessionStore(own.conninfo("gateway"), spool, ledger)
    running = asyncio.create_task(store.run())

    async def put(part: Part) -> None:
        spool.append(_gathered(part, StoreSession), ledger.note)
        spool.sync()
        store.wake()
        while not spool.is_empty:
            await asyncio.sleep(0.002)

    try:
        yield put
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _gathered(part: Part, kind: type[Forward] | type[StoreSession]) -> Any:
    gatherer = Gatherer(BLOCK_BYTES)
    for effect in part:
        if isinstance(effect, kind):
            gatherer.add(effect.key, effect.arrival_ns, effect.entry)
    return gatherer.take()


async def play(parts: list[Part], sink: Sink, own: SupersetSettings, folder: Path) -> None:
    """Each part's session packets into Postgres, then the rest as a micro-batch."""
    empty(own)
    async with session_store(own, folder) as put_sessions:
        for batch_id, part in enumerate(parts):
            await put_sessions(part)
            found = _gathered(part, Forward)
            blocks = [Block(b.key.packet_format, b.key.packet_id, b.key.shard, b.content) for b in found]
            assert write(sink, batch_id, blocks)


# --- what must come of it --------------------------------------------------------------------------------------------


def rows_of(own: SupersetSettings, name: str, columns: list[str]) -> list[str]:
    """All rows of `name` (core.lap, mart.event …), a line each, sorted."""
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns),
        sql.Identifier(*name.split(".")),
    )
    with psycopg.connect(own.conninfo("reader")) as reader:
        return sorted(map(_line, reader.execute(query)))


def _line(values: Iterable[str | None]) -> str:
    """As in a CSV file, where NULL is nothing; decimals to three places, so that 0.1 is what a float makes of it."""
    decimal = re.compile(r"-?\d+(\.\d+|(\.\d+)?e[+-]\d+)")
    plain = (value or "" for value in values)
    return ",".join(f"{float(v):.3f}".rstrip("0").rstrip(".") if decimal.fullmatch(v) else v for v in plain)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_case(folder: Path, way: str, sink: Sink, own: SupersetSettings, tmp_path: Path) -> None:
    case = Case(**yaml.safe_load((folder / "packets.yaml").read_text(encoding="utf-8")))
    await play(WAYS[way](case.effects()), sink, own, tmp_path)
    expected = sorted((folder / "expected").glob("*.csv"))
    assert expected, "a case says what must come of it"
    for path in expected:
        columns, *lines = csv.reader(path.read_text(encoding="utf-8").splitlines())
        found = rows_of(own, path.stem, columns)
        assert "\n".join(found) == "\n".join(sorted(map(_line, lines))), path.name
