"""How many datagrams were received, where a process that is killed leaves it: in a page of memory that is a file.

The kernel keeps such a page when the process dies, however it dies, and writes it to disk in its own time. So after a
kill it is exact, and what was received and is in no block can be counted. After a failing machine it may be late.

The file also is the lock of the spool's folder: one gateway at a time.
"""

import fcntl
import os
import struct
from mmap import mmap
from pathlib import Path

from pitlane.errors import PitlaneError

_ID_BYTES = 16
_FORMAT = struct.Struct(f"<Q{_ID_BYTES}s")


class SpoolTaken(PitlaneError):
    reason = "spool_taken"


class Tally:
    """`received` is as the run before left it, or 0 when the file belongs to another ledger."""

    def __init__(self, path: Path) -> None:
        """Raises SpoolTaken while another process has it, OSError when it cannot be made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            hint = "stop that gateway, or give this one a PITLANE_SPOOL of its own"
            raise SpoolTaken(f"another gateway spools into {path.parent}", hint) from error
        if os.fstat(self._fd).st_size < _FORMAT.size:
            # Written, not only lengthened: a page that finds no room on a full disk later would end the process.
            os.pwrite(self._fd, bytes(_FORMAT.size), 0)
        self._page = mmap(self._fd, _FORMAT.size)
        self._count = memoryview(self._page)[:8].cast("Q")

    def of(self, ledger_id: str) -> int:
        """What was counted for this ledger; from now on counts are for it."""
        count, owner = _FORMAT.unpack_from(self._page)
        if owner.rstrip(b"\0").decode(errors="replace") == ledger_id:
            return int(count)
        _FORMAT.pack_into(self._page, 0, 0, ledger_id.encode()[:_ID_BYTES])
        return 0

    def set(self, received: int) -> None:
        self._count[0] = received

    def close(self) -> None:
        self._count.release()
        self._page.close()
        os.close(self._fd)
