"""Programs that Pitlane installs for itself below `.pitlane/tools`: once, whole, and by one command at a time.

A tool is built in a folder beside its place and renamed into it with its stamp inside, so a half install is never
taken for a whole one. The stamp is a hash of what the tool was made from: another pom, another install.
Standard library only.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STAMP = ".installed"


@contextmanager
def lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Waits until this process alone holds `path`; the kernel lets go when the process ends, however it ends.

    Without `wait`, BlockingIOError when another has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def fingerprint(*parts: bytes | str | Path) -> str:
    """One hash over texts and the contents of files."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def is_installed(place: Path, stamp: str) -> bool:
    try:
        return (place / STAMP).read_text() == stamp
    except OSError:
        return False


def install(place: Path, stamp: str, build: Callable[[Path], None]) -> Path:
    """Makes `place` by `build(empty folder)` unless it is there with the same stamp. Returns `place`.

    Whatever `build` raises leaves `place` as it was.
    """
    with lock(place.parent / f".{place.name}.lock"):
        if is_installed(place, stamp):
            return place
        for leftover in place.parent.glob(f".{place.name}-*"):  # of an install that was killed: we hold the lock
            shutil.rmtree(leftover, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        try:
            part.chmod(0o755)  # a tool may run as another user than the one who installed it
            build(part)
            (part / STAMP).write_text(stamp)
            if place.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
                os.rename(place, old / "old")
                shutil.rmtree(old, ignore_errors=True)
            os.rename(part, place)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return place
