"""What a rule sees of a kind's packets."""

from dataclasses import dataclass

import numpy as np

from spark.jobs.blocks import Decoded, Samples
from spark.jobs.frames import is_active


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one kind of packet: `rows["speed_kmh"]` is a member of all of them."""

    samples: Samples
    of: str
    """The packet's array whose elements are the rows, such as `cars`; empty: the packets themselves."""
    decoded: Decoded
    """All else that the micro-batch holds."""

    @property
    def parts(self) -> np.ndarray:
        """(n,) packets, or (n, rows of each)."""
        return self.samples.datagrams[self.of] if self.of else self.samples.datagrams

    def __getitem__(self, member: str) -> np.ndarray:
        return self.parts[member]

    @property
    def asked(self) -> np.ndarray:
        """In the shape of `parts`: the rows that are there. Arrays are always sent in full length."""
        sent, shape = self.samples.datagrams, self.parts.shape
        if self.of and (count := COUNTS.get(self.samples.packet.name)):
            return np.arange(shape[1]) < sent[count][:, None]
        if self.of and self.samples.packet.name == "lap_data":
            return np.asarray(is_active(self.parts))
        return np.ones(shape, bool)


COUNTS = {
    "participants": "num_active_cars",
    "lobby_info": "num_players",
    "final_classification": "num_cars",
    "session_history": "num_laps",
}
"""Packet → how many of its rows are there. Of LapData the cars on the track are; of others empty rows break no rule."""
