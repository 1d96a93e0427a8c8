"""One car, one frame, four packets: LapData joined with CarTelemetry, CarStatus and Motion."""

from dataclasses import dataclass

import numpy as np

from f1_packets import SESSION_END_ORDER
from spark.jobs.blocks import Decoded, Samples

PARTNERS = ("car_telemetry", "car_status", "motion")
PACKETS_OF_A_FRAME = ("lap_data", *PARTNERS)

RACING = 2
"""LapData's result status `active`. 0 is an empty slot or a ghost, 3 and above a car that has ended its race."""
IN_GARAGE = 0
"""LapData's driver status. A time trial begins with half a minute of it, at a distance that is none."""


def frame_key(samples: Samples) -> np.ndarray:
    """(session, order) of each sample as one i8."""
    return samples.session.astype("i8") * (2 * SESSION_END_ORDER) + samples.order


@dataclass(frozen=True, eq=False)
class CarFrames:
    """Rows of cars that race: one for each LapData frame and car, with the same frame's other packets."""

    session: np.ndarray
    order: np.ndarray
    car: np.ndarray
    _frame: np.ndarray
    _lap_data: np.ndarray
    _partners: dict[str, tuple[np.ndarray | None, np.ndarray]]
    """name → (cars of all its packets, for each row the packet's index or -1)"""

    def lap(self, field: str) -> np.ndarray:
        return self._lap_data[field][self._frame, self.car]

    def has(self, name: str) -> np.ndarray:
        """Whether the frame had this packet."""
        return self._partners[name][1] >= 0

    def of(self, name: str, field: str) -> np.ma.MaskedArray:
        """A partner's field, masked where the frame lacks the packet."""
        cars, at = self._partners[name]
        if cars is None:
            return np.ma.masked_all(len(at), "f4")
        return np.ma.MaskedArray(cars[field][at, self.car], at < 0)

    @property
    def is_complete(self) -> np.ndarray:
        return np.logical_and.reduce([self.has(name) for name in PARTNERS])

    @property
    def ers_harvested_j(self) -> np.ma.MaskedArray:
        """By both generators, in this lap so far."""
        return self.of("car_status", "ers_harvested_mguk_j") + self.of("car_status", "ers_harvested_mguh_j")

    def take(self, index: np.ndarray) -> "CarFrames":
        partners = {name: (cars, at[index]) for name, (cars, at) in self._partners.items()}
        return CarFrames(
            self.session[index], self.order[index], self.car[index], self._frame[index], self._lap_data, partners
        )


def join(decoded: Decoded) -> list[CarFrames]:
    """The rows of each format in `decoded`; datagrams that came twice count once."""
    return [_join(laps, decoded) for laps in decoded.of("lap_data")]


def _join(laps: Samples, decoded: Decoded) -> CarFrames:
    keys, first = np.unique(frame_key(laps), return_index=True)
    laps = laps.take(first)
    cars = laps.datagrams["cars"]
    racing = (
        (cars["result_status"] == RACING)
        & (cars["driver_status"] != IN_GARAGE)
        & (cars["car_position"] > 0)
        & (cars["current_lap_num"] > 0)
    )
    frame, car = np.nonzero(racing)
    partners: dict[str, tuple[np.ndarray | None, np.ndarray]] = {}
    for name in PARTNERS:
        found = next((s for s in decoded.of(name) if s.packet.format == laps.packet.format), None)
        if found is None:
            partners[name] = (None, np.full(len(frame), -1))
            continue
        theirs, at = np.unique(frame_key(found), return_index=True)
        place = np.minimum(np.searchsorted(theirs, keys), len(theirs) - 1)
        index = np.where(theirs[place] == keys, at[place], -1)
        partners[name] = (found.datagrams["cars"], index[frame])
    return CarFrames(laps.session[frame], laps.order[frame], car, frame, cars, partners)
