"""What waits for its partners from one micro-batch to the next.

A micro-batch ends in the middle of frames: of the newest ones only some of the packets are in it. Their datagrams are
kept, in the transaction that writes the facts, and read again before the next batch's, so the frame is whole there.

What a datagram waits for is written in NEEDS. It waits for a kind as long as one of the same frame may still come: until
that kind has moved on by its REACH, which is how far two packets of one kind may be displaced. So the newest datagram of
each sparse kind is kept always, as the mark of how far the kind has got, and that the rig sends it at all: most frames
have no CarDamage, and only a later one tells that theirs is not still on its way.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from f1_packets import PACKET_IDS, PACKETS, SESSION_END_ORDER
from spark.facts import PENDING
from spark.jobs.blocks import Decoded, Samples
from spark.jobs.frames import PARTNERS, SPARSE_PARTNERS, frame_key

KINDS = ("lap_data", *PARTNERS, *SPARSE_PARTNERS)
WHOLE = ("lap_data", *PARTNERS, "car_telemetry_2")
"""What core.lap_trace wants of a frame: each waits for all others, because a row without one of them ranks lower."""
NEEDS = dict.fromkeys(WHOLE, WHOLE) | {
    "lap_data": (*WHOLE, "car_damage", "motion_ex"),
    "car_damage": ("lap_data",),
    "motion_ex": ("lap_data",),
}

WAIT_FRAMES = 120
"""Reach of the four kinds: two seconds at 60 Hz. Few frames lack one of them, so waiting is cheap."""
WAIT_FRAMES_SPARSE = 40
"""Reach of the sparse kinds: five of six LapData packets wait so long for a CarDamage that was never sent."""
WAIT_FRAMES_UNSEEN = 300
"""Counted from the fastest kind, for a sparse kind that has not been seen yet: some rigs do not send it."""
WAIT_FRAMES_AT_MOST = 1200
"""Counted from the fastest kind, for any: one that stays away must not let the others pile up."""
WAIT_NS = 600 * 10**9
"""Counted in arrival time: the last frames of a rig that was switched off."""

_IS_SPARSE = np.array([kind in SPARSE_PARTNERS for kind in KINDS])
_IS_WHOLE = np.array([kind in WHOLE for kind in KINDS])
_NEEDS = np.array([[other in NEEDS[kind] and other != kind for other in KINDS] for kind in KINDS])
"""[kind, other]"""
_REACH = np.where(_IS_SPARSE, WAIT_FRAMES_SPARSE, WAIT_FRAMES)
NO_PLAYER = 255


class Waiting(NamedTuple):
    rows: pa.Table
    """of core.pending_datagram: what may still find a partner, and the marks of the sparse kinds"""
    late: Counter[str]
    """packet → datagrams given up without LapData of their frame: they came too late for it, or it for them, or never"""


def still_waiting(decoded: Decoded, query_id: str) -> Waiting:
    found = [s for s in decoded.samples if s.packet.name in KINDS]
    if not found:
        return Waiting(PENDING.schema.empty_table(), Counter())
    kind = np.concatenate([np.full(len(s.order), KINDS.index(s.packet.name)) for s in found])
    source = np.concatenate([np.full(len(s.order), i) for i, s in enumerate(found)])
    place = np.concatenate([np.arange(len(s.order)) for s in found])
    session = np.concatenate([s.session for s in found])
    order = np.concatenate([s.order for s in found])
    arrival = np.concatenate([s.entries["arrival_ns"] for s in found])
    key = np.concatenate([frame_key(s) for s in found])

    # Each kind of a frame once; what the game sends at session end belongs to no frame.
    _, first = np.unique(key * len(KINDS) + kind, return_index=True)
    first = first[order[first] < SESSION_END_ORDER]
    kind, source, place, session, order, arrival, key = (
        column[first] for column in (kind, source, place, session, order, arrival, key)
    )
    newest = np.full((len(decoded.sessions.uid), len(KINDS)), -1, "i8")
    np.maximum.at(newest, (session, kind), order)

    _, at, frame = np.unique(key, return_index=True, return_inverse=True)
    there = np.zeros((len(at), len(KINDS)), bool)
    there[frame, kind] = True
    lacks = ~there & _may_come(order[at], session[at], newest, _is_sent(found, len(newest)))
    waits = (lacks[frame] & _NEEDS[kind]).any(axis=1)
    waits &= order > newest.max(axis=1)[session] - WAIT_FRAMES_AT_MOST
    waits |= _IS_SPARSE[kind] & (order == newest[session, kind])
    waits &= arrival + np.uint64(WAIT_NS) >= arrival.max(initial=0)

    # LapData itself may be here for its CarDamage alone, long after its frame was whole.
    late = kind[~waits & _IS_WHOLE[kind] & ~there[frame, KINDS.index("lap_data")]]
    keep = np.flatnonzero(waits)
    sessions = decoded.sessions
    origin = np.concatenate([s.origin for s in found])[first][keep]
    rows = PENDING.rows(
        {
            **sessions.key(session[keep]),
            "query_id": np.full(len(keep), query_id, object),
            "overall_frame": order[keep],
            "packet_id": np.array([found[i].packet.id for i in source[keep]], "i2"),
            "packet_format": np.array([found[i].packet.format for i in source[keep]], "i2"),
            "shard": sessions.shard[session[keep]],
            **decoded.pointer(origin),
            "entry": np.array(
                [found[i].entries[j].tobytes() for i, j in zip(source[keep], place[keep], strict=True)], object
            ),
        }
    )
    return Waiting(rows, Counter(KINDS[each] for each in late.tolist()))


def _may_come(order: np.ndarray, session: np.ndarray, newest: np.ndarray, is_sent: np.ndarray) -> np.ndarray:
    """(frames, kinds): whether a packet of this kind may still come for frames of these orders and sessions."""
    theirs = newest[session]
    behind = order[:, None] > theirs - _REACH
    # A sparse kind that is not there at all may be late, or may never come.
    unseen = _IS_SPARSE & (theirs < 0)
    late = order[:, None] > theirs.max(axis=1, keepdims=True) - WAIT_FRAMES_UNSEEN
    return np.asarray(is_sent[session] & np.where(unseen, late, behind))


def _is_sent(found: list[Samples], sessions: int) -> np.ndarray:
    """(sessions, kinds): whether a session's game sends this kind: not in every format, and MotionEx to no spectator."""
    is_sent = np.zeros((sessions, len(KINDS)), bool)
    has_player = np.zeros(sessions, bool)
    for samples in found:
        is_sent[samples.session] |= [(samples.packet.format, PACKET_IDS[kind]) in PACKETS for kind in KINDS]
        has_player[samples.session[samples.header["player_car_index"] != NO_PLAYER]] = True
    is_sent[:, KINDS.index("motion_ex")] &= has_player
    return is_sent
