"""Blocks that NiFi has not taken yet: in order, bounded in bytes, the oldest dropped first.

Invariants: a block is in the outbox from `append` until `forget`; `batch` gives the same blocks again until
they are forgotten, so a retry posts what was posted before, block ids included; the batch that is out is
never dropped. This is the place the disk spool takes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from udp_gateway.blocks import Block


class Outbox:
    def __init__(self, limit_bytes: int, on_drop: Callable[[Block], None]) -> None:
        self._limit = limit_bytes
        self._on_drop = on_drop
        self._waiting: deque[Block] = deque()
        self._out: list[Block] = []
        self.bytes = 0

    def append(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            self._waiting.append(block)
            self.bytes += block.size
        while self.bytes > self._limit and self._waiting:
            oldest = self._waiting.popleft()
            self.bytes -= oldest.size
            self._on_drop(oldest)

    def batch(self, limit_bytes: int) -> list[Block]:
        """The oldest blocks, at least one if there is any, else up to `limit_bytes`; out until forgotten."""
        if not self._out:
            size = 0
            while self._waiting and (not self._out or size + self._waiting[0].size <= limit_bytes):
                block = self._waiting.popleft()
                self._out.append(block)
                size += block.size
        return self._out

    def forget(self) -> list[Block]:
        """The batch that is out has arrived."""
        arrived, self._out = self._out, []
        self.bytes -= sum(block.size for block in arrived)
        return arrived

    def __iter__(self) -> Iterator[Block]:
        yield from self._out
        yield from self._waiting

    def __len__(self) -> int:
        return len(self._out) + len(self._waiting)
