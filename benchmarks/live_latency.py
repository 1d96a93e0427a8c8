"""From the UDP datagram to the WebSocket viewer: Pitlane beside f1-telemetry 2024.1.1 (PyPI), 1, 10 and 100 viewers.

    python -m benchmarks live_latency

Both run alone, one after the other, with the same load: a time trial of format 2024 with a rival at 60 Hz, for that is when
the peer shows a message of the car for each frame ("trace"). Each car telemetry packet has a number as its engine speed,
which both show; latency is from just before the packet is sent until the viewer has the whole message, by one clock.
Neither has its database: no NiFi and Postgres here, no InfluxDB there. Sender, server and viewers are processes of their own,
the server on one core and the others on another: viewers are elsewhere in real life, and a server that they push off its
core with each message would be measured by their number.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.report import Result, Row
from f1_packets import PACKET_IDS, PACKETS
from pitlane.samples import uv
from pitlane.settings import HOME, REPOSITORY

NAME = "live_latency"
TITLE = "From the UDP datagram to the WebSocket viewer"

PEER = "f1-telemetry"
PEER_VERSION = "2024.1.1"
PEER_WEBSOCKET_PORT = 20775
"""Not to be changed there."""

CORES = sorted(os.sched_getaffinity(0))

RATE_HZ = 60
VIEWERS = (1, 10, 100)
WARM_UP_S = 2.0
TIME_TRIAL = 18
CAR, RIVAL = 3, 5
EACH_FRAME = ("motion", "lap_data", "car_telemetry", "car_status", "motion_ex")
NOW_AND_THEN = {
    "session": 30,
    "car_damage": 6,
    "session_history": 3,
    "tyre_sets": 3,
    "participants": 300,
    "car_setups": 30,
}
"""Every how many frames."""


NOTES = [
    "Until a viewer has the frame: of every frame at every viewer, until that frame or a newer one is there.",
    "The peer sends each message to one viewer only, whoever is next: with 100 viewers its messages are young because it sends "
    "a hundredth of them, and a viewer sees one frame in a hundred.",
]


@dataclass(frozen=True)
class Subject:
    """A server under test."""

    name: str
    process: psutil.Popen
    udp_port: int
    http_port: int
    path: str


def _compare(
    crowd: str,
    ours: dict[str, Any],
    theirs: dict[str, Any],
    what: str,
    key: str,
    unit: str,
    less: bool = True,
    aim: bool = False,
) -> Row:
    ahead = ours[key] < theirs[key] if aim else None
    name = f"{crowd}: {what}"
    return Row(name, ours[key], unit, theirs["server"], theirs[key], less, "ahead" if aim else "", ahead)


def run(quick: bool) -> Result:
    """The rows of `measure`, ours beside the peer's."""
    measured = {(row["server"] == "pitlane", row["viewers"]): row for row in measure(quick)}
    rows = []
    for viewers in VIEWERS:
        ours, theirs = measured[True, viewers], measured[False, viewers]
        crowd = f"{viewers} viewer{'s' if viewers > 1 else ''}"

        row = partial(_compare, crowd, ours, theirs)
        rows += [
            row("until a viewer has the frame, p50", "current_p50_ms", "ms", aim=True),
            row("until a viewer has the frame, p99", "current_p99_ms", "ms", aim=True),
            row("age of a message that came, p50", "p50_ms", "ms"),
            row("age of a message that came, p99", "p99_ms", "ms"),
            row("messages that came", "messages", "", less=False),
            row("of all frames, the worst served viewer got", "least_share_of_frames", "", less=False),
            row("of a core", "core_share", ""),
        ]
    return Result(NAME, TITLE, rows, NOTES)


def measure(quick: bool) -> list[dict[str, Any]]:
    """A row for each server and number of viewers.

    `p50_ms`, `p99_ms` and `max_ms` are of the messages that came; `current_…` of every frame at every viewer: how long
    until it shows that frame or a newer one. Where all viewers get all frames the two are the same; where they share the
    stream, the first leaves out what a viewer never gets. `least_share_of_frames`: what the worst served viewer got.
    """
    seconds = 4.0 if quick else 20.0
    rows = []
    for viewers in VIEWERS:
        for running in (pitlane, peer):
            with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as subject:
                rows.append(_row(subject, viewers, seconds, Path(folder)))
    return rows


def _row(subject: Subject, viewers: int, seconds: float, folder: Path) -> dict[str, Any]:
    file = folder / "arrivals.npy"
    arguments = [
        "127.0.0.1",
        str(subject.http_port),
        subject.path,
        str(viewers),
        str(WARM_UP_S + seconds + 0.5),
        str(file),
    ]
    watching = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.live_viewers", *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    os.sched_setaffinity(watching.pid, CORES[-1:])
    os.sched_setaffinity(0, CORES[-1:])
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"watching\n"
    _send(subject.udp_port, WARM_UP_S, first=1)
    time.sleep(1 / RATE_HZ)
    before = subject.process.cpu_times()
    sent = _send(subject.udp_port, seconds, first=1 + round(WARM_UP_S * RATE_HZ))
    after = subject.process.cpu_times()
    assert watching.wait(60) == 0
    arrivals = np.load(file)
    end_ns = time.monotonic_ns()
    arrivals = arrivals[arrivals[:, 1] >= min(sent)]
    latency_ms = (arrivals[:, 2] - np.array([sent[number] for number in arrivals[:, 1].tolist()])) / 1e6
    current_ms = np.concatenate(
        [_until_current(arrivals[arrivals[:, 0] == one], sent, end_ns) for one in range(viewers)]
    )
    shares = np.bincount(arrivals[:, 0], minlength=viewers) / len(sent)
    p50, p99 = np.percentile(latency_ms, [50, 99]) if len(latency_ms) else (float("nan"),) * 2
    return {
        "server": subject.name,
        "viewers": viewers,
        "p50_ms": round(float(p50), 3),
        "p99_ms": round(float(p99), 3),
        "max_ms": round(float(latency_ms.max(initial=0)), 3),
        "current_p50_ms": round(float(np.percentile(current_ms, 50)), 3),
        "current_p99_ms": round(float(np.percentile(current_ms, 99)), 3),
        "messages": len(arrivals),
        "least_share_of_frames": round(float(shares.min()), 4),
        "core_share": round((after.user + after.system - before.user - before.system) / seconds, 3),
    }


