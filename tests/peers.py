"""Independent decoders to compare with: f1-packets from PyPI, one release for each format.

Each is installed by name into `.pitlane/tools/peers/VERSION` and loaded under a name of its own: all call themselves
`f1`.
"""

import ctypes
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

from pitlane.samples import uv
from pitlane.settings import HOME

VERSIONS = {2023: "2023.1.0", 2024: "2024.1.0", 2025: "2025.1.1", 2026: "2026.1.1"}


@cache
def peer_decoder(packet_format: int) -> ModuleType:
    """The peer's `packets` module for this format; `resolve(datagram)` gives a ctypes structure."""
    version = VERSIONS[packet_format]
    folder = HOME / "tools" / "peers" / version
    source = folder / "f1" / "packets.py"
    if not source.exists():
        install = [*uv(), "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--target", str(folder)]
        subprocess.run([*install, f"f1-packets=={version}"], check=True)
    spec = importlib.util.spec_from_file_location(f"peer_{packet_format}", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def values(value: Any) -> Iterator[Any]:
    """A peer's structure as plain values in its order; by position, since its 2023 and 2024 lap history has one name twice."""
    if isinstance(value, ctypes.Structure):
        raw, offset = bytes(value), 0
        for _, kind, *_ in value._fields_:
            yield from values(kind.from_buffer_copy(raw, offset))
            offset += ctypes.sizeof(kind)
    elif isinstance(value, ctypes.Union):
        yield from bytes(value)
    elif isinstance(value, ctypes.Array) and not isinstance(value[0], bytes):
        for element in value:
            yield from values(element)
    else:
        yield getattr(value, "value", value)
