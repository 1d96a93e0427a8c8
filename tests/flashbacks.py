"""A race with flashbacks, quits and pit stops, of which only parts were received; put together from simulated races.

The simulator's time only goes forward. Here several races of one session (other seeds, so that each try differs from
the one before) take turns: a leg that begins before the last one's end is driven behind a flashback.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from f1_packets import PACKET_IDS, PACKETS, identify
from pitlane.simulator import Race, RaceConfig
from pitlane.simulator.config import GAME_HZ
from tests.blocks import Timed

CARS, LAPS, RATE_HZ = 6, 3, 10
SESSION_UID = 0x85DB0A0F77EC492A
BEGUN_NS = 1_750_000_000_000_000_000
EVENT_BYTES = 45


class Leg(NamedTuple):
    """Seconds since lights out. With 6 cars lap 2 begins at about 90 s and lap 3 at about 184; the stops lie at its end."""

    seed: int
    from_s: float
    to_s: float


LEGS = (
    Leg(1, -6, 3),
    Leg(1, 84, 94),
    Leg(2, 88, 89.6),  # back to before the line, which some cross …
    Leg(3, 89.2, 95),  # … when it is gone back a second time
    Leg(1, 91, 93),  # back within the lap
    Leg(2, 166, 181),
    Leg(3, 172, 187),  # back in the pit lane
    Leg(1, 182, 189),  # over the line, from the lap after the stop to the one before
    Leg(2, 282, 400),
)
QUITS_AT_LEG = len(LEGS) - 1
QUITTER = CARS - 1
"""No car in the last leg."""


def race(packet_format: int, legs: tuple[Leg, ...] = LEGS) -> list[Timed]:
    """(arrival in ns since the epoch, datagram), in the order of arrival."""
    return list(_datagrams(packet_format, legs))


def _datagrams(packet_format: int, legs: tuple[Leg, ...]) -> Iterator[Timed]:
    rewound = 0
    for number, leg in enumerate(legs):
        config = RaceConfig(
            packet_format=packet_format, laps=LAPS, cars=CARS, rate_hz=RATE_HZ, seed=leg.seed,
            session_uid=SESSION_UID, restricted=(1,),
        )  # fmt: skip
        simulated = Race(config)
        first, last = (simulated.clock.lights_out_frame + round(s * GAME_HZ) for s in (leg.from_s, leg.to_s))
        if number and first < (before := simulated.clock.lights_out_frame + round(legs[number - 1].to_s * GAME_HZ)):
            yield _arrival(simulated, before, rewound), _flashback(simulated, packet_format, before, first, rewound)
            rewound += before - first
        begun = number == 0
        for offset_s, sent in simulated.datagrams():
            raw = bytearray(sent)
            frame, overall_frame = struct.unpack_from("<II", raw, 19)
            begun = begun or frame >= first
            if not begun:
                continue
            if frame >= last:
                break
            if overall_frame:
                struct.pack_into("<I", raw, 23, overall_frame + rewound)
            if number == QUITS_AT_LEG:
                _quit(raw)
            yield BEGUN_NS + round((offset_s + rewound / GAME_HZ) * 1e9), bytes(raw)


def _arrival(simulated: Race, frame: int, rewound: int) -> int:
    return BEGUN_NS + round((float(simulated.clock.offset_s(frame)) + rewound / GAME_HZ) * 1e9)


def _flashback(simulated: Race, packet_format: int, at: int, to: int, rewound: int) -> bytes:
    """The FLBK event of the last frame before it."""
    at_s, to_s = (float(simulated.clock.session_time_s(frame)) for frame in (at - 1, to))
    header = struct.pack(
        "<HBBBBBQfIIBB", packet_format, packet_format % 100, 1, 0, 1, PACKET_IDS["event"], SESSION_UID, at_s,
        at - 1, at - 1 + rewound, simulated.config.player, 255,
    )  # fmt: skip
    return (header + b"FLBK" + struct.pack("<If", to, to_s)).ljust(EVENT_BYTES, b"\0")


def _quit(raw: bytearray) -> None:
    """Takes QUITTER out of the packet: its slot is empty, and nobody is counted behind it."""
    packet = identify(bytes(raw))
    sent = np.frombuffer(raw, PACKETS[packet.format, packet.id].dtype)[0]
    if packet.name == "participants":
        sent["num_active_cars"] = CARS - 1
    elif packet.name == "lap_data":
        sent["cars"][QUITTER]["result_status"] = sent["cars"][QUITTER]["car_position"] = 0
