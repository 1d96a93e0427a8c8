"""A simulated race as the game would send it: every packet of every kind at its own rate, frame by frame.

Race order of a session: the lobby (UID 0), SSTA, the cars on the grid with the session clock at 0, the lights, the
race, and when all are home SEND, the last histories and the classification with frame 0.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pitlane.replay import Timed
from pitlane.simulator.clock import Clock
from pitlane.simulator.config import RaceConfig
from pitlane.simulator.events import Event, announce, mark
from pitlane.simulator.machine import Machine, speed_kmh
from pitlane.simulator.manifest import Manifest, manifest_of
from pitlane.simulator.model import RaceModel, race
from pitlane.simulator.motion import motion, motion_ex
from pitlane.simulator.session import SessionPackets
from pitlane.simulator.state import Field, Ints, State
from pitlane.simulator.timing import Timing, contested
from pitlane.simulator.wire import Packets, Wire

CHUNK_FRAMES = 400
"""Frames computed at once: enough to keep numpy busy, a few tens of MB."""

LOBBY_EVERY_S = 0.5
MENU_TIME_S = 100.0
"""The session time that the lobby shows is that of the menus."""

RARE_FRAMES = {"session": 30, "car_setups": 30, "participants": 300, "car_damage": 6, "in_turn": 3, "lap_positions": 60}
"""Every so many of the game's 60 frames a second. The rest goes with every frame sent."""


