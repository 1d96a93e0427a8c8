"""Packets made by hand: zeros but for what a test gives, by the names of f1_packets' tables, in every format.

    packet("car_damage", 700, {3: {"engine_damage": 12}}, year=2026)

A mapping under a number is an element of an array, at the top level a car; a list fills an array from its first element;
a text is UTF-8, cut where the field ends, and a list of numbers the bytes of one. That the tables are the game's own is
what tests/unit/test_layouts.py and test_decoder_parity.py are about.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from f1_packets import EVENTS, HEADER_BYTES, PACKET_IDS, PACKETS, Header, Packet
from spark.jobs.blocks import Block
from spark.jobs.micro_batch import Reduced, reduce
from tests.blocks import blocks

UID = 0x85DB0A0F77EC492A
SIGNED_UID = -8801429985212741334
NO_CAR = 255

Fields = Mapping[Any, Any]


def packet(
    kind: str,
    frame: int,
    fields: Fields | None = None,
    *,
    time_s: float = 9.0,
    year: int = 2025,
    player: int = 3,
    uid: int = UID,
) -> bytes:
    """Bytes as the game sends them; `frame` is the overall frame. Raises ValueError for a field the format lacks."""
    found = PACKETS[year, PACKET_IDS[kind]]
    told = dict(fields or {})
    header = Header(year, min(year - 2000, 25), 1, 0, 1, found.id, uid, time_s, frame, frame, player, NO_CAR)
    made = np.zeros((), found.dtype)
    made["header"] = header._replace(**told.pop("header", {}))
    _fill(made, _SPELLED_OUT[kind](found, told) if kind in _SPELLED_OUT else told)
    return made.tobytes()


def _fill(struct: Any, fields: Fields) -> None:
    for name, value in fields.items():
        if isinstance(name, int) and struct.dtype.names:
            _put(struct["cars"], name, value)
        else:
            _put(struct, name, value)


def _put(into: Any, at: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        _fill(into[at], value)
    elif isinstance(value, str):
        into[at] = value.encode()
    elif isinstance(value, list) and not into[at].shape:
        into[at] = bytes(value)
    elif isinstance(value, list | tuple):
        for index, element in enumerate(value):
            _put(into[at], index, element)
    else:
        into[at] = value


def _history(_: Packet, fields: Fields) -> Fields:
    """Laps may be given as their sectors in ms; all are valid, and the time is there when three sectors are."""
    laps = [_history_lap(lap) for lap in fields.get("laps", ())]
    counts = {"num_laps": len(laps), "num_tyre_stints": len(fields.get("tyre_stints", ()))}
    return {**counts, **fields, "laps": laps}


def _history_lap(given: Any) -> Fields:
    lap = dict(given) if isinstance(given, Mapping) else {"sectors_ms": given}
    sectors = list(lap.pop("sectors_ms", ()))
    made: dict[str, int] = {"valid_flags": 15}
    if len(sectors) == 3:
        made["lap_time_ms"] = sum(sectors)
    for number, ms in enumerate(sectors, 1):
        made[f"sector{number}_minutes_part"], made[f"sector{number}_ms_part"] = divmod(ms, 60_000)
    return made | lap


def _event(found: Packet, fields: Fields) -> Fields:
    """Members of the event stand beside its code."""
    told = dict(fields)
    code = told.pop("code")
    if code not in EVENTS[found.format]:
        return {"code": list(code.encode()), **told}
    members = np.zeros((), EVENTS[found.format][code].dtype)
    _fill(members, told)
    # What follows the members is whatever lay in memory.
    return {"code": tuple(code.encode()), "details": tuple(members.tobytes().ljust(12, b"\xaa"))}


def _participants(_: Packet, fields: Fields) -> Fields:
    cars = [car for car in fields if isinstance(car, int)]
    return {"num_active_cars": max(cars, default=-1) + 1, **fields}


_SPELLED_OUT: dict[str, Callable[[Packet, Fields], Fields]] = {
    "session_history": _history,
    "event": _event,
    "participants": _participants,
}
"""What of a packet need not be given, because it follows from the rest."""


OF_A_FRAME = ("lap_data", "car_telemetry", "car_status", "motion")
USUAL: dict[str, dict[str, Any]] = {
    "lap_data": {"current_lap_num": 1, "driver_status": 4, "result_status": 2},
    "car_telemetry": {"speed_kmh": 250, "throttle": 1.0, "gear": 7, "engine_rpm": 11_000},
    "car_status": {
        "fuel_in_tank_kg": 50.0, "actual_tyre_compound": 18, "visual_tyre_compound": 17, "ers_store_j": 3e6,
        "ers_deploy_mode": 1,
    },
    "motion": {},
}  # fmt: skip
"""A car that drives its race on medium tyres; its place is that of its index."""


def frame_packets(frame: int, cars: Fields, *, year: int = 2025, **header: Any) -> list[bytes]:
    """The four packets that come with every frame; each field of a car goes into the one that has it."""
    told: dict[str, dict[Any, Any]] = {kind: {} for kind in OF_A_FRAME}
    for car, fields in cars.items():
        if car == "header":
            for kind in OF_A_FRAME:
                told[kind]["header"] = fields
            continue
        owners = {
            name: kind for kind in OF_A_FRAME for name in PACKETS[year, PACKET_IDS[kind]].dtype["cars"].base.names or ()
        }
        for kind in OF_A_FRAME:
            told[kind][car] = dict(USUAL[kind]) | ({"car_position": car + 1} if kind == "lap_data" else {})
        for name, value in fields.items():
            if name not in owners:
                raise ValueError(f"no packet of a frame has {name} in format {year}")
            told[owners[name]][car][name] = value
    return [packet(kind, frame, fields, year=year, **header) for kind, fields in told.items()]


ON_TRACK = {"car_position": 1, "current_lap_num": 2, "driver_status": 4, "result_status": 2}


def lap_data(frame: int, cars: Fields | None = None, **header: Any) -> bytes:
    """Cars by index with what differs from ON_TRACK; car 3 at 1234.5 m if none is given."""
    given = cars or {3: {"lap_distance_m": 1234.5}}
    return packet("lap_data", frame, {car: {**ON_TRACK, **fields} for car, fields in given.items()}, **header)


def telemetry(frame: int, *, car: int = 3, speed: int = 287, **header: Any) -> bytes:
    driven = {"throttle": 0.75, "steer": -0.5, "brake": 0.25, "gear": 7, "engine_rpm": 11_250, "drs": 1}
    return packet("car_telemetry", frame, {car: {"speed_kmh": speed, **driven}}, **header)


def status(
    frame: int, *, car: int = 3, fuel: float = 41.5, compounds: tuple[int, int] = (17, 16), age: int = 4, **header: Any
) -> bytes:
    actual, visual = compounds
    tyres = {"actual_tyre_compound": actual, "visual_tyre_compound": visual, "tyres_age_laps": age}
    energy = {
        "ers_store_j": 3.5e6, "ers_deploy_mode": 2, "ers_harvested_mguk_j": 1e5, "ers_harvested_mguh_j": 2e5,
        "ers_deployed_j": 4e5,
    }  # fmt: skip
    return packet("car_status", frame, {car: {"fuel_in_tank_kg": fuel, **tyres, **energy}}, **header)


def motion(frame: int, *, car: int = 3, **header: Any) -> bytes:
    place = {"world_position_x_m": 10.5, "world_position_y_m": -2.25, "world_position_z_m": 300.0}
    return packet("motion", frame, {car: place}, **header)


def telemetry_2(frame: int, *, car: int = 3, values: tuple[int, ...] = (1, 1, 250, 0, 1, 120, 1, 0)) -> bytes:
    names = PACKETS[2026, PACKET_IDS["car_telemetry_2"]].dtype["cars"].base.names or ()
    return packet("car_telemetry_2", frame, {car: dict(zip(names, values, strict=True))}, year=2026)


def damage(frame: int, *, car: int = 3, wear: tuple[float, ...] = (4.5, 3.5, 2.5, 1.5), **header: Any) -> bytes:
    """The bytes behind the wear count up from 16, so that each member has a value of its own."""
    raw = bytearray(packet("car_damage", frame, {car: {"tyres_wear_percent": wear}}, **header))
    found = PACKETS[header.get("year", 2025), PACKET_IDS["car_damage"]]
    start = HEADER_BYTES + car * found.dtype["cars"].base.itemsize + 16
    raw[start : start + 30] = bytes(range(16, 46))
    return bytes(raw)


def motion_ex(frame: int, *, first: float = 0.5, **header: Any) -> bytes:
    """The floats count up from `first`."""
    raw = packet("motion_ex", frame, **header)
    floats = first + np.arange((len(raw) - HEADER_BYTES) // 4, dtype="<f4")
    return raw[:HEADER_BYTES] + floats.astype("<f4").tobytes()


def event(frame: int, code: str, members: Fields | None = None, **header: Any) -> bytes:
    return packet("event", frame, {"code": code, **(members or {})}, **header)


def session_history(frame: int, laps: list[Any], stints: list[tuple[int, int, int]], **header: Any) -> bytes:
    """Of car 3; laps as sectors in ms or as fields, stints as (end lap, actual, visual compound)."""
    names = ("end_lap", "actual_tyre_compound", "visual_tyre_compound")
    told = [dict(zip(names, stint, strict=True)) for stint in stints]
    return packet("session_history", frame, {"car_index": 3, "laps": laps, "tyre_stints": told}, **header)


def participants(frame: int, telemetry_settings: Mapping[int, int], *, player: int = 0) -> bytes:
    """Two cars of the same name, the second one an AI's; public unless `telemetry_settings` says otherwise."""
    cars = {
        car: {
            "ai_controlled": car, "driver_id": 9 + car, "team_id": 2, "race_number": 33 + car, "nationality": 22,
            "name": list("Pérez".encode() + b"\0junk"), "your_telemetry": telemetry_settings.get(car, 1),
        }
        for car in range(2)
    }  # fmt: skip
    return packet("participants", frame, cars, player=player)


def reduced(*datagrams: bytes, waiting: Iterable[Block] = ()) -> Reduced:
    return reduce([*waiting, *blocks([(1_750_000_000_000_000_000, raw) for raw in datagrams])], "query")


def rows(result: Reduced, name: str) -> list[dict[str, Any]]:
    table = result.tables.get(name)
    return [] if table is None else table.to_pylist()


def waiting(result: Reduced) -> list[Block]:
    """What goes into the next batch, as spark.sink reads it back."""
    found = rows(result, "pending_datagram")
    return [Block(row["packet_format"], row["packet_id"], row["shard"], row["entry"], waited=[0]) for row in found]
