"""The newest that is known of a rig's cars, as viewers get it. Pure; a message is built when someone looks at that car."""

from enum import Enum
from typing import Any

import orjson

from f1_packets import PACKETS, Header
from udp_gateway import message
from udp_gateway.session_row import SessionRow, SessionSample


class Car(Enum):
    """Cars that a viewer may name by their part instead of their index."""

    FOLLOWED = "followed"
    """The player's, or the spectated one."""
    SECOND = "second"
    """The second player's, on a split screen."""


class LiveState:
    """One frame of one rig. `packets` holds the newest datagram of each packet of the message, by packet ID."""

    __slots__ = ("_texts", "arrival_ns", "car_index", "header", "packets", "rig", "sample", "session")

    def __init__(
        self,
        rig: str,
        arrival_ns: int,
        header: Header,
        car_index: int | None,
        packets: dict[int, bytes],
        session: SessionRow | None,
        sample: SessionSample | None,
    ) -> None:
        self.rig = rig
        self.arrival_ns = arrival_ns
        self.header = header
        self.car_index = car_index
        """The followed car; None when the packets have no such car, as 255."""
        self.packets = packets
        self.session = session
        self.sample = sample
        self._texts: dict[int, bytes] = {}

    def index(self, car: Car | int) -> int | None:
        """Which car of the packets that is; None when there is no such car in them."""
        if car is Car.FOLLOWED:
            return self.car_index
        index = self.header.secondary_player_car_index if car is Car.SECOND else car
        assert isinstance(index, int)
        return index if index < PACKETS[self.header.packet_format, message.CAR_TELEMETRY].num_cars else None

    def fields(self, car_index: int) -> dict[str, Any]:
        """Every field of the message (`message.FIELDS`) of one car; `car_index` as `index` gives it."""
        header = self.header
        fields = {
            **message.EMPTY,
            "ts": self.arrival_ns // 1_000_000,
            "rig": self.rig,
            "session": f"{header.session_uid:016x}" if header.session_uid else None,
            "packet_format": header.packet_format,
            "frame": header.overall_frame_identifier,
            "car_index": car_index,
        }
        for packet_id, datagram in self.packets.items():
            fields.update(message.reader(header.packet_format, packet_id).read(datagram, car_index))
        if self.session is not None:
            fields["total_laps"] = self.session.total_laps
            fields["track_id"] = self.session.track_id
            fields["track_length_m"] = self.session.track_length_m
            fields["session_type_id"] = self.session.session_type_id
        if self.sample is not None:
            fields["session_time_left_s"] = self.sample.session_time_left_s
            fields["safety_car_status"] = self.sample.safety_car_status
            fields["weather_id"] = self.sample.weather_id
            fields["track_temperature_c"] = self.sample.track_temperature_c
            fields["air_temperature_c"] = self.sample.air_temperature_c
        players = (header.player_car_index, header.secondary_player_car_index)
        if fields["telemetry_public"] == 0 and car_index not in players:
            fields.update((name, None) for name in message.HIDEABLE if fields[name] == 0)
        return fields

    def text(self, car_index: int) -> bytes:
        """The message as UTF-8 JSON, made once for all viewers of that car. Not-a-number becomes null."""
        text = self._texts.get(car_index)
        if text is None:
            text = self._texts[car_index] = orjson.dumps(self.fields(car_index))
        return text
