"""From a car crossing the line to its lap being readable in Postgres, with one rig at 60 Hz.

A simulated race at real speed goes the whole way. A lap counts from the moment when the first packet that shows the car
behind the line is sent, until another connection reads the lap's time in mart.lap. The game shows that time with the
first sample of the next lap; there is none behind the flag, where SessionHistory tells it, which comes round to a car
once in more than a second.

Aim: p95 below 2 s, of laps that another follows.
"""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import psycopg

from benchmarks import grid
from benchmarks.pipeline import Meter, meanwhile, running
from benchmarks.report import Result, Row
from f1_packets import PACKET_IDS, PACKETS, signed_uid
from pitlane import replay
from pitlane.settings import PostgresSettings, SparkSettings
from pitlane.simulator import Race
from pitlane.stack.stack import Stack

NAME = "lap_latency"
LAPS = 4
AIM_S = 2.0
FINISHED = 3
"""Result status of a car that has taken the flag: it goes on under the number of its last lap."""
LOOK_EVERY_S = 0.05
LAST_WRITTEN_S = 15
PACKET_ID_AT = 6

Lap = tuple[int, int]
"""(car, lap number)"""


def run(quick: bool) -> Result:
    laps = 2 if quick else LAPS
    race = grid.race_of(laps)
    crossed = crossings_s(race)
    with running("Gateway", "Spark") as stack:
        replay.send(grid.race_of(1, seed=1).datagrams(), port=stack.ports.udp, speed=2)  # JVMs compile meanwhile
        trigger_s = stack.settings(SparkSettings).spark_trigger_s
        processors = Meter(stack.spark, stack.postgres)
        with _reading(stack, race.config.session_uid) as seen:
            begun = time.monotonic()
            replay.send(race.datagrams(), port=stack.ports.udp)
            time.sleep(LAST_WRITTEN_S)
        cores = processors.cores()
    taken_s = {lap: seen[lap] - begun - crossed[lap] for lap in crossed.keys() & seen.keys()}
    followed = sorted(seconds for (_, number), seconds in taken_s.items() if number < laps)
    at_the_flag = sorted(seconds for (_, number), seconds in taken_s.items() if number == laps)
    p50, p95 = (statistics.quantiles(followed, n=100)[percent - 1] for percent in (50, 95))
    missing = len(crossed.keys() - seen.keys())
    rows = [
        Row("line crossed to lap readable, p50", p50, "s"),
        Row("line crossed to lap readable, p95", p95, "s", aim=f"below {AIM_S:g} s", met=p95 < AIM_S),
        Row("line crossed to lap readable, most", followed[-1], "s"),
        Row("the same at the flag, p50", statistics.median(at_the_flag), "s"),
        Row("laps never readable", missing, "laps", aim="none", met=not missing),
        *(Row(f"processor time of {name}", used, "cores") for name, used in cores.items()),
    ]
    notes = [
        f"{len(followed):,} laps of {race.config.cars} cars and {len(at_the_flag):,} at the flag, format "
        f"{race.config.packet_format}; a micro-batch every {trigger_s:g} s, or as soon as the one before has ended. Looked at "
        f"every {LOOK_EVERY_S * 1000:.0f} ms.",
    ]
    return Result(NAME, "From the line to the lap in Postgres", rows, notes)


def crossings_s(race: Race) -> dict[Lap, float]:
    """When the first packet is sent that shows a car in the next lap, in seconds after the race's first packet."""
    lap_data = PACKET_IDS["lap_data"]
    packet = PACKETS[race.config.packet_format, lap_data]
    driven = np.zeros(packet.num_cars, "i2")
    found: dict[Lap, float] = {}
    for offset_s, datagram in race.datagrams():
        if datagram[PACKET_ID_AT] != lap_data:
            continue
        cars = np.frombuffer(datagram, packet.dtype)[0]["cars"]
        behind = cars["current_lap_num"] - 1 + (cars["result_status"] == FINISHED)
        for car in np.flatnonzero(behind > driven):
            found[int(car), int(behind[car])] = offset_s
        driven = np.maximum(driven, behind)
    return found


@contextmanager
def _reading(stack: Stack, session_uid: int) -> Iterator[Mapping[Lap, float]]:
    """When (CLOCK_MONOTONIC) each lap's time was first readable."""
    seen: dict[Lap, float] = {}
    query = "SELECT car_index, lap_number FROM mart.lap WHERE session_uid = %s AND lap_time_ms IS NOT NULL"
    with psycopg.connect(stack.settings(PostgresSettings).conninfo("reader"), autocommit=True) as connection:

        def look() -> None:
            for lap in connection.execute(query, [signed_uid(session_uid)]):
                seen.setdefault(lap, time.monotonic())

        with meanwhile(look, LOOK_EVERY_S):
            yield seen
