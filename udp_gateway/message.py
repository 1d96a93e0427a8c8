"""The live message: one flat JSON object a frame for one car, every field and its unit defined here.

`live.schema.json` and docs/gateway.md are generated from FIELDS (`python -m udp_gateway.reference`). Every message carries every field; what is not known (yet) is null. Numbers are never text and
flags are 0 or 1, so the same values can go out as line protocol.

Wheel suffixes: rl rear left, rr rear right, fl front left, fr front right, the order of the game's arrays.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from f1_packets import PACKET_IDS, PACKETS, CarReader

LAP_DATA = PACKET_IDS["lap_data"]
CAR_TELEMETRY = PACKET_IDS["car_telemetry"]
CAR_STATUS = PACKET_IDS["car_status"]
CAR_DAMAGE = PACKET_IDS["car_damage"]
CAR_TELEMETRY_2 = PACKET_IDS["car_telemetry_2"]
PARTICIPANTS = PACKET_IDS["participants"]
CAR_PACKETS = frozenset({LAP_DATA, CAR_TELEMETRY, CAR_STATUS, CAR_DAMAGE, CAR_TELEMETRY_2, PARTICIPANTS})
"""The packets a live message is read from; all carry every car."""

ERS_STORE_FULL_J = 4_000_000
"""Usable energy of the store, in the rules of 2023 to 2026 alike."""


@dataclass(frozen=True)
class LiveField:
    """One field. `packet_id` 0 means: from the gateway or the session packet, filled in by `build`.

    Else it is `element` of a field of one car of that packet, or what `convert` makes of several. A field none of whose sources a format has is null there.
    """

    name: str
    type: str
    unit: str
    description: str
    packet_id: int = 0
    sources: tuple[str, ...] = ()
    convert: Callable[..., Any] | None = None
    element: int = 0


def _own(name: str, type_: str, unit: str, description: str) -> LiveField:
    return LiveField(name, type_, unit, description)


def _car(packet_id: int, name: str, type_: str, unit: str, description: str, source: str = "") -> LiveField:
    return LiveField(name, type_, unit, description, packet_id, (source or name,))


def _wheels(packet_id: int, name: str, type_: str, unit: str, description: str, source: str) -> tuple[LiveField, ...]:
    places = (("rl", "rear left"), ("rr", "rear right"), ("fl", "front left"), ("fr", "front right"))
    return tuple(
        LiveField(name.format(short), type_, unit, f"{description}, {long}", packet_id, (source,), element=index)
        for index, (short, long) in enumerate(places)
    )


def _milliseconds(ms_part: int, minutes_part: int = 0) -> int:
    return ms_part + 60_000 * minutes_part


def _sum(*values: float) -> float:
    return sum(values)


FIELDS: tuple[LiveField, ...] = (
    _own("ts", "integer", "ms", "arrival of the newest datagram in it, since the Unix epoch"),
    _own("rig", "string", "", "name of the rig: its address, or as settings name it"),
    _own("session", "string", "", "session UID as 16 hex digits; null in menus and lobbies"),
    _own("packet_format", "integer", "", "UDP format: 2023 to 2026"),
    _own("frame", "integer", "", "overall frame, which a flashback does not rewind"),
    _own("car_index", "integer", "", "the car: 0 to 21, of 2026 to 23"),
    _car(CAR_TELEMETRY, "speed_kmh", "integer", "km/h", "speed"),
    _car(CAR_TELEMETRY, "engine_rpm", "integer", "1/min", "engine speed"),
    _car(CAR_TELEMETRY, "gear", "integer", "", "gear: -1 reverse, 0 neutral, 1 to 8"),
    _car(CAR_TELEMETRY, "throttle", "number", "0..1", "throttle pedal"),
    _car(CAR_TELEMETRY, "brake", "number", "0..1", "brake pedal"),
    _car(CAR_TELEMETRY, "steer", "number", "-1..1", "steering: full left to full right"),
    _car(CAR_TELEMETRY, "clutch_pct", "integer", "%", "clutch", "clutch_percent"),
    _car(CAR_TELEMETRY, "drs", "integer", "0/1", "DRS is open"),
    _car(CAR_TELEMETRY, "rev_lights_pct", "integer", "%", "shift lights that are on", "rev_lights_percent"),
    _car(CAR_TELEMETRY, "engine_temperature_c", "integer", "°C", "engine temperature"),
    *_wheels(CAR_TELEMETRY, "brake_temperature_{}_c", "integer", "°C", "brake", "brakes_temperature_c"),
    *_wheels(CAR_TELEMETRY, "tyre_surface_{}_c", "integer", "°C", "tyre surface", "tyres_surface_temperature_c"),
    *_wheels(CAR_TELEMETRY, "tyre_inner_{}_c", "integer", "°C", "tyre carcass", "tyres_inner_temperature_c"),
    *_wheels(CAR_TELEMETRY, "tyre_pressure_{}_psi", "number", "psi", "tyre pressure", "tyres_pressure_psi"),
    _car(CAR_STATUS, "max_rpm", "integer", "1/min", "where the engine is limited"),
    _car(CAR_STATUS, "idle_rpm", "integer", "1/min", "idle speed of the engine"),
    _car(CAR_STATUS, "fuel_in_tank_kg", "number", "kg", "fuel on board"),
    _car(CAR_STATUS, "fuel_capacity_kg", "number", "kg", "what the tank holds"),
    _car(CAR_STATUS, "fuel_remaining_laps", "number", "laps", "in a race the margin over the finish, else laps left"),
    _car(CAR_STATUS, "fuel_mix", "integer", "", "0 lean, 1 standard, 2 rich, 3 maximum"),
    _car(CAR_STATUS, "ers_store_j", "number", "J", "energy in the store"),
    LiveField(
        "ers_store_pct", "number", "%", "energy in the store, of 4 MJ", CAR_STATUS, ("ers_store_j",),
        lambda store_j: round(100 * store_j / ERS_STORE_FULL_J, 2),
    ),
    _car(CAR_STATUS, "ers_deploy_mode", "integer", "", "0 none, 1 medium, 2 hotlap, 3 overtake (2026: boost)"),
    _car(CAR_STATUS, "ers_deployed_j", "number", "J", "energy deployed this lap"),
    LiveField(
        "ers_harvested_j", "number", "J", "energy harvested this lap, MGU-K and MGU-H", CAR_STATUS,
        ("ers_harvested_mguk_j", "ers_harvested_mguh_j"), _sum,
    ),
    _car(CAR_STATUS, "ers_harvest_limit_j", "number", "J", "what may be harvested in a lap, 2026"),
    _car(CAR_STATUS, "drs_allowed", "integer", "0/1", "DRS may be opened"),
    _car(CAR_STATUS, "pit_limiter", "integer", "0/1", "pit limiter is on", "pit_limiter_status"),
    _car(CAR_STATUS, "front_brake_bias_pct", "integer", "%", "brake bias to the front", "front_brake_bias_percent"),
    _car(CAR_STATUS, "flag", "integer", "", "-1 unknown, 0 none, 1 green, 2 blue, 3 yellow", "vehicle_fia_flags"),
    _car(CAR_STATUS, "actual_tyre_compound", "integer", "", "compound as the game numbers it (16 C5, 17 C4 …)"),
    _car(CAR_STATUS, "visual_tyre_compound", "integer", "", "16 soft, 17 medium, 18 hard, 7 intermediate, 8 wet"),
    _car(CAR_STATUS, "tyre_age_laps", "integer", "laps", "age of the tyres", "tyres_age_laps"),
    _car(LAP_DATA, "lap_number", "integer", "", "the lap under way", "current_lap_num"),
    _car(LAP_DATA, "position", "integer", "", "place in the race", "car_position"),
    _car(LAP_DATA, "current_lap_time_ms", "integer", "ms", "time of the lap under way"),
    _car(LAP_DATA, "last_lap_time_ms", "integer", "ms", "time of the lap before; 0 if there is none"),
    _car(LAP_DATA, "sector", "integer", "", "0 first, 1 second, 2 third sector"),
    LiveField(
        "sector1_ms", "integer", "ms", "first sector of this lap; 0 until it is complete", LAP_DATA,
        ("sector1_ms_part", "sector1_minutes_part"), _milliseconds,
    ),
    LiveField(
        "sector2_ms", "integer", "ms", "second sector of this lap; 0 until it is complete", LAP_DATA,
        ("sector2_ms_part", "sector2_minutes_part"), _milliseconds,
    ),
    LiveField(
        "gap_ahead_ms", "integer", "ms", "gap to the car in front; wrong above a minute, as the game sends it",
        LAP_DATA, ("gap_to_car_in_front_ms_part", "gap_to_car_in_front_minutes_part"), _milliseconds,
    ),
    LiveField(
        "gap_leader_ms", "integer", "ms", "gap to the leader; wrong above a minute, as the game sends it",
        LAP_DATA, ("gap_to_leader_ms_part", "gap_to_leader_minutes_part"), _milliseconds,
    ),
    _car(LAP_DATA, "lap_distance_m", "number", "m", "distance into the lap; negative before the first line"),
    _car(LAP_DATA, "lap_invalid", "integer", "0/1", "the lap under way will not count", "current_lap_invalid"),
    _car(LAP_DATA, "pit_status", "integer", "", "0 on track, 1 entering the pits, 2 in the pit area"),
    _car(LAP_DATA, "pit_stops", "integer", "", "pit stops so far", "num_pit_stops"),
    _car(LAP_DATA, "penalties_s", "integer", "s", "time penalties to be added"),
    _car(LAP_DATA, "warnings", "integer", "", "warnings so far", "total_warnings"),
    _car(LAP_DATA, "grid_position", "integer", "", "place on the grid"),
    *_wheels(CAR_DAMAGE, "tyre_wear_{}_pct", "number", "%", "tyre wear", "tyres_wear_percent"),
    _car(CAR_TELEMETRY_2, "active_aero_mode", "integer", "", "active aero, 2026: 0 corner mode, 1 straight mode"),
    _car(CAR_TELEMETRY_2, "active_aero_available", "integer", "0/1", "straight mode may be used, 2026"),
    _car(CAR_TELEMETRY_2, "overtake_available", "integer", "0/1", "overtake mode may be used, 2026"),
    _car(CAR_TELEMETRY_2, "overtake_active", "integer", "0/1", "overtake mode is on, 2026"),
    _car(
        PARTICIPANTS, "telemetry_public", "integer", "0/1",
        "0: this driver does not share fuel, ERS, brake bias and wear; the game sends zeros, here they are null",
        "your_telemetry",
    ),
    _own("total_laps", "integer", "laps", "length of the race"),
    _own("track_id", "integer", "", "track as the game numbers it"),
    _own("track_length_m", "integer", "m", "length of the lap"),
    _own("session_type_id", "integer", "", "kind of session as the game numbers it"),
    _own("session_time_left_s", "integer", "s", "time left in the session"),
    _own("safety_car_status", "integer", "", "0 none, 1 full, 2 virtual, 3 formation lap"),
    _own("weather_id", "integer", "", "0 clear, 1 light cloud, 2 overcast, 3 light rain, 4 heavy rain, 5 storm"),
    _own("track_temperature_c", "integer", "°C", "track temperature"),
    _own("air_temperature_c", "integer", "°C", "air temperature"),
)  # fmt: skip

HIDEABLE = frozenset(
    {
        *(f.name for f in FIELDS if f.name.startswith(("fuel_", "ers_", "tyre_wear_"))),
        "front_brake_bias_pct",
    }
)
"""Fields that the game zeroes for others while a driver's telemetry is restricted (the default online)."""

