"""Telegraf as the peer of `chain`: UDP socket listener, its binary parser, its PostgreSQL output.

Its configuration is made from the packets' tables. Of LapData, CarTelemetry, CarStatus and Motion it keeps, for each
car, what core.lap_trace keeps: a column for each car and value, a row for each datagram. Of all other packets it keeps
session and frame. It joins nothing and reduces nothing, so it has less to do and more to write than ours.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
from psycopg import sql

from benchmarks import peers
from benchmarks.grid import PACKET_FORMAT
from benchmarks.pipeline import answer
from f1_packets import PACKET_IDS, PACKETS, Packet
from pitlane.stack.ports import LOOPBACK, Ports
from pitlane.stack.postgres import PostgresServer
from pitlane.stack.stack import Stack

VERSION = "1.37.2"
TITLE = f"Telegraf {VERSION}"
MODULE = "github.com/influxdata/telegraf"
TAGS = ("custom", "inputs.socket_listener", "parsers.binary", "outputs.postgresql")
DATABASE = "telegraf"
QUIET_S = 5.0
"""No new row for so long: it has written what it had."""

KEPT = {
    "lap_data": ("current_lap_num", "lap_distance_m", "current_lap_time_ms", "car_position", "pit_status"),
    "car_telemetry": ("speed_kmh", "throttle", "steer", "brake", "gear", "engine_rpm", "drs"),
    "car_status": ("fuel_in_tank_kg", "ers_store_j", "ers_deploy_mode", "ers_deployed_j", "ers_harvested_mguk_j"),
    "motion": ("world_position_x_m", "world_position_y_m", "world_position_z_m"),
}
HEADER = ("session_uid", "overall_frame_identifier")

AGENT = """
[agent]
  omit_hostname = true
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 200000
  logfile = "{log}"

[[outputs.postgresql]]
  connection = "{connection}"

[[inputs.socket_listener]]
  service_address = "udp://{address}"
  read_buffer_size = "16MiB"
  data_format = "binary"
  endianness = "le"
"""
SECTION = """
  [[inputs.socket_listener.binary]]
    metric_name = "{name}"
    entries = [
      {entries}
    ]
    [inputs.socket_listener.binary.filter]
      length = {length}
      selection = [{{ offset = 48, bits = 8, match = "0x{packet_id:02x}" }}]
"""
_TYPES = {"u": "uint", "i": "int", "f": "float"}


class Telegraf:
    """A Telegraf that runs, with the Postgres that it writes."""

    def __init__(self, port: int, postgres: PostgresServer, log: Path, child: "subprocess.Popen[bytes]") -> None:
        self.port = port
        self._postgres, self._log, self._child = postgres, log, child

    def cpu_s(self) -> float:
        """Processor time since it began."""
        spent = psutil.Process(self._child.pid).cpu_times()
        return float(spent.user + spent.system)

    def stored(self) -> int:
        """Rows in its tables, once no more come."""
        with psycopg.connect(self._postgres.conninfo(DATABASE), autocommit=True) as connection:
            before, since = -1, time.monotonic()
            while time.monotonic() - since < QUIET_S:
                if (rows := _rows(connection)) != before:
                    before, since = rows, time.monotonic()
                time.sleep(0.5)
        return before

    def dropped(self) -> int:
        """What its log says that it gave up."""
        told = re.findall(r"(\d+) metrics? (?:have|has) been dropped", self._log.read_text())
        return sum(map(int, told))

    def complaints(self) -> list[str]:
        """Errors in its log, each once."""
        return sorted({line[21:] for line in self._log.read_text().splitlines() if line[21:].startswith("E!")})


@contextmanager
def running(stack: Stack) -> Iterator[Telegraf]:
    """A Telegraf that writes into the stack's Postgres, into a database of its own. Raises PeerMissing."""
    program = peers.go(MODULE, "cmd/telegraf", f"v{VERSION}", TAGS)
    with psycopg.connect(stack.postgres.conninfo(), autocommit=True) as superuser:
        name = sql.Identifier(DATABASE)
        superuser.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        superuser.execute(sql.SQL("CREATE DATABASE {}").format(name))
    port = Ports.free().udp
    folder = stack.home / "telegraf"
    folder.mkdir(exist_ok=True)
    log = folder / "telegraf.log"
    log.unlink(missing_ok=True)
    file = folder / "telegraf.conf"
    # As many connections as it has tables to write often: batches of different packets go side by side.
    connection = f"{stack.postgres.conninfo(DATABASE)} sslmode=disable pool_max_conns=4"
    file.touch(mode=0o600)
    file.write_text(configuration(connection, f"{LOOPBACK}:{port}", log))
    child = subprocess.Popen(
        [str(program), "--config", str(file)], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_it_listens(log, child)
        yield Telegraf(port, stack.postgres, log, child)
    finally:
        child.terminate()
        child.wait(60)


def configuration(connection: str, address: str, log: Path) -> str:
    """TOML for `connection` (libpq's) and a UDP `address`."""
    packets = [
        PACKETS[PACKET_FORMAT, number] for number in sorted(PACKET_IDS.values()) if (PACKET_FORMAT, number) in PACKETS
    ]
    return AGENT.format(log=log, connection=connection, address=address) + "".join(map(_section, packets))


def _section(packet: Packet) -> str:
    entries: list[str] = []
    at = 0
    for offset, name, dtype in sorted(_columns(packet)):
        if offset > at:
            entries.append(f"{{ bits = {8 * (offset - at)}, omit = true }}")
        entries.append(f'{{ name = "{name}", type = "{_TYPES[dtype.kind]}{8 * dtype.itemsize}" }}')
        at = offset + dtype.itemsize
    return SECTION.format(name=packet.name, entries=",\n      ".join(entries), length=packet.size, packet_id=packet.id)


def _columns(packet: Packet) -> Iterator[tuple[int, str, "np.dtype[Any]"]]:
    """(offset in the datagram, name, type) of what is kept."""
    fields = packet.dtype.fields
    assert fields is not None
    header, begin = fields["header"][:2]
    of_header, of_car = header.fields, fields["cars"][0].base.fields if packet.name in KEPT else None
    assert of_header is not None
    for name in HEADER:
        dtype, offset = of_header[name][:2]
        yield begin + offset, name, dtype
    if of_car is None:
        return
    cars, begin = fields["cars"][:2]
    for number in range(packet.num_cars):
        for name in KEPT[packet.name]:
            dtype, offset = of_car[name][:2]
            yield begin + number * cars.base.itemsize + offset, f"{name}_{number}", dtype


def _rows(connection: psycopg.Connection) -> int:
    names = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return sum(answer(connection, f'SELECT count(*) FROM "{name}"') for name in names)


def _wait_until_it_listens(log: Path, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while not (log.exists() and "Listening on" in log.read_text()):
        if child.poll() is not None or time.monotonic() > deadline:
            said = log.read_text() if log.exists() else "nothing"
            raise RuntimeError(f"Telegraf does not listen; it said: {said[-500:]}")
        time.sleep(0.1)
