"""All cars of the fast packets to columns: ours beside a Python, a JavaScript and a Rust decoder, one machine, one run.

Real datagrams of a recorded time trial (F1 25, format 2025: 22 slots a packet, whatever is in them). Everybody makes
the same of them: for every block, as large as the gateway makes them, a fresh column for each field of the header and of
all cars. The rounds of all take turns. Sums over some columns must be equal, or the benchmark fails.
"""

import math
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from rich.console import Console

from benchmarks import peers
from benchmarks.report import Result, Row
from f1_packets import PACKETS, Packet, block, identify
from pitlane import capture
from pitlane.samples import SampleError, sample
from pitlane.settings import REPOSITORY, GatewaySettings
from tests.peers import VERSIONS, peer_decoder

NAME = "decoding"
RECORDING = "f1_25_time_trial_catalunya.pcap"

JAVASCRIPT_PACKAGE = ("@racehub-io/f1-telemetry-client", "0.2.12")
OURS = ""
PYTHON = f"f1-packets {VERSIONS[2025]} (Python)"
JAVASCRIPT = f"{' '.join(JAVASCRIPT_PACKAGE)} (JavaScript)"
RUST = "f1-game-packet-parser 1.0.5 (Rust)"
PEERS = (PYTHON, JAVASCRIPT, RUST)

CARS = {
    "car_telemetry": "car_telemetry_data",
    "lap_data": "lap_data",
    "car_status": "car_status_data",
    "motion": "car_motion_data",
}
"""What is decoded: our name of the packet, the Python peer's of its cars."""

SUMS = {
    "car_telemetry": {
        "speed_kmh": "speed", "throttle": "throttle", "engine_rpm": "engine_rpm",
        "brakes_temperature_c": "brakes_temperature", "tyres_pressure_psi": "tyres_pressure",
    },
    "lap_data": {
        "current_lap_time_ms": "current_lap_time_in_ms", "sector1_ms_part": "sector1_time_ms_part",
        "lap_distance_m": "lap_distance", "car_position": "car_position",
        "pit_lane_time_in_lane_ms": "pit_lane_time_in_lane_in_ms",
    },
    "car_status": {
        "fuel_in_tank_kg": "fuel_in_tank", "max_rpm": "max_rpm", "tyres_age_laps": "tyres_age_laps",
        "ers_store_j": "ers_store_energy", "ers_deployed_j": "ers_deployed_this_lap",
    },
    "motion": {
        "world_position_x_m": "world_position_x", "world_forward_x": "world_forward_dir_x",
        "g_force_lateral": "g_force_lateral", "roll_rad": "roll",
    },
}  # fmt: skip
"""Compared sums, by our name and the Python peer's; decode.js and main.rs name the same."""

Sums = dict[str, float]


class Decoder(Protocol):
    def measure(self, kind: "Kind", rounds: int) -> tuple[float, Sums]:
        """Seconds a round over all datagrams of a kind, and the sums."""


@dataclass(frozen=True)
class Kind:
    """The datagrams of one packet."""

    packet: Packet
    datagrams: list[bytes]

    @property
    def per_block(self) -> int:
        """Datagrams in a block that is as large as the gateway makes them."""
        limit: int = GatewaySettings.model_fields["block_bytes"].default
        return limit // block.entry_bytes(self.packet.size)

    def relabelled(self, packet_format: int) -> list[bytes]:
        """The same cars as another format sends them.

        Formats 2024 and 2025 lay these packets out alike, and so does 2023 but for LapData, which has fewer fields.
        """
        to = PACKETS[packet_format, self.packet.id]
        old = np.frombuffer(b"".join(self.datagrams), self.packet.dtype)
        new = np.zeros(len(old), to.dtype)
        _copy_shared(old, new)
        new["header"]["packet_format"] = packet_format
        return [each.tobytes() for each in new]


def _copy_shared(old: np.ndarray, new: np.ndarray) -> None:
    for name in new.dtype.names or ():
        if new.dtype[name].base.names:
            _copy_shared(old[name], new[name])
        else:
            new[name] = old[name]


