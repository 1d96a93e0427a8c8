"""What a session packet says: the session's row, the sample of what changes while it runs, the forecast. Pure.

Field names are the columns of `core.session` and `core.session_sample`.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from f1_packets import Header, Packet, sample_order, signed_uid
from udp_gateway.forecast import Forecast, read_entries
from udp_gateway.session_settings import SessionSettings, read_settings

NO_CAR = 255
"""A car index of 255 means: none."""


class SessionRow(NamedTuple):
    """`overall_frame` is the sample order: the row with the higher one is the newer."""

    session_uid: int
    rig: str
    packet_format: int
    game_year: int
    track_id: int
    session_type_id: int
    formula: int
    total_laps: int
    track_length_m: int
    session_duration_s: int
    pit_speed_limit_kmh: int
    is_network_game: bool
    is_spectating: bool
    spectator_car_index: int | None
    player_car_index: int | None
    secondary_player_car_index: int | None
    ai_difficulty: int
    game_mode: int
    rule_set: int
    season_link: int
    weekend_link: int
    session_link: int
    sector2_start_m: float | None
    sector3_start_m: float | None
    safety_car_periods: int
    vsc_periods: int
    red_flag_periods: int
    settings: SessionSettings
    started_at: datetime
    last_seen_at: datetime
    overall_frame: int

    def merged(self, earlier: "SessionRow") -> "SessionRow":
        """One row for two packets of a session: the later sample's state, the whole time seen."""
        newer = self if self.overall_frame >= earlier.overall_frame else earlier
        return newer._replace(
            started_at=min(self.started_at, earlier.started_at),
            last_seen_at=max(self.last_seen_at, earlier.last_seen_at),
        )

    @staticmethod
    def columns() -> tuple[str, ...]:
        """Of `core.session`: the fields, those of the settings among them."""
        return tuple(name for name in SessionRow._fields if name != "settings") + SessionSettings._fields

    def values(self) -> tuple[object, ...]:
        """In the order of `columns`."""
        own = tuple(value for name, value in zip(self._fields, self, strict=True) if name != "settings")
        return own + self.settings


class SessionSample(NamedTuple):
    session_uid: int
    rig: str
    overall_frame: int
    session_time_s: float
    arrived_at: datetime
    weather_id: int
    track_temperature_c: int
    air_temperature_c: int
    safety_car_status: int
    session_time_left_s: int

    def differs(self, earlier: "SessionSample | None") -> bool:
        """Whether it says something new about the same session."""
        return earlier is None or self[5:] != earlier[5:] or self.session_uid != earlier.session_uid


class SessionPacket(NamedTuple):
    row: SessionRow
    sample: SessionSample
    forecast: Forecast


def read_session(packet: Packet, header: Header, datagram: bytes, rig: str, arrival_ns: int) -> SessionPacket:
    """What a session packet says that `identify` has accepted."""
    record = np.frombuffer(datagram, packet.dtype)[0]
    names = frozenset(packet.dtype.names or ())
    arrived_at = datetime.fromtimestamp(arrival_ns / 1e9, UTC)
    order = sample_order(header.overall_frame_identifier, header.session_time_s)
    uid = signed_uid(header.session_uid)

    def number(name: str) -> int:
        return int(record[name])

    is_spectating = number("is_spectating") != 0

    def metres(name: str) -> float | None:
        return float(record[name]) if name in names else None

    row = SessionRow(
        session_uid=uid,
        rig=rig,
        packet_format=header.packet_format,
        game_year=header.game_year,
        track_id=number("track_id"),
        session_type_id=number("session_type"),
        formula=number("formula"),
        total_laps=number("total_laps"),
        track_length_m=number("track_length_m"),
        session_duration_s=number("session_duration_s"),
        pit_speed_limit_kmh=number("pit_speed_limit_kmh"),
        is_network_game=number("network_game") != 0,
        is_spectating=is_spectating,
        spectator_car_index=_car_index(record["spectator_car_index"]) if is_spectating else None,
        player_car_index=_car_index(header.player_car_index),
        secondary_player_car_index=_car_index(header.secondary_player_car_index),
        ai_difficulty=number("ai_difficulty"),
        game_mode=number("game_mode"),
        rule_set=number("rule_set"),
        season_link=number("season_link"),
        weekend_link=number("weekend_link"),
        session_link=number("session_link"),
        sector2_start_m=metres("sector2_start_m"),
        sector3_start_m=metres("sector3_start_m"),
        safety_car_periods=number("num_safety_car_periods"),
        vsc_periods=number("num_virtual_safety_car_periods"),
        red_flag_periods=number("num_red_flag_periods"),
        settings=read_settings(record),
        started_at=arrived_at,
        last_seen_at=arrived_at,
        overall_frame=order,
    )
    sample = SessionSample(
        session_uid=uid,
        rig=rig,
        overall_frame=order,
        session_time_s=header.session_time_s,
        arrived_at=arrived_at,
        weather_id=number("weather"),
        track_temperature_c=number("track_temperature_c"),
        air_temperature_c=number("air_temperature_c"),
        safety_car_status=number("safety_car_status"),
        session_time_left_s=number("session_time_left_s"),
    )
    forecast = Forecast(
        session_uid=uid,
        rig=rig,
        overall_frame=order,
        session_time_s=header.session_time_s,
        arrived_at=arrived_at,
        is_approximate=number("forecast_accuracy") != 0,
        entries=read_entries(record),
    )
    return SessionPacket(row, sample, forecast)


def _car_index(value: Any) -> int | None:
    index = int(value)
    return None if index == NO_CAR else index
