"""Real recordings for everybody: those that the f1-packets releases carry (MIT, Gabriele N. Tornetta).

Their source archives hold `test/packets.pickle`, lists of real datagrams by packet type. `fetch` turns each into a
capture under `.pitlane/samples/`: a time trial at Catalunya (F1 25, 20 Hz) and a 22-car race at Melbourne (the 2026
pack, 60 Hz). At most the first 1,000 datagrams of a type are in them, so the fast types end early.

SampleError
├── reason download     the archive could not be had
└── reason not_packets  a pickle that holds anything but lists of bytes
"""

import io
import pickle
import shutil
import subprocess
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from f1_packets import PACKET_IDS, SESSION_END_ORDER, Header, read_header, sample_order
from pitlane import capture
from pitlane.errors import PitlaneError
from pitlane.settings import HOME

RECORDED_NS = 1_750_000_000 * capture.NANOSECONDS
"""The archives do not say when their packets arrived, so every sample starts at this moment."""

DATAGRAM_SPACING_NS = 1_000
"""Between the datagrams of one frame, which the game sends back to back."""


class SampleError(PitlaneError):
    reason = "sample"

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


@dataclass(frozen=True)
class Source:
    """The archive a sample comes from."""

    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        return f"f1-packets=={self.version} --hash=sha256:{self.sha256}"


SOURCES = {
    "time-trial": Source("2025.1.1", "77ffbfbd7df32622faf53658782ed98981d07cf41507b30001bc321887db755a"),
    "race": Source("2026.1.1", "e96654ff678b52106445d9286a18f515dabe7a8d0cd9dc7f6bd330f26b55e640"),
}


def sample(name: str, home: Path = HOME) -> Path:
    """The capture of that name, fetched if it is not there yet. Raises KeyError, SampleError."""
    source, folder = SOURCES[name], home / "samples"
    path = folder / f"{name}.pcap"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = _download(source, home)
        packets = unpickle(_member(archive, "test/packets.pickle"))
        partial = path.with_suffix(".partial")
        capture.write(partial, paced(packets))
        (folder / f"{name}.LICENSE").write_bytes(_member(archive, "LICENSE"))
        partial.rename(path)
    return path


def unpickle(content: bytes) -> list[bytes]:
    """The datagrams of a `packets.pickle` in its order. Raises SampleError for a pickle with anything else in it."""
    try:
        lists = _BytesUnpickler(io.BytesIO(content)).load()
    except SampleError:
        raise
    except Exception as error:  # a broken pickle can raise nearly anything
        raise SampleError("not_packets", f"no pickle of packets: {error}") from error
    if not isinstance(lists, dict) or not all(isinstance(packets, list) for packets in lists.values()):
        raise SampleError("not_packets", "the pickle holds something else than lists by name")
    datagrams = [datagram for packets in lists.values() for datagram in packets]
    if not all(type(datagram) is bytes for datagram in datagrams):
        raise SampleError("not_packets", "the pickle holds more than bytes")
    return datagrams


def paced(datagrams: Iterable[bytes]) -> Iterator[capture.Datagram]:
    """Datagrams in the order of the session and at its pace.

    The session clock tells how much later a frame came; where it stands at 0 (up to 30 s before a start) or rewinds
    (flashback), a frame takes as long as one does on average.
    """
    headed = [(read_header(datagram), datagram) for datagram in datagrams]
    headed.sort(key=lambda pair: _order(pair[0]))
    ticks = [(_order(header)[0], header.session_time_s) for header, _ in headed]
    pairs = list(pairwise(ticks))
    running = [(b[0] - a[0], b[1] - a[1]) for a, b in pairs if SESSION_END_ORDER > b[0] > a[0] and b[1] > a[1]]
    frame_s = sum(seconds for _, seconds in running) / sum(frames for frames, _ in running)
    yield capture.Datagram(RECORDED_NS, "127.0.0.1", headed[0][1])
    arrival_ns = RECORDED_NS
    for (last, now), (_, datagram) in zip(pairs, headed[1:], strict=True):
        if now[1] > last[1]:
            arrival_ns += round((now[1] - last[1]) * capture.NANOSECONDS)
        elif now[1] < last[1] or (now[1] == 0 and now[0] > last[0]):
            arrival_ns += round((now[0] - last[0]) * frame_s * capture.NANOSECONDS)
        else:
            arrival_ns += DATAGRAM_SPACING_NS
        yield capture.Datagram(arrival_ns, "127.0.0.1", datagram)


def _order(header: Header) -> tuple[int, float, bool, int]:
    """Events of a moment go before its samples, and those by packet ID: the game has no fixed order of its own."""
    order = sample_order(header.overall_frame_identifier, header.session_time_s)
    return order, header.session_time_s, header.packet_id != PACKET_IDS["event"], header.packet_id


class _BytesUnpickler(pickle.Unpickler):
    """Admits the one class and the one argument that the archives use: `defaultdict(list)`."""

    ADMITTED: ClassVar = {("collections", "defaultdict"): defaultdict, ("builtins", "list"): list}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.ADMITTED[module, name]
        except KeyError:
            raise SampleError("not_packets", f"the pickle wants {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise SampleError("not_packets", "the pickle wants an object from outside")


def uv(home: Path = HOME) -> list[str]:
    """The command line of uv, Pitlane's own or else the person's, with Pitlane's cache."""
    own = home / "uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise SampleError("download", "uv is not installed", "run `make setup`, or install uv")
    return [found, "--cache-dir", str(home / "cache" / "uv")]


def _download(source: Source, home: Path) -> Path:
    """The source archive, by package name through pip, checked against its hash; kept in `.pitlane/cache/sdists`."""
    target = home / "cache" / "sdists"
    archive = target / f"f1_packets-{source.version}.tar.gz"
    if archive.exists():
        return archive
    with tempfile.TemporaryDirectory() as scratch:
        pins = Path(scratch) / "pins.txt"
        pins.write_text(source.requirement + "\n")
        pip = [*uv(home), "tool", "run", "--from", "pip", "pip", "download", "--quiet", "--no-deps"]
        run = subprocess.run(
            [*pip, "--no-binary", ":all:", "--require-hashes", "-r", str(pins), "-d", str(target)],
            capture_output=True,
            text=True,
        )
    if run.returncode != 0 or not archive.exists():
        tail = (run.stderr.strip().splitlines() or ["no output"])[-1]
        raise SampleError("download", f"f1-packets {source.version} could not be downloaded: {tail}")
    return archive


def _member(archive: Path, name: str) -> bytes:
    """One file of the archive, whose names all start with its own folder."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(f"{archive.name.removesuffix('.tar.gz')}/{name}")
        assert file is not None, "a regular file of a pinned archive"
        return file.read()
