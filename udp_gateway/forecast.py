"""What a session packet forecasts of the weather. Pure.

Field names are columns of `core.weather_forecast`.
"""

from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

COLUMNS = (
    "session_uid", "rig", "overall_frame", "session_time_s", "arrived_at", "is_approximate", "session_type_id",
    "time_offset_min", "weather_id", "track_temperature_c", "track_temperature_change", "air_temperature_c",
    "air_temperature_change", "rain_percent",
)  # fmt: skip
"""Of `core.weather_forecast`, as `Forecast.rows` gives them."""


class Forecast(NamedTuple):
    session_uid: int
    rig: str
    overall_frame: int
    session_time_s: float
    arrived_at: datetime
    is_approximate: bool
    entries: tuple[tuple[int, ...], ...]
    """In the game's order, each with the last columns of COLUMNS; a time trial has none."""

    def differs(self, earlier: "Forecast | None") -> bool:
        """Whether it says something new about the same session; that there is no forecast is no news."""
        if not self.entries:
            return False
        return earlier is None or self[5:] != earlier[5:] or self.session_uid != earlier.session_uid

    def rows(self) -> list[tuple[Any, ...]]:
        return [(*self[:-1], *entry) for entry in self.entries]


def read_entries(record: np.void) -> tuple[tuple[int, ...], ...]:
    """Of a record of a session packet. The array is always full length: what pads it is left out."""
    told: list[tuple[int, ...]] = record["weather_forecast_samples"].tolist()
    return tuple(told[: int(record["num_weather_forecast_samples"])])
