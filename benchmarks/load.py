"""Many rigs at once, or a flood: a sender cheap enough to share two cores with what it measures.

    python -m benchmarks.load --rigs 20 --rate 60 --seconds 300 --port 20777
    python -m benchmarks.load --flood 100000 --seconds 5 --port 20777

Rigs: each sends from an address of its own (127.0.1.1, 127.0.1.2 …) what a simulated race sends in the middle of a lap,
five seconds of it over and over, every packet at its own rate (but no events). Only the header changes from one time to
the next: session, frame and session time. Frames have absolute deadlines, spread evenly over the rigs, so nothing adds
up and nobody sends in step.

Flood: car telemetry from one address, in batches of `sendmmsg`, at a rate that is kept by deadlines too.

It prints a line of JSON when it begins (`Begun`) and one when it ends (`Sent`): what was sent, exactly.
"""

import argparse
import ctypes
import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from f1_packets import PACKET_NAMES
from pitlane.settings import REPOSITORY
from pitlane.simulator import Race, RaceConfig
from pitlane.simulator.config import GAME_HZ

CHANGING = struct.Struct("<QfII")
"""Session UID, session time, frame and overall frame: the part of the header that is written anew, from CHANGING_AT."""
CHANGING_AT = 7

CYCLE_S, CYCLE_FROM_S = 5, 40
"""What is sent over and over: every kind of packet is in five seconds, and after 40 all cars are racing."""

FIRST_UID = 0xBE7C_0000_0000_0000
FIRST_FRAME = 1000
PACKET_ID_AT = 6
EVENT = 3
FLOOD_BATCH = 64


@dataclass
class Sent:
    """What left the sockets."""

    datagrams: int = 0
    bytes: int = 0
    by_name: dict[str, int] = field(default_factory=dict)
    by_source: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    """Datagrams of the above that nobody listened for; the kernel tells of it with the next one."""
    seconds: float = 0.0
    latest_ms: float = 0.0
    """How far behind its deadline the latest frame (or batch) was sent."""
    cpu_s: float = 0.0
    """Processor time of the sender since it began, with what the kernel needs to hand the datagrams over."""


@dataclass(frozen=True)
class Begun:
    """`at` is CLOCK_MONOTONIC, the same in every process: `due_s` counts from it."""

    at: float
    sources: list[str]


class Rig:
    """One rig's datagrams, frame by frame, with its own session in them.

    `send_frame(k)` sends frame k of the rig, whose overall frame is FIRST_FRAME + k * step.
    """

    def __init__(self, number: int, rate_hz: int, packet_format: int, source: str, to: tuple[str, int]) -> None:
        self.source = source
        self._step = GAME_HZ // rate_hz
        self._cycle = cycle(packet_format, rate_hz)
        self._uid = FIRST_UID + number
        self._out = connected(source, to)
        self._sent: Counter[int] = Counter()
        """Times that each frame of the cycle was sent."""
        self._begin = 13 * number  # rigs do not send their rare packets in step
        self.refused = 0

    def send_frame(self, k: int) -> None:
        at = (self._begin + k) % len(self._cycle)
        frame = FIRST_FRAME + k * self._step
        head = CHANGING.pack(self._uid, frame / GAME_HZ, frame, frame)
        end = CHANGING_AT + CHANGING.size
        send = self._out.send
        for datagram in self._cycle[at]:
            datagram[CHANGING_AT:end] = head
            try:
                send(datagram)
            except ConnectionRefusedError:  # told of an earlier one, in place of sending this one
                self.refused += 1
                send(datagram)
        self._sent[at] += 1

    def counts(self) -> Iterator[tuple[str, int, int]]:
        """(packet, datagrams, bytes) that were sent, in parts."""
        for at, times in self._sent.items():
            for datagram in self._cycle[at]:
                yield PACKET_NAMES[datagram[PACKET_ID_AT]], times, times * len(datagram)

    def close(self) -> None:
        self._out.close()


@cache
def cycle(packet_format: int, rate_hz: int) -> tuple[tuple[bytearray, ...], ...]:
    """For each frame sent in CYCLE_S seconds, its datagrams; the sender writes into them, so it is one to a process."""
    race = Race(RaceConfig(packet_format=packet_format, laps=1, rate_hz=rate_hz, seed=60))
    frames: list[list[bytearray]] = []
    newest = None
    for offset_s, datagram in race.datagrams():
        if offset_s < CYCLE_FROM_S or datagram[PACKET_ID_AT] == EVENT:
            continue
        if offset_s != newest:
            if len(frames) == CYCLE_S * rate_hz:
                break
            frames.append([])
            newest = offset_s
        frames[-1].append(bytearray(datagram))
    return tuple(map(tuple, frames))


def due_s(overall_frame: int, number: int, rigs: int, rate_hz: int) -> float:
    """When a frame of rig `number` is to leave, in seconds after `Begun.at`."""
    return ((overall_frame - FIRST_FRAME) * rate_hz / GAME_HZ + number / rigs) / rate_hz


def sources(count: int) -> list[str]:
    """Loopback addresses of the rigs."""
    return [f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(count)]


def connected(source: str, to: tuple[str, int]) -> socket.socket:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind((source, 0))
    out.connect(to)
    return out


