"""One car, one frame, several packets: LapData joined with what else the game sent of the same frame.

CarTelemetry, CarStatus and Motion come with every frame and make it complete. CarTelemetry2 does too, but only since
2026; CarDamage comes ten times a second; MotionEx is of the player's car alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from f1_packets import SESSION_END_ORDER
from postgres.columns import WHEELS
from spark.jobs.blocks import Decoded, Samples

PARTNERS = ("car_telemetry", "car_status", "motion")
"""What makes a frame complete."""
SPARSE_PARTNERS = ("car_telemetry_2", "car_damage", "motion_ex")
"""What some frames have, or some formats or rigs."""

RACING = 2
"""LapData's result status `active`. 0 is an empty slot or a ghost, 3 and above a car that has ended its race."""
IN_GARAGE = 0
"""LapData's driver status. A time trial begins with half a minute of it, at a distance that is none."""


def is_active(cars: np.ndarray) -> np.ndarray:
    """Which cars of LapData are on the track and have not ended their race; `cars` and the answer are (n, cars)."""
    return (cars["result_status"] == RACING) & (cars["driver_status"] != IN_GARAGE) & (cars["car_position"] > 0)


def races(cars: np.ndarray) -> np.ndarray:
    """Which cars of LapData are on a lap."""
    return is_active(cars) & (cars["current_lap_num"] > 0)


def frame_key(samples: Samples) -> np.ndarray:
    """(session, order) of each sample as one i8."""
    return samples.session.astype("i8") * (2 * SESSION_END_ORDER) + samples.order


@dataclass(frozen=True, eq=False)
class Partner:
    """A kind's packets and, for each row of CarFrames, where its own is."""

    packets: np.ndarray | None
    """All packets of the kind, None if there are none."""
    at: np.ndarray
    """Index of the row's packet, or -1."""

    def take(self, index: np.ndarray) -> "Partner":
        return Partner(self.packets, self.at[index])

    def read(self, car: np.ndarray, field: str, wheel: int | None) -> np.ma.MaskedArray:
        """`CarFrames.of`."""
        if self.packets is None:
            return np.ma.masked_all(len(self.at), "f4")
        of_all_cars = "cars" in (self.packets.dtype.names or ())
        records = self.packets["cars"] if of_all_cars else self.packets
        if field not in (records.dtype.names or ()):
            return np.ma.masked_all(len(self.at), "f4")
        index = (self.at, car) if of_all_cars else (self.at,)
        values = records[field][index if wheel is None else (*index, wheel)]
        return np.ma.MaskedArray(values, self.at < 0)


@dataclass(frozen=True, eq=False)
class CarFrames:
    """Rows of cars that race: one for each LapData frame and car, with the same frame's other packets."""

    session: np.ndarray
    order: np.ndarray
    car: np.ndarray
    rewound: np.ndarray
    """`Samples.rewound` of each"""
    _frame: np.ndarray
    _lap_data: np.ndarray
    """(frames,) whole LapData packets"""
    _partners: dict[str, Partner]

    def lap(self, field: str) -> np.ndarray:
        """A member of the car's LapData."""
        return self._lap_data["cars"][field][self._frame, self.car]

    def lap_or_null(self, field: str) -> np.ndarray:
        """A member of the car's LapData, masked in formats that do not have it."""
        there = field in (self._lap_data.dtype["cars"].base.names or ())
        return self.lap(field) if there else np.ma.masked_all(len(self.car), "f4")

    def lap_of_all(self, field: str) -> np.ndarray:
        """(rows, cars): a member of every car in the row's LapData."""
        return self._lap_data["cars"][field][self._frame]

    @property
    def session_time_s(self) -> np.ndarray:
        return self._lap_data["header"]["session_time_s"][self._frame]

    def has(self, name: str) -> np.ndarray:
        """Whether the frame had this packet; of MotionEx: whether it was this car's."""
        return self._partners[name].at >= 0

    def of(self, name: str, field: str, wheel: int | None = None) -> np.ma.MaskedArray:
        """A partner's member, masked where the frame lacks the packet or the format the member.

        `wheel` is an index into postgres.columns.WHEELS, for members that are arrays of four.
        """
        return self._partners[name].read(self.car, field, wheel)

    def by_wheel(self, name: str, members: Mapping[str, str]) -> dict[str, np.ma.MaskedArray]:
        """Columns as `postgres.columns.by_wheel` names them, from members (column → member) that are arrays of four."""
        return {
            f"{wheel}_{column}": self.of(name, member, index)
            for column, member in members.items()
            for index, wheel in enumerate(WHEELS)
        }

    @property
    def is_complete(self) -> np.ndarray:
        return np.logical_and.reduce([self.has(name) for name in PARTNERS])

    @property
    def ers_harvested_j(self) -> np.ma.MaskedArray:
        """By both generators, in this lap so far."""
        return self.of("car_status", "ers_harvested_mguk_j") + self.of("car_status", "ers_harvested_mguh_j")

    def take(self, index: np.ndarray) -> "CarFrames":
        return CarFrames(
            self.session[index],
            self.order[index],
            self.car[index],
            self.rewound[index],
            self._frame[index],
            self._lap_data,
            {name: partner.take(index) for name, partner in self._partners.items()},
        )


def join(decoded: Decoded) -> list[CarFrames]:
    """The rows of each format in `decoded`; datagrams that came twice count once."""
    return [_join(laps, decoded) for laps in decoded.of("lap_data")]


def _join(laps: Samples, decoded: Decoded) -> CarFrames:
    keys, first = np.unique(frame_key(laps), return_index=True)
    laps = laps.take(first)
    frame, car = np.nonzero(races(laps.datagrams["cars"]) & laps.sound)
    partners = {}
    for name in (*PARTNERS, *SPARSE_PARTNERS):
        found = next((s for s in decoded.of(name) if s.packet.format == laps.packet.format), None)
        at = places(keys, found)[frame]
        if found is not None and not found.packet.num_cars:
            at = np.where(found.header["player_car_index"][at] == car, at, -1)
        elif found is not None and found.out is not None:
            at = np.where(found.out[at, car], -1, at)
        partners[name] = Partner(None if found is None else found.datagrams, at)
    session, order, rewound = laps.session[frame], laps.order[frame], laps.rewound[frame]
    return CarFrames(session, order, car, rewound, frame, laps.datagrams, partners)


def places(keys: np.ndarray, found: Samples | None) -> np.ndarray:
    """For each frame (`frame_key`) the index of its packet in `found`, or -1."""
    if found is None:
        return np.full(len(keys), -1)
    theirs, at = np.unique(frame_key(found), return_index=True)
    place = np.minimum(np.searchsorted(theirs, keys), len(theirs) - 1)
    return np.where(theirs[place] == keys, at[place], -1)
