"""The peer of `kafka_to_postgres`: quixstreams reads topics, and its PostgreSQLSink writes a row for each car.

    python quix.py BROKER HOST PORT DATABASE USER PACKET=TOPIC…

The password is in PGPASSWORD. It prints a line of JSON when the first record has come; then it runs until it is ended.
Blocks are decoded with f1_packets, as in Spark: what is compared is what is around it.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink

from f1_packets import PACKET_IDS, PACKETS
from f1_packets.block import entry_dtype

COLUMNS = {
    "lap_data": ("current_lap_num", "lap_distance_m", "current_lap_time_ms", "car_position", "pit_status"),
    "car_telemetry": ("speed_kmh", "throttle", "brake", "steer", "gear", "engine_rpm", "drs"),
    "car_status": ("fuel_in_tank_kg", "ers_store_j", "ers_deploy_mode", "ers_deployed_j"),
    "motion": ("world_position_x_m", "world_position_y_m", "world_position_z_m"),
    "car_telemetry_2": ("active_aero_mode", "active_aero_available", "overtake_available", "overtake_active"),
    "car_damage": ("front_left_wing_damage", "rear_wing_damage", "engine_damage", "gearbox_damage"),
}
"""By packet, which has a topic and a table: members that core.lap_trace and core.lap_damage have too."""


def samples(
    name: str, content: bytes, key: Any, timestamp: int, headers: list[tuple[str, bytes]]
) -> Iterator[dict[str, Any]]:
    """A row for each car of each datagram of a block."""
    packet = PACKETS[int(dict(headers)["packet.format"]), PACKET_IDS[name]]
    entries = np.frombuffer(content, entry_dtype(packet))
    header, cars = entries["datagram"]["header"], entries["datagram"]["cars"]
    of_header = {
        "session_uid": np.repeat(header["session_uid"].astype("<i8"), packet.num_cars).tolist(),
        "rig": [rig.decode() for rig in entries["rig"].tolist() for _ in range(packet.num_cars)],
        "overall_frame": np.repeat(header["overall_frame_identifier"], packet.num_cars).tolist(),
        "car_index": np.tile(np.arange(packet.num_cars), len(entries)).tolist(),
    }
    columns = of_header | {member: cars[member].reshape(-1).tolist() for member in COLUMNS[name]}
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def main() -> None:
    broker, host, port, database, user, *wanted = sys.argv[1:]
    # A group of its own for each run: a known one would go on where the run before ended.
    group = f"quix-{os.getpid()}"
    app = Application(broker_address=broker, consumer_group=group, auto_offset_reset="earliest", loglevel="WARNING")
    begun: list[float] = []

    def begin(content: bytes) -> bytes:
        if not begun:
            begun.append(time.monotonic())
            print(json.dumps({"at": begun[0]}), flush=True)
        return content

    for each in wanted:
        name, _, topic = each.partition("=")
        frame = app.dataframe(app.topic(topic, value_deserializer="bytes"))
        frame = frame.apply(begin).apply(partial(samples, name), expand=True, metadata=True)
        frame.sink(PostgreSQLSink(host, int(port), database, user, os.environ["PGPASSWORD"], name))
    app.run()


if __name__ == "__main__":
    main()