def rigs(
    count: int, rate_hz: int, seconds: float, to: tuple[str, int], packet_format: int = 2025, from_: Sequence[str] = ()
) -> Sent:
    """Sends for `seconds` from `count` rigs, or until SIGTERM; prints `Begun`."""
    addresses = list(from_) or sources(count)
    fleet = [Rig(number, rate_hz, packet_format, source, to) for number, source in enumerate(addresses[:count])]
    stopping = _told_to_stop()
    clock, sleep = time.monotonic, time.sleep
    begin, begin_cpu = clock() + 0.2, time.process_time()
    print(json.dumps(asdict(Begun(begin, [rig.source for rig in fleet]))), flush=True)
    latest = 0.0
    for k in range(round(seconds * rate_hz)):
        if stopping:
            break
        for number, rig in enumerate(fleet):
            early = begin + (k + number / count) / rate_hz - clock()
            if early > 0:
                sleep(early)
            else:
                latest = max(latest, -early)
            rig.send_frame(k)
    sent = Sent(seconds=clock() - begin, latest_ms=latest * 1000, cpu_s=time.process_time() - begin_cpu)
    by_name: Counter[str] = Counter()
    for rig in fleet:
        for name, datagrams, size in rig.counts():
            by_name[name] += datagrams
            sent.by_source[rig.source] = sent.by_source.get(rig.source, 0) + datagrams
            sent.bytes += size
        sent.refused += rig.refused
        rig.close()
    sent.by_name, sent.datagrams = dict(by_name), by_name.total()
    return sent


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _MsgHdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("iov", ctypes.POINTER(_IoVec)),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _MMsgHdr(ctypes.Structure):
    _fields_ = (("header", _MsgHdr), ("length", ctypes.c_uint))


def flood(rate: int, seconds: float, to: tuple[str, int], source: str, packet_format: int = 2025) -> Sent:
    """Car telemetry at `rate` a second from one address, FLOOD_BATCH to a system call (Linux); prints `Begun`."""
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    telemetry = [next(d for d in frame if d[PACKET_ID_AT] == 6) for frame in cycle(packet_format, GAME_HZ)]
    telemetry = [bytearray(telemetry[number % len(telemetry)]) for number in range(FLOOD_BATCH)]
    headers = (_MMsgHdr * FLOOD_BATCH)()
    parts = [_IoVec(ctypes.addressof((ctypes.c_char * len(d)).from_buffer(d)), len(d)) for d in telemetry]
    for header, part in zip(headers, parts, strict=True):
        header.header.iov, header.header.iov_length = ctypes.pointer(part), 1
    out = connected(source, to)
    stopping = _told_to_stop()
    clock = time.monotonic
    begin, begin_cpu = clock() + 0.2, time.process_time()
    print(json.dumps(asdict(Begun(begin, [source]))), flush=True)
    total, sent, latest, refused = round(rate * seconds), 0, 0.0, 0
    while sent < total and not stopping:
        early = begin + sent / rate - clock()
        if early > 0:
            time.sleep(early)
        else:
            latest = max(latest, -early)
        size = min(FLOOD_BATCH, total - sent)
        for number in range(size):
            frame = FIRST_FRAME + sent + number
            CHANGING.pack_into(telemetry[number], CHANGING_AT, FIRST_UID + 0xF100D, frame / GAME_HZ, frame, frame)
        done = sendmmsg(out.fileno(), headers, size, 0)
        if done < 0:
            if (number := ctypes.get_errno()) != errno.ECONNREFUSED:  # told of an earlier one, in place of sending
                raise OSError(number, os.strerror(number))
            refused += 1
            continue
        sent += done
    out.close()
    return Sent(
        datagrams=sent,
        bytes=sent * len(telemetry[0]),
        by_name={"car_telemetry": sent},
        by_source={source: sent},
        refused=refused,
        seconds=clock() - begin,
        latest_ms=latest * 1000,
        cpu_s=time.process_time() - begin_cpu,
    )


def _told_to_stop() -> list[int]:
    """Empty until SIGTERM."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    return told


class Load:
    """A sender in a process of its own: `begun` when it sends, `end()` for what it sent."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child
        assert child.stdout is not None
        self._lines = child.stdout
        self.begun = Begun(**self._line())

    @property
    def pid(self) -> int:
        return self._child.pid

    def end(self) -> Sent:
        """Waits until it has sent everything."""
        sent = Sent(**self._line())
        self._child.wait()
        return sent

    def stop(self) -> Sent:
        """Has it end now."""
        self._child.terminate()
        return self.end()

    def _line(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise RuntimeError(f"the load generator ended with {self._child.wait()}")
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def sending(port: int, *options: str, module: str = "benchmarks.load") -> Iterator[Load]:
    """A `Load` of a sender with command-line options, ended with the body if it still runs."""
    command = [sys.executable, "-m", module, "--port", str(port), *options]
    child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        yield Load(child)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load", description="Telemetry of many rigs, or a flood."
    )
    parser.add_argument("--rigs", type=int, default=20)
    parser.add_argument("--rate", type=int, default=60, help="frames a second of each rig: 10, 20, 30 or 60")
    parser.add_argument("--flood", type=int, default=0, metavar="RATE", help="instead of rigs: packets a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=20777)
    parser.add_argument("--format", type=int, default=2025)
    parser.add_argument("--source", action="append", default=[], help="address to send from; may be given for each rig")
    chosen = parser.parse_args()
    to = (chosen.host, chosen.port)
    if chosen.flood:
        sent = flood(chosen.flood, chosen.seconds, to, (chosen.source or ["127.0.0.1"])[0], chosen.format)
    else:
        sent = rigs(chosen.rigs, chosen.rate, chosen.seconds, to, chosen.format, chosen.source)
    print(json.dumps(asdict(sent)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
