"""Datagrams made by hand from the published offsets, not from our tables."""

import struct
from collections.abc import Mapping

SIZES = {
    2023: {0: 1349, 1: 644, 2: 1131, 6: 1352, 7: 1239},
    2025: {0: 1349, 1: 753, 2: 1285, 3: 45, 4: 1284, 6: 1352, 7: 1239, 10: 1041},
    2026: {1: 926, 6: 1448, 7: 1445, 16: 269},
}
"""In bytes, by format and packet ID; those that tests use."""

CAR_BYTES = {(2023, 2): 50, (2025, 2): 57, (2025, 6): 60, (2025, 7): 55, (2025, 10): 46, (2026, 6): 59, (2026, 7): 59}


def datagram(
    packet_id: int,
    pokes: Mapping[int, tuple[str, object]] | None = None,
    *,
    packet_format: int = 2025,
    uid: int = 0x85DB0A0F77EC492A,
    time_s: float = 12.5,
    frame: int = 700,
    overall_frame: int = 750,
    player: int = 19,
    second: int = 255,
    car: int | None = None,
) -> bytes:
    """A packet of zeros with its header, and `pokes` as {offset: (struct code, value)}.

    Offsets count from the start of the datagram, or of `car` if one is given.
    """
    raw = bytearray(SIZES[packet_format][packet_id])
    struct.pack_into(
        "<HBBBBBQfIIBB", raw, 0,
        packet_format, 25, 1, 18, 1, packet_id, uid, time_s, frame, overall_frame, player, second,
    )  # fmt: skip
    base = 0 if car is None else 29 + car * CAR_BYTES[packet_format, packet_id]
    for offset, (code, value) in (pokes or {}).items():
        struct.pack_into("<" + code, raw, base + offset, value)
    return bytes(raw)


def session(pokes: Mapping[int, tuple[str, object]] | None = None, **header: object) -> bytes:
    """A session packet on a track of 5,276 m (an empty one has none)."""
    return datagram(1, {33: ("H", 5276), **(pokes or {})}, **header)  # type: ignore[arg-type]
