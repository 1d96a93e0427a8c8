"""The NAR of the Python processors, and that what is in it runs as NiFi runs it: without anything that is installed."""

import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from nifi.runtime import home, python_nar
from pitlane.settings import REPOSITORY
from tests.datagrams import datagram

BLOCK = (1_750_000_000_000_000_001).to_bytes(8, "little") + b"rig".ljust(16, b"\0") + datagram(10, uid=2**64 - 1)

DECODE = """
import sys
import numpy
import f1_packets
from nifi.python.decoding import Decoder
print(numpy.__file__, f1_packets.__file__, sep="\\n")
sys.stdout.write(Decoder(fields=("header.session_uid",)).decode(sys.stdin.buffer.read()).content.decode())
"""


@pytest.fixture(scope="module")
def nar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return python_nar.build(tmp_path_factory.mktemp("nar"))


def test_nifi_finds_the_processor_and_nothing_else_at_the_top(nar: Path) -> None:
    with zipfile.ZipFile(nar) as packed:
        top = {name for name in packed.namelist() if not name.startswith("META-INF/")}
        manifest = packed.read("META-INF/MANIFEST.MF").decode()
        processor = packed.read("decode_packets.py")
    assert top == {"decode_packets.py"}
    assert processor == (REPOSITORY / "nifi" / "python" / "decode_packets.py").read_bytes()
    assert {"Nar-Group: io.pitlane", "Nar-Id: pitlane-python-nar", "Nar-Version: 0.1.0"} < set(manifest.splitlines())


def test_every_folder_has_an_entry_before_what_is_in_it(nar: Path) -> None:
    # NiFi's NarUnpacker makes a folder when it comes to its entry, and fails at a file whose folder is not there. What is
    # uploaded it reads as a JarInputStream, which knows the manifest by its place.
    made = {"./"}
    with zipfile.ZipFile(nar) as packed:
        assert packed.namelist()[:2] == ["META-INF/", "META-INF/MANIFEST.MF"]
        for entry in packed.infolist():
            assert f"{PurePosixPath(entry.filename).parent}/" in made, entry.filename
            if entry.is_dir():
                made.add(entry.filename)


def test_it_brings_the_tables_of_this_repository(nar: Path) -> None:
    with zipfile.ZipFile(nar) as packed:
        for path in (REPOSITORY / "f1_packets").rglob("*.py"):
            assert packed.read(f"META-INF/bundled-dependencies/{path.relative_to(REPOSITORY)}") == path.read_bytes()
        assert not [name for name in packed.namelist() if "/tests/" in name or name.endswith(".pyc")]


def test_what_is_in_it_decodes_without_what_is_installed(nar: Path, tmp_path: Path) -> None:
    unpacked = home.unpack(nar, tmp_path)
    bundled = unpacked / "NAR-INF" / "bundled-dependencies"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", DECODE],
        env={"PYTHONPATH": f"{unpacked}:{bundled}"},
        cwd=tmp_path,
        input=BLOCK,
        capture_output=True,
        check=True,
    )
    numpy, packets, *records = ran.stdout.decode().splitlines()
    assert Path(numpy).is_relative_to(bundled)
    assert Path(packets).is_relative_to(bundled)
    assert records == ['{"header":{"session_uid":18446744073709551615}}'] * 22


def test_another_python_or_another_library_needs_another_nar(monkeypatch: pytest.MonkeyPatch) -> None:
    here = python_nar.platform_tag()
    assert sys.implementation.cache_tag in here
    assert "numpy" in here
    monkeypatch.setattr(python_nar, "LIBRARIES", ("numpy",))
    assert python_nar.platform_tag() != here
