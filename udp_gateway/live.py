"""Live viewers: each gets the newest state, at its own pace, and none slows another.

A viewer has one slot, not a queue: a newer state replaces the one it had no time for. So a slow or stalled
viewer gets fewer frames, never old ones, and costs one state plus what its socket buffers (WRITE_LIMIT).
"""

import asyncio
from collections.abc import Awaitable, Callable

from udp_gateway.live_state import LiveState

WRITE_LIMIT = 16 * 1024
"""Bytes a viewer's socket may have waiting before its sends wait."""

STALE_S = 2.0
"""A rig silent for so long is no longer shown as the current one."""

Send = Callable[[bytes], Awaitable[None]]


class Viewer:
    """Sends the newest state offered, at most `rate_hz` times a second on average."""

    def __init__(self, send: Send, rate_hz: float) -> None:
        self._send = send
        self._interval = 1.0 / rate_hz
        self._slot: LiveState | None = None
        self._news = asyncio.Event()
        self.sent = 0

    def offer(self, state: LiveState) -> None:
        self._slot = state
        self._news.set()

    async def run(self) -> None:
        """Until `send` raises (the viewer is gone) or it is cancelled."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            await self._news.wait()
            early = due - clock()
            if early > 0:
                await asyncio.sleep(early)
            state, self._slot = self._slot, None
            self._news.clear()
            assert state is not None, "there is news only when the slot is filled"
            # A frame that came a little late does not put off the one after it; a pause earns no burst.
            due = max(due, clock() - self._interval) + self._interval
            await self._send(state.text())
            self.sent += 1


class Hub:
    """Hands each new state to the viewers of its rig, and of `/live/car` if that rig is the current one.

    The current rig is the one that came alive last; it stays so until it falls silent for STALE_S, so that
    two rigs driving at once do not alternate in one panel. `now` is a monotonic clock in seconds.
    """

    def __init__(self) -> None:
        self._newest: dict[str, tuple[LiveState, float]] = {}
        self._alive_since: dict[str, float] = {}
        self._current: str | None = None
        self._by_rig: dict[str, set[Viewer]] = {}
        self._of_current: set[Viewer] = set()

    def publish(self, state: LiveState, now: float) -> None:
        rig = state.rig
        if self._silent(rig, now):
            self._alive_since[rig] = now
            self._current = rig
        elif self._current is None or self._silent(self._current, now):
            alive = [other for other in self._newest if not self._silent(other, now)]
            self._current = max(alive, key=self._alive_since.__getitem__)
        self._newest[rig] = (state, now)
        for viewer in self._by_rig.get(rig, ()):
            viewer.offer(state)
        if rig == self._current:
            for viewer in self._of_current:
                viewer.offer(state)

    def join(self, viewer: Viewer, rig: str | None, now: float) -> None:
        """Adds a viewer of `rig`, or of the current rig (None); it gets the state there is, unless that is stale."""
        viewers = self._of_current if rig is None else self._by_rig.setdefault(rig, set())
        viewers.add(viewer)
        shown = self._current if rig is None else rig
        if shown is not None and not self._silent(shown, now):
            viewer.offer(self._newest[shown][0])

    def leave(self, viewer: Viewer) -> None:
        self._of_current.discard(viewer)
        for rig in [rig for rig, viewers in self._by_rig.items() if viewer in viewers]:
            self._by_rig[rig].discard(viewer)
            if not self._by_rig[rig]:
                del self._by_rig[rig]

    def viewers(self) -> int:
        return len(self._of_current) + sum(map(len, self._by_rig.values()))

    def _silent(self, rig: str, now: float) -> bool:
        return rig not in self._newest or now - self._newest[rig][1] > STALE_S