class Ours:
    """f1_packets: one array over a block, then a contiguous array for each field."""

    def measure(self, kind: Kind, rounds: int) -> tuple[float, Sums]:
        step = kind.per_block
        entries = [block.entry(time.time_ns(), "rig", datagram) for datagram in kind.datagrams]
        contents = [b"".join(entries[at : at + step]) for at in range(0, len(entries), step)]
        begun = time.perf_counter()
        for _ in range(rounds):
            for content in contents:
                block.columns(kind.packet, content)
        seconds = (time.perf_counter() - begun) / rounds
        made = [block.columns(kind.packet, content) for content in contents]
        paths = {name: f"cars.{name}" for name in SUMS[kind.packet.name]}
        paths["overall_frame_identifier"] = "header.overall_frame_identifier"
        return seconds, {
            name: sum(float(columns[path].sum(dtype="f8")) for columns in made) for name, path in paths.items()
        }


class PythonPeer:
    """f1-packets: a ctypes structure for each datagram, its fields read one by one."""

    def __init__(self) -> None:
        self._resolve: Callable[[bytes], Any] = peer_decoder(2025).resolve

    def measure(self, kind: Kind, rounds: int) -> tuple[float, Sums]:
        step = kind.per_block
        blocks = [kind.datagrams[at : at + step] for at in range(0, len(kind.datagrams), step)]
        cars = CARS[kind.packet.name]
        seconds, sums = 0.0, Sums()
        for number in range(rounds):
            for datagrams in blocks:
                begun = time.perf_counter()
                headers, columns = self._columns(datagrams, cars)
                seconds += time.perf_counter() - begun
                if number == 0:
                    for ours, theirs in SUMS[kind.packet.name].items():
                        sums[ours] = sums.get(ours, 0.0) + float(np.asarray(columns[theirs]).sum(dtype="f8"))
                    name = "overall_frame_identifier"
                    sums[name] = sums.get(name, 0.0) + sum(headers[name])
        return seconds / rounds, sums

    def _columns(self, datagrams: list[bytes], cars: str) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        resolve, first = self._resolve, self._resolve(datagrams[0])
        headers, header_fields = _empty_columns(first.header)
        columns, car_fields = _empty_columns(getattr(first, cars)[0])
        for datagram in datagrams:
            packet = resolve(datagram)
            header = packet.header
            for name, append, _ in header_fields:
                append(getattr(header, name))
            for car in getattr(packet, cars):
                for name, append, is_array in car_fields:
                    value = getattr(car, name)
                    append(value[:] if is_array else value)
        return headers, columns


def _empty_columns(struct: Any) -> tuple[dict[str, list[Any]], list[tuple[str, Callable[[Any], None], bool]]]:
    """A list for each field, and (name, its list's append, whether the field is an array)."""
    columns: dict[str, list[Any]] = {name: [] for name, _ in struct._fields_}
    return columns, [(name, columns[name].append, hasattr(kind, "_length_")) for name, kind in struct._fields_]