def _until_current(arrivals: np.ndarray, sent: dict[int, int], end_ns: int) -> np.ndarray:
    """Of one viewer, for each frame: ms until it has that frame or a newer one; if never, until the watching ended."""
    newest = np.maximum.accumulate(arrivals[:, 1])
    at = np.append(arrivals[:, 2], end_ns)[np.searchsorted(newest, list(sent))]
    waited_ms: np.ndarray = (at - np.array([*sent.values()])) / 1e6
    return waited_ms


def _send(port: int, seconds: float, first: int) -> dict[int, int]:
    """Frames at RATE_HZ to the server; when the car telemetry with each number went out, on the monotonic clock in ns."""
    frames = _Frames()
    sent = {}
    with socket.socket(type=socket.SOCK_DGRAM) as out:
        out.connect(("127.0.0.1", port))
        start = time.monotonic()
        for count in range(round(seconds * RATE_HZ)):
            time.sleep(max(0.0, start + count / RATE_HZ - time.monotonic()))
            for name, datagram in frames.at(first + count):
                if name == "car_telemetry":
                    sent[first + count] = time.monotonic_ns()
                out.send(datagram)
    return sent


class _Frames:
    """Datagrams of a driver in a time trial of format 2024, at a place that moves."""

    def __init__(self) -> None:
        self._records = {name: self._record(name) for name in (*EACH_FRAME, *NOW_AND_THEN)}

    def at(self, number: int) -> Iterator[tuple[str, bytes]]:
        for name in (*(name for name, every in NOW_AND_THEN.items() if number % every == 1), *EACH_FRAME):
            record = self._records[name]
            header = record["header"]
            header["session_time_s"] = number / RATE_HZ
            header["frame_identifier"] = header["overall_frame_identifier"] = number
            if name == "lap_data":
                record["cars"]["lap_distance_m"] = number
            if name == "car_telemetry":
                record["cars"]["engine_rpm"][CAR] = number
            yield name, record.tobytes()

    @staticmethod
    def _record(name: str) -> Any:
        record = np.zeros((), PACKETS[2024, PACKET_IDS[name]].dtype)
        header = record["header"]
        header["packet_format"], header["packet_id"], header["game_year"] = 2024, PACKET_IDS[name], 24
        header["packet_version"], header["session_uid"] = 1, 77
        header["player_car_index"], header["secondary_player_car_index"] = CAR, 255
        if name == "session":
            record["session_type"], record["track_id"], record["track_length_m"] = TIME_TRIAL, 3, 5412
        if name == "lap_data":
            record["time_trial_rival_car_index"] = RIVAL
            record["cars"]["driver_status"], record["cars"]["current_lap_num"] = 1, 1
        return record


# --- the two servers ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def pitlane(folder: Path) -> Iterator[Subject]:
    udp_port, http_port = _free_port(socket.SOCK_DGRAM), _free_port(socket.SOCK_STREAM)
    closed = _free_port(socket.SOCK_STREAM)
    settings = {
        "ENV_FILE": folder / "none", "STACK_HOME": folder, "UDP_PORT": udp_port, "HTTP_PORT": http_port,
        "NIFI_BLOCKS_URL": f"http://127.0.0.1:{closed}/blocks", "POSTGRES_PORT": closed, "SHUTDOWN_S": 0,
    }  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PITLANE_")}
    environment |= {f"PITLANE_{name}": str(value) for name, value in settings.items()}
    with _running([sys.executable, "-m", "udp_gateway"], environment, http_port) as process:
        yield Subject("pitlane", process, udp_port, http_port, "/live/car")


@contextlib.contextmanager
def peer(folder: Path) -> Iterator[Subject]:
    udp_port = _free_port(socket.SOCK_DGRAM)
    command = [str(_peer_program()), "no", "influxdb", "-a", "127.0.0.1", "-p", str(udp_port), "-H", "127.0.0.1"]
    with _running(command, dict(os.environ), PEER_WEBSOCKET_PORT) as process:
        yield Subject(f"{PEER} {PEER_VERSION}", process, udp_port, PEER_WEBSOCKET_PORT, "/")


def _peer_program() -> Path:
    """The peer's command, in an environment of its own."""
    folder = HOME / "tools" / "peers" / f"{PEER}-{PEER_VERSION}"
    program = folder / "bin" / "f1-tel"
    if not program.exists():
        subprocess.run(
            [*uv(), "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)], check=True
        )
        install = [*uv(), "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
        subprocess.run([*install, f"{PEER}=={PEER_VERSION}"], check=True)
    return program


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str], port: int) -> Iterator[psutil.Popen]:
    """A server while the body runs, from when it takes connections on `port`."""
    process = psutil.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while not _answers(port):
            assert process.poll() is None, f"{command[0]} ended"
            assert time.monotonic() < deadline, f"{command[0]} does not listen on {port}"
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
