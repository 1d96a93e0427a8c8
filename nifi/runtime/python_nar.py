"""The NAR of our Python processors, for one platform and one version of Python.

    META-INF/MANIFEST.MF
    decode_packets.py                   what NiFi looks through for processors
    META-INF/bundled-dependencies/      what they import: f1_packets, nifi/python and, as they are installed, LIBRARIES

NiFi takes a NAR that brings its dependencies along as it is: it makes no virtual environment and downloads nothing.
The libraries are those of the Python that builds the NAR, so NiFi has to run the processors on the same one.

    python -m nifi.runtime.python_nar FOLDER

Standard library only.
"""

import platform
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).resolve().parents[2]
PROCESSORS = (REPOSITORY / "nifi" / "python" / "decode_packets.py",)
PACKAGES = (REPOSITORY / "f1_packets", REPOSITORY / "nifi" / "python")
LIBRARIES = ("numpy", "orjson")

NAME = "pitlane-python-nar-0.1.0.nar"
MANIFEST = """\
Manifest-Version: 1.0
Nar-Group: io.pitlane
Nar-Id: pitlane-python-nar
Nar-Version: 0.1.0
"""
_BUNDLED = "META-INF/bundled-dependencies"


def sources() -> list[Path]:
    """Our own files in it, sorted."""
    inside = (path for package in PACKAGES for path in package.rglob("*.py"))
    return sorted({*PROCESSORS, *inside, REPOSITORY / "nifi" / "__init__.py"})


def platform_tag() -> str:
    """What beside the sources a NAR depends on."""
    versions = " ".join(f"{name} {distribution(name).version}" for name in LIBRARIES)
    return f"{sys.implementation.cache_tag} {platform.platform()} {versions}"


def build(folder: Path) -> Path:
    """Writes the NAR into `folder`; returns its path."""
    nar = folder / NAME
    files = {path.name: path for path in PROCESSORS}
    files |= {f"{_BUNDLED}/{path.relative_to(REPOSITORY)}": path for path in sources()}
    files |= {f"{_BUNDLED}/{name}": path for name, path in _libraries()}
    with zipfile.ZipFile(nar, "w", zipfile.ZIP_DEFLATED) as packed:
        # NiFi makes those folders only that have an entry of their own, and looks for the manifest in the first file.
        meta, *folders = sorted({str(each) for name in files for each in PurePosixPath(name).parents} - {"."})
        packed.mkdir(meta)
        packed.writestr(f"{meta}/MANIFEST.MF", MANIFEST)
        for each in folders:
            packed.mkdir(each)
        for name, path in files.items():
            packed.write(path, name)
    return nar


def _libraries() -> Iterator[tuple[str, Path]]:
    """The installed files without those that a running program does not need."""
    for library in LIBRARIES:
        for file in distribution(library).files or ():
            if not {"..", "tests", "__pycache__"} & set(file.parts):
                yield str(file), Path(str(file.locate()))


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
