"""The tables of core, defined once: migrations are generated from here, and Spark's sink takes its columns from here.

Every key starts with (session_uid, rig): two rigs in one online session keep their own copies. Only a lobby has no
session yet. Comments land in the database (`\\d+ core.lap`) and in docs/tables.md, which is generated from here;
`info["packets"]` names the packets that a table's rows come from.

Three conventions hold everywhere:
- `session_uid` is the game's unsigned 64-bit number as two's complement; `core.session_hex` shows it.
- `overall_frame` is the sample's order in its session (`f1_packets.sample_order`): the game's overall frame, and
  2^32 for what the game sends at session end with frame 0.
- NULL means "not known": not sent, not complete yet, or hidden by the driver's telemetry setting. Never zero.
"""

from postgres import partitions
from postgres import reference as reference  # with it the metadata has the tables of ref as well
from postgres.columns import metadata as metadata
from postgres.tables.bookkeeping import ledger as ledger
from postgres.tables.bookkeeping import pending_datagram as pending_datagram
from postgres.tables.car import participant as participant
from postgres.tables.car import result as result
from postgres.tables.garage import setup as setup
from postgres.tables.garage import tyre_set as tyre_set
from postgres.tables.lap import history as history
from postgres.tables.lap import lap as lap
from postgres.tables.lap import lap_start as lap_start
from postgres.tables.lap import lap_trace as lap_trace
from postgres.tables.lap import stint as stint
from postgres.tables.lap_damage import lap_damage as lap_damage
from postgres.tables.lobby import lobby_player as lobby_player
from postgres.tables.pit_sample import pit_sample as pit_sample
from postgres.tables.player_trace import player_trace as player_trace
from postgres.tables.quarantine import quarantine as quarantine
from postgres.tables.session import event as event
from postgres.tables.session import session as session
from postgres.tables.session import session_sample as session_sample
from postgres.tables.session import weather_forecast as weather_forecast
from postgres.tables.time_trial import time_trial as time_trial

SCHEMAS = ("core", "ref", "mart")
_PARTS = frozenset(name for table in metadata.tables.values() for name in partitions.names(table))


def is_compared(name: str | None, kind: str, _parents: object = None) -> bool:
    """Whether alembic's comparison looks at it: at our schemas and the tables in them, but not at parts of tables."""
    return name in ("core", "ref") if kind == "schema" else name not in _PARTS