class ChildPeer:
    """A peer in a process of its own, told what to decode a line at a time (peers/decode.js, peers/rust)."""

    def __init__(self, command: list[str], folder: Path, formats: Mapping[str, int]) -> None:
        """`formats` says for each packet which one the peer is given."""
        self._folder = folder
        self._formats = formats
        self._child = subprocess.Popen(
            [*command, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def measure(self, kind: Kind, rounds: int) -> tuple[float, Sums]:
        name = kind.packet.name
        datagrams = kind.relabelled(self._formats[name])
        (self._folder / f"{name}.bin").write_bytes(b"".join(datagrams))
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{name} {len(datagrams[0])} {kind.per_block} {rounds}\n")
        said = self._child.stdout.readline()
        if not said:
            raise RuntimeError(f"{self._child.args!r} ended with {self._child.wait()} over {name}")
        seconds, *sums = said.split()
        return float(seconds), {name: float(value) for name, value in (each.split("=") for each in sums)}

    def __enter__(self) -> "ChildPeer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()


def run(quick: bool) -> Result:
    """Rounds of all decoders in turn, the fast ones several times over so that a clock can tell."""
    console = Console(stderr=True)
    kinds = datagrams(100 if quick else 1000)
    repetitions = 2 if quick else 7
    notes: list[str] = []
    with ExitStack() as open_peers:
        scratch = Path(open_peers.enter_context(tempfile.TemporaryDirectory()))
        decoders: dict[str, Decoder] = {OURS: Ours()}
        try:
            decoders[PYTHON] = PythonPeer()
        except (subprocess.CalledProcessError, SampleError) as error:
            notes.append(f"not run: {PYTHON} could not be installed: {error}")
        for name, child in ((JAVASCRIPT, _javascript), (RUST, _rust)):
            try:
                console.print(f"  [dim]{name}[/]", highlight=False)
                (folder := scratch / child.__name__).mkdir()
                decoders[name] = open_peers.enter_context(child(folder))
            except peers.PeerMissing as missing:
                notes.append(f"not run: {missing} ({missing.hint})")
        taken = {(kind.packet.name, name): [0.0] * repetitions for kind in kinds for name in decoders}
        for repetition in range(repetitions):
            for kind in kinds:
                sums: Sums | None = None
                for name, decoder in decoders.items():
                    rounds = 20 if name in (OURS, RUST) else 1
                    seconds, found = decoder.measure(kind, rounds)
                    taken[kind.packet.name, name][repetition] = seconds / len(kind.datagrams) * 1e6
                    sums = sums or found
                    _compare(kind.packet.name, name, sums, found)
    return Result(NAME, "Decoding all 22 cars to columns", _rows(kinds, taken), [*_notes(kinds, taken), *notes])


def datagrams(limit: int) -> list[Kind]:
    """Up to `limit` of each kind, from the recording beside the repository or the public one."""
    beside = REPOSITORY.parent / "shared" / "captures" / RECORDING
    found: dict[Packet, list[bytes]] = {packet: [] for packet in _packets()}
    for datagram in capture.read(beside if beside.is_file() else sample("time-trial")):
        kept = found.get(identify(datagram.payload))
        if kept is not None and len(kept) < limit:
            kept.append(datagram.payload)
    return [Kind(packet, kept) for packet, kept in found.items()]


def _packets() -> list[Packet]:
    by_name = {packet.name: packet for (packet_format, _), packet in PACKETS.items() if packet_format == 2025}
    return [by_name[name] for name in CARS]


def _javascript(folder: Path) -> ChildPeer:
    package = peers.javascript(*JAVASCRIPT_PACKAGE)
    return ChildPeer(["node", str(peers.SOURCES / "decode.js"), str(package)], folder, dict.fromkeys(CARS, 2023))


def _rust(folder: Path) -> ChildPeer:
    return ChildPeer([str(peers.rust("rust"))], folder, dict.fromkeys(CARS, 2024))


def _compare(packet: str, peer: str, ours: Sums, theirs: Sums) -> None:
    """Equal as far as the order of adding floats allows; a peer that decodes something else measures nothing."""
    for name, value in ours.items():
        if not math.isclose(value, theirs[name], rel_tol=1e-9, abs_tol=1e-6):
            raise AssertionError(f"{packet}.{name}: ours sums to {value}, {peer} to {theirs[name]}")


def _rows(kinds: list[Kind], taken: Mapping[tuple[str, str], list[float]]) -> list[Row]:
    rows = []
    for kind in kinds:
        packet = kind.packet.name
        mine = taken[packet, OURS]
        ours = statistics.median(mine)
        for name in PEERS:
            times = taken.get((packet, name), [])
            theirs = statistics.median(times) if times else None
            if name == RUST:
                aim, met = "within 1.5 × of it", None if theirs is None else ours <= 1.5 * theirs
            else:
                aim, met = "at least 20 ×", None if theirs is None else theirs >= 20 * ours
            rows.append(Row(packet, ours, "µs/datagram", name, theirs, aim=aim, met=met))
    return rows


def _notes(kinds: list[Kind], taken: Mapping[tuple[str, str], list[float]]) -> list[str]:
    def fastest(packet: str) -> str:
        return ", ".join(f"{min(taken[packet, name]):,.2f}" for name in (OURS, *PEERS) if (packet, name) in taken)

    return [
        f"{len(kinds[0].datagrams):,} datagrams of each packet from a real time trial, in blocks of about "
        f"{kinds[0].per_block} (256 KiB); medians of {len(taken[kinds[0].packet.name, OURS])} rounds. "
        "Sums of columns are equal among all.",
        *(f"Fastest rounds of {kind.packet.name}, in the order above: {fastest(kind.packet.name)}" for kind in kinds),
        "Everybody makes a column of every field of header and cars; ours are contiguous numpy arrays, the peers' lists, "
        "arrays and Vecs with their capacity known beforehand.",
        "The crate ends at format 2024, the client at 2023. They get the same cars under those labels: the layouts are "
        "the same but for 2023's LapData, which lacks four fields.",
        "The crate also checks ranges and turns numbers into enums while it parses; ours leaves values as they are.",
    ]
