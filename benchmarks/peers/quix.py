"""The peer of `kafka_to_postgres`: quixstreams reads f1.lap_data, and its PostgreSQLSink writes a row for each car.

    python quix.py BROKER TOPIC HOST PORT DATABASE USER

The password is in PGPASSWORD. It prints a line of JSON when the first record has come; then it runs until it is ended.
Blocks are decoded with f1_packets, as in Spark: what is compared is what is around it.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink

from f1_packets import PACKET_IDS, PACKETS
from f1_packets.block import entry_dtype

COLUMNS = ("current_lap_num", "lap_distance_m", "current_lap_time_ms", "car_position", "pit_status")


def samples(content: bytes, key: Any, timestamp: int, headers: list[tuple[str, bytes]]) -> Iterator[dict[str, Any]]:
    """A row for each car of each datagram of a block."""
    packet = PACKETS[int(dict(headers)["packet.format"]), PACKET_IDS["lap_data"]]
    entries = np.frombuffer(content, entry_dtype(packet))
    header, cars = entries["datagram"]["header"], entries["datagram"]["cars"]
    of_header = {
        "session_uid": np.repeat(header["session_uid"].astype("<i8"), packet.num_cars).tolist(),
        "rig": [rig.decode() for rig in entries["rig"].tolist() for _ in range(packet.num_cars)],
        "overall_frame": np.repeat(header["overall_frame_identifier"], packet.num_cars).tolist(),
        "car_index": np.tile(np.arange(packet.num_cars), len(entries)).tolist(),
    }
    columns = of_header | {name: cars[name].reshape(-1).tolist() for name in COLUMNS}
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def main() -> None:
    broker, topic, host, port, database, user = sys.argv[1:]
    app = Application(broker_address=broker, consumer_group="quix", auto_offset_reset="earliest", loglevel="WARNING")
    begun: list[float] = []

    def begin(content: bytes) -> bytes:
        if not begun:
            begun.append(time.monotonic())
            print(json.dumps({"at": begun[0]}), flush=True)
        return content

    frame = app.dataframe(app.topic(topic, value_deserializer="bytes"))
    frame = frame.apply(begin).apply(samples, expand=True, metadata=True)
    frame.sink(PostgreSQLSink(host, int(port), database, user, os.environ["PGPASSWORD"], "lap_sample"))
    app.run()


if __name__ == "__main__":
    main()
