"""Live viewers: each gets the newest state, at its own pace, and none slows another.

A state is written at once to every viewer that is due and whose socket takes more: no task wakes, nothing queues. A
viewer that is above its rate or behind keeps a slot, not a queue: a newer state replaces the one it had no time for,
and `sweep` writes what is still there. So a slow or stalled viewer gets fewer frames, never old ones, and costs one
state of each rig it watches plus what its socket buffers.
"""

import asyncio
from collections.abc import Iterator
from enum import Enum
from typing import Protocol

from udp_gateway.live_state import Car, LiveState
from udp_gateway.sources import MAX_SOURCES

STALE_S = 2.0
"""A rig silent for so long is no longer shown as the current one."""

SWEEP_S = 0.02
"""How long a state may wait in a slot after its viewer could have had it, if no newer one comes before."""


class Rigs(Enum):
    """Which rigs a viewer watches, unless it names one."""

    CURRENT = "current"
    ALL = "all"


class Line(Protocol):
    """The way to a viewer. Neither call blocks or raises, also when the viewer is gone."""

    def behind(self) -> bool:
        """There is something that the viewer's socket did not take yet."""

    def write(self, text: bytes) -> None: ...


class Viewer:
    """Of one car of one rig at a time, or of that car of all rigs: then slots and rate are each rig's own.

    On average at most `rate_hz` frames a second go out. A frame that comes early by less than an interval is let
    through and the credit taken from the next ones: a feed at just this rate that jitters is neither delayed nor thinned.
    """

    def __init__(self, line: Line, rigs: str | Rigs, car: Car | int, rate_hz: float) -> None:
        self.rigs = rigs
        self._line = line
        self._car = car
        self._interval = 1.0 / rate_hz
        self._slots: dict[str, LiveState] = {}
        self._due: dict[str, float] = {}

    @property
    def keeps(self) -> bool:
        """There is something in a slot."""
        return bool(self._slots)

    def offer(self, state: LiveState, now: float) -> None:
        """Writes the state, or keeps it. One without the viewer's car says nothing."""
        index = state.index(self._car)
        if index is None:
            return
        stream = state.rig if self.rigs is Rigs.ALL else ""
        due = self._due.get(stream, now)
        if now < due - self._interval or self._line.behind():
            self._slots[stream] = state
            return
        if self._slots:
            self._slots.pop(stream, None)
        self._due[stream] = max(due, now) + self._interval
        self._line.write(state.text(index))

    def flush(self, now: float) -> None:
        """Offers again what was kept."""
        for state in [*self._slots.values()]:
            self.offer(state, now)

    def forget(self, rig: str) -> None:
        """A rig that fell silent, for viewers of all: as for a newcomer, its last state is no longer shown."""
        self._slots.pop(rig, None)
        self._due.pop(rig, None)


class _Seen:
    """What came last of a rig, when, and since when it has been alive."""

    __slots__ = ("at", "since", "state")

    def __init__(self, state: LiveState, at: float, since: float) -> None:
        self.state = state
        self.at = at
        self.since = since


class Hub:
    """Hands each new state to those who watch its rig, all rigs, or the current one if it is that.

    The current rig is the one that came alive last; it stays so until it falls silent for STALE_S, so that
    two rigs driving at once do not alternate in one panel. `now` is a monotonic clock in seconds.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        """Rigs that are alive, by name; the one heard last comes last."""
        self._current: str | None = None
        self._viewers: dict[str | Rigs, set[Viewer]] = {}
        self._keeping: set[Viewer] = set()
        """Viewers with something in a slot."""

    def publish(self, state: LiveState, now: float) -> None:
        self._see(state, now)
        for viewer in self._watching(state.rig):
            self._offer(viewer, state, now)

    def join(self, viewer: Viewer, now: float) -> None:
        """Adds a viewer; it gets the states there are, unless they are stale."""
        self._viewers.setdefault(viewer.rigs, set()).add(viewer)
        for rig in [*self._seen] if viewer.rigs is Rigs.ALL else [self._named(viewer.rigs)]:
            seen = self._seen.get(rig or "")
            if seen is not None and now - seen.at <= STALE_S:
                self._offer(viewer, seen.state, now)

    def leave(self, viewer: Viewer) -> None:
        self._keeping.discard(viewer)
        viewers = self._viewers.get(viewer.rigs, set())
        viewers.discard(viewer)
        if not viewers:
            self._viewers.pop(viewer.rigs, None)

    async def run(self) -> None:
        """Sweeps until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep(clock())

    def sweep(self, now: float) -> None:
        """Writes what was kept, to those who can have it by now."""
        for viewer in self._keeping:
            viewer.flush(now)
        self._keeping = {viewer for viewer in self._keeping if viewer.keeps}

    def viewers(self) -> int:
        return sum(map(len, self._viewers.values()))

    def viewers_of(self, rig: str) -> int:
        """How many get the frames of this rig now."""
        return sum(1 for _ in self._watching(rig))

    def _watching(self, rig: str) -> Iterator[Viewer]:
        yield from self._viewers.get(rig, ())
        yield from self._viewers.get(Rigs.ALL, ())
        if rig == self._current:
            yield from self._viewers.get(Rigs.CURRENT, ())

    def _named(self, rigs: str | Rigs) -> str | None:
        return self._current if isinstance(rigs, Rigs) else rigs

    def _offer(self, viewer: Viewer, state: LiveState, now: float) -> None:
        viewer.offer(state, now)
        if viewer.keeps:
            self._keeping.add(viewer)

    def _see(self, state: LiveState, now: float) -> None:
        rig = state.rig
        before = self._seen.pop(rig, None)
        came_alive = before is None or now - before.at > STALE_S
        self._seen[rig] = _Seen(state, now, now if before is None or came_alive else before.since)
        while (oldest := next(iter(self._seen))) != rig:
            if len(self._seen) <= MAX_SOURCES and now - self._seen[oldest].at <= STALE_S:
                break
            del self._seen[oldest]
            for viewer in self._viewers.get(Rigs.ALL, ()):
                viewer.forget(oldest)
        if came_alive:
            self._current = rig
        elif self._current not in self._seen:
            self._current = max(self._seen, key=lambda name: self._seen[name].since)
