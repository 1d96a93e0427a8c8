"""Many rigs that each drive a whole race, the same one under session UIDs of their own.

    python -m benchmarks.grid --rigs 25 --laps 2 --port 20777

Each sends from an address of its own, from the lobby to the classification, at real speed. `load.py` repeats five
seconds for as long as one likes; this sends what the simulator's manifest tells the outcome of, for every rig.

It prints what `load.py` prints.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from itertools import groupby
from operator import itemgetter

from benchmarks.load import CHANGING_AT, PACKET_ID_AT, Begun, Load, Sent, connected, sending, sources
from f1_packets import FORMATS, PACKET_NAMES
from pitlane.simulator import Manifest, Race, RaceConfig

RATE_HZ = 60
PACKET_FORMAT = FORMATS[-1]
FIRST_UID = 0x6712_0000_0000_0000
UID_BYTES = 8
NO_SESSION = bytes(UID_BYTES)

Frame = tuple[float, Sequence[bytearray]]
"""Seconds since the first datagram, and what is sent then."""


def race_of(laps: int, seed: int = 25) -> Race:
    """What every rig drives."""
    return Race(RaceConfig(packet_format=PACKET_FORMAT, laps=laps, rate_hz=RATE_HZ, seed=seed))


def manifests(race: Race, rigs: int, first: int) -> Iterator[Manifest]:
    """What the tables of each of these rigs must be."""
    truth = race.manifest()
    for number in range(first, first + rigs):
        yield replace(truth, session=replace(truth.session, session_uid=FIRST_UID + number))


def uid(number: int) -> bytes:
    """The session UID of a rig, as a datagram has it."""
    return (FIRST_UID + number).to_bytes(UID_BYTES, "little")


def frames(race: Race) -> list[Frame]:
    return [
        (offset_s, [bytearray(datagram) for _, datagram in group])
        for offset_s, group in groupby(race.datagrams(), key=itemgetter(0))
    ]


def drive(rigs: int, laps: int, to: tuple[str, int], first: int = 0) -> Sent:
    """Sends `rigs` races at once; prints `Begun`. Rigs are spread evenly over the time between two frames.

    Rigs are numbered from `first` on: another number is another session.
    """
    race = frames(race_of(laps))
    addresses = sources(rigs)
    outs = [connected(source, to) for source in addresses]
    uids = [uid(number) for number in range(first, first + rigs)]
    end = CHANGING_AT + UID_BYTES
    clock, sleep = time.monotonic, time.sleep
    begin, begin_cpu = clock() + 0.2, time.process_time()
    print(json.dumps(asdict(Begun(begin, addresses))), flush=True)
    latest, refused = 0.0, 0
    for offset_s, datagrams in race:
        in_session = [datagram[CHANGING_AT:end] != NO_SESSION for datagram in datagrams]
        for number, (out, own_uid) in enumerate(zip(outs, uids, strict=True)):
            early = begin + offset_s + number / rigs / RATE_HZ - clock()
            if early > 0:
                sleep(early)
            else:
                latest = max(latest, -early)
            for datagram, has_session in zip(datagrams, in_session, strict=True):
                if has_session:  # a lobby has none
                    datagram[CHANGING_AT:end] = own_uid
                try:
                    out.send(datagram)
                except ConnectionRefusedError:  # told of an earlier one, in place of sending this one
                    refused += 1
                    out.send(datagram)
    seconds = clock() - begin
    for out in outs:
        out.close()
    of_one: Counter[str] = Counter(PACKET_NAMES[datagram[PACKET_ID_AT]] for _, each in race for datagram in each)
    return Sent(
        datagrams=of_one.total() * rigs,
        bytes=sum(len(datagram) for _, each in race for datagram in each) * rigs,
        by_name={name: count * rigs for name, count in of_one.items()},
        by_source=dict.fromkeys(addresses, of_one.total()),
        refused=refused,
        seconds=seconds,
        latest_ms=latest * 1000,
        cpu_s=time.process_time() - begin_cpu,
    )


def driving(port: int, rigs: int, laps: int, first: int = 0) -> AbstractContextManager[Load]:
    """`drive` in a process of its own, ended with the body if it still runs."""
    return sending(port, "--rigs", str(rigs), "--laps", str(laps), "--first", str(first), module=__name__)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grid", description="Many rigs, a whole race each.")
    parser.add_argument("--rigs", type=int, default=25)
    parser.add_argument("--laps", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="number of the first rig: another is another session")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=20777)
    chosen = parser.parse_args()
    sent = drive(chosen.rigs, chosen.laps, (chosen.host, chosen.port), chosen.first)
    print(json.dumps(asdict(sent)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
