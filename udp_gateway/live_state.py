"""The newest that is known of a followed car, as viewers get it. Pure; the message is built when someone looks."""

from typing import Any

import orjson

from f1_packets import Header
from udp_gateway import message
from udp_gateway.session_row import SessionRow, SessionSample


class LiveState:
    """`packets` holds the newest datagram of each packet of the message, by packet ID."""

    __slots__ = ("_text", "arrival_ns", "car_index", "header", "packets", "rig", "sample", "session")

    def __init__(
        self,
        rig: str,
        arrival_ns: int,
        header: Header,
        car_index: int,
        packets: dict[int, bytes],
        session: SessionRow | None,
        sample: SessionSample | None,
    ) -> None:
        self.rig = rig
        self.arrival_ns = arrival_ns
        self.header = header
        self.car_index = car_index
        self.packets = packets
        self.session = session
        self.sample = sample
        self._text: bytes | None = None

    def fields(self) -> dict[str, Any]:
        """Every field of the message (`message.FIELDS`)."""
        header = self.header
        fields = {
            **message.EMPTY,
            "ts": self.arrival_ns // 1_000_000,
            "rig": self.rig,
            "session": f"{header.session_uid:016x}" if header.session_uid else None,
            "packet_format": header.packet_format,
            "frame": header.overall_frame_identifier,
            "car_index": self.car_index,
        }
        for packet_id, datagram in self.packets.items():
            fields.update(message.reader(header.packet_format, packet_id).read(datagram, self.car_index))
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
        return fields

    def text(self) -> bytes:
        """The message as UTF-8 JSON, made once for all viewers. Not-a-number becomes null."""
        if self._text is None:
            self._text = orjson.dumps(self.fields())
        return self._text