EMPTY: Mapping[str, Any] = dict.fromkeys(field.name for field in FIELDS)
"""A message of which nothing is known: every field in its order, null."""


class MessageReader:
    """Reads the live fields of one car out of one kind of packet."""

    def __init__(self, packet_format: int, packet_id: int) -> None:
        packet = PACKETS[packet_format, packet_id]
        part = next(f for f in packet.table.fields if f.name == "cars").type
        present = {f.name: f for f in packet.table.parts[part].fields}
        fields = [f for f in FIELDS if f.packet_id == packet_id]
        wanted = {source for field in fields for source in field.sources}
        names = tuple(name for name in present if name in wanted)
        position: dict[str, int] = {}
        at = 0
        for name in names:
            position[name] = at
            at += present[name].dims[0] if present[name].dims else 1
        self._reader = CarReader(packet, names)
        known = [f for f in fields if any(source in position for source in f.sources)]
        plain = [f for f in known if f.convert is None]
        self._names = [f.name for f in plain]
        self._at = [position[f.sources[0]] + f.element for f in plain]
        self._computed = [
            (f.name, f.convert, [position[source] for source in f.sources if source in position])
            for f in known
            if f.convert is not None
        ]

    def read(self, datagram: bytes, car_index: int) -> dict[str, Any]:
        """The fields of this packet; raises IndexError for a car that the packet has no room for."""
        values = self._reader.read(datagram, car_index)
        fields = dict(zip(self._names, [values[i] for i in self._at], strict=True))
        for name, convert, at in self._computed:
            fields[name] = convert(*[values[i] for i in at])
        return fields


@cache
def reader(packet_format: int, packet_id: int) -> MessageReader:
    return MessageReader(packet_format, packet_id)