class Race:
    """One race; the same config gives the same datagrams. The model is computed when first needed."""

    def __init__(self, config: RaceConfig | None = None) -> None:
        self.config = config or RaceConfig()

    @cached_property
    def model(self) -> RaceModel:
        return race(self.config)

    @cached_property
    def field(self) -> Field:
        return Field(self.model)

    @cached_property
    def clock(self) -> Clock:
        return Clock(self.config, self.model.duration_s)

    @property
    def duration_s(self) -> float:
        """From the first datagram to the last, at real speed."""
        return self.clock.end_offset_s

    def states(self) -> Iterator[tuple[Ints, State]]:
        """Frames to be sent and the state in them, in chunks."""
        frames = self.clock.frames
        for begin in range(0, len(frames), CHUNK_FRAMES):
            chunk = frames[begin : begin + CHUNK_FRAMES]
            yield chunk, self.field.at(self.clock.time_s(chunk))

    @cached_property
    def samples(self) -> dict[str, Packets]:
        """What all frames show at once, (frames, cars): position, speed_kmh, lap, and whether a place is contested."""
        parts: dict[str, list[Packets]] = {"position": [], "speed_kmh": [], "lap": [], "contested": [], "racing": []}
        for _, state in self.states():
            parts["position"].append(state.position.astype(np.int16))
            parts["speed_kmh"].append(speed_kmh(state).astype(np.int16))
            parts["lap"].append(state.lap.astype(np.int16))
            parts["contested"].append(contested(state))
            parts["racing"].append(state.is_racing)
        return {name: np.concatenate(arrays) for name, arrays in parts.items()}

    @cached_property
    def events(self) -> list[Event]:
        """All events, from SSTA to SEND."""
        samples = self.samples
        between = announce(self.model, self.field, self.clock, samples["position"], samples["contested"])
        last = self.clock.frames[-1]  # a button may be let go after it
        return [mark(self.clock, "SSTA"), *(e for e in between if e.frame <= last), mark(self.clock, "SEND")]

    def manifest(self) -> Manifest:
        """The truth about this race, for a test to hold against what came of its datagrams."""
        return manifest_of(self)

    def counts(self) -> dict[str, int]:
        """How many datagrams of each packet name are sent."""
        frames, cars = self.clock.frames, len(self.model.cars)
        every = dict.fromkeys(("motion", "lap_data", "car_telemetry", "car_status", "motion_ex"), len(frames))
        rare = {name: int(self.due(frames, name).sum()) for name in RARE_FRAMES}
        in_turn = rare.pop("in_turn")
        wire = Wire(self.config, self.clock)
        counts = (
            every
            | rare
            | {
                "car_telemetry_2": len(frames),
                "lobby_info": len(self._lobby_times()),
                "event": len(self.events),
                "session_history": in_turn + cars,
                "tyre_sets": in_turn,
                "final_classification": 1,
            }
        )
        return {name: count for name, count in counts.items() if count and wire.has(name)}

    def datagrams(self) -> Iterator[Timed]:
        """(seconds since the first datagram, datagram), in the order of sending."""
        wire = Wire(self.config, self.clock)
        session = SessionPackets(wire, self.model)
        timing = Timing(wire, self.model, self.field)
        yield from self._lobby(session)
        start, *between, end = self.events
        yield float(self.clock.offset_s(0)), wire.event(start)
        pending = iter([*between, None])
        event = next(pending)
        for frame, offset_s, packets in self._frames(wire, session, timing):
            while event is not None and event.frame <= frame:
                yield min(offset_s, float(self.clock.offset_s(event.frame))), wire.event(event)
                event = next(pending)
            for packet in packets:
                yield offset_s, packet
        last_s = self.clock.end_offset_s
        yield last_s, wire.event(end)
        for index in range(len(self.model.cars)):
            yield last_s, timing.last_history(index).tobytes()
        yield last_s, session.final_classification().tobytes()

    def _lobby(self, session: SessionPackets) -> Iterator[Timed]:
        for offset_s in self._lobby_times():
            yield float(offset_s), session.lobby(MENU_TIME_S + offset_s).tobytes()

    def _lobby_times(self) -> NDArray[np.float64]:
        return np.arange(0, self.config.lobby_s, LOBBY_EVERY_S)

    def _frames(self, wire: Wire, session: SessionPackets, timing: Timing) -> Iterator[tuple[int, float, list[bytes]]]:
        """(frame, offset, its datagrams) for every frame sent."""
        machine = Machine(wire, self.model)
        lap_starts = self.positions_at_lap_starts()
        for frames, state in self.states():
            gaps_ms, _ = timing.gaps_ms(state)
            every = [
                motion(wire, self.model, frames, state),
                timing.lap_data(frames, state),
                machine.telemetry(frames, state, gaps_ms),
                machine.status(frames, state, gaps_ms),
                motion_ex(wire, self.model, frames, state),
            ]
            if wire.has("car_telemetry_2"):
                every.append(machine.telemetry_2(frames, state, gaps_ms))
            damage = machine.damage(frames, state)
            offsets = self.clock.offset_s(frames)
            for i, frame in enumerate(frames):
                packets = [kind[i].tobytes() for kind in every]
                moment, time_s = _slice(state, i), float(state.time_s[i])
                if self.due(frame, "session"):
                    packets.append(session.session(frame, time_s).tobytes())
                if self.due(frame, "participants"):
                    packets.append(session.participants(frame).tobytes())
                if self.due(frame, "car_setups"):
                    packets.append(machine.setups(frame, time_s).tobytes())
                if self.due(frame, "car_damage"):
                    packets.append(damage[i].tobytes())
                if self.due(frame, "in_turn"):
                    # Two rings, half a field apart, as in real packets.
                    turn, tyres_turn = int(self._turn(frame)), int(self.tyre_sets_turn(frame))
                    packets.append(timing.session_history(frame, time_s, turn).tobytes())
                    packets.append(machine.tyre_sets(frame, moment, tyres_turn).tobytes())
                if wire.has("lap_positions") and self.due(frame, "lap_positions"):
                    begun = lap_starts["frame"] <= frame
                    packets.append(timing.lap_positions(frame, np.where(begun, lap_starts["position"], 0)).tobytes())
                yield int(frame), float(offsets[i]), packets

    def tyre_sets_turn(self, frames: Ints) -> Ints:
        """Whose tyre sets go with a frame that is due for something in turn."""
        cars = len(self.model.cars)
        return np.asarray((self._turn(frames) + cars // 2) % cars)

    def _turn(self, frames: Ints) -> Ints:
        return np.asarray(frames // max(RARE_FRAMES["in_turn"], self.clock.step) % len(self.model.cars))

    def due(self, frame: Ints, name: str) -> NDArray[np.bool_]:
        """Whether a kind that is sent now and then goes with a frame: the first that is sent in its turn."""
        return frame % RARE_FRAMES[name] < self.clock.step

    def positions_at_lap_starts(self) -> dict[str, Packets]:
        """(laps, cars): in which frame a car is first seen in a lap, and its place in it; laps never begun lie in the future."""
        lap, racing = self.samples["lap"], self.samples["racing"]
        frames = np.full((self.config.laps, len(self.model.cars)), np.iinfo(np.int64).max)
        position = np.zeros(frames.shape, np.int64)
        for index in range(len(self.model.cars)):
            seen = np.where(racing[:, index], lap[:, index], 0)
            for number in range(1, self.config.laps + 1):
                at = np.flatnonzero(seen == number)
                if len(at):
                    frames[number - 1, index] = self.clock.frames[at[0]]
                    position[number - 1, index] = self.samples["position"][at[0], index]
        return {"frame": frames, "position": position}


def _slice(state: State, i: int) -> State:
    """The state of one moment, with the moments' axis kept."""
    return State(**{name: value[i : i + 1] for name, value in vars(state).items()})
