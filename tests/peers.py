"""Independent decoders to compare with: f1-packets from PyPI, one release for each format.

Each is installed by name into `.pitlane/tools/peers/VERSION` and loaded under a name of its own: all call themselves
`f1`.
"""

import importlib.util
import subprocess
import sys
from functools import cache
from types import ModuleType

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
