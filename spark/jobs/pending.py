"""What waits for its partners from one micro-batch to the next.

A micro-batch ends in the middle of frames: of the newest ones only some of the four packets are in it. Their
datagrams are kept, in the transaction that writes the facts, and read again before the next batch's, so the frame is
whole there. A frame is given up when all four kinds have moved on, or when one kind stays away for long.
"""

from typing import Any

import numpy as np

from f1_packets import SESSION_END_ORDER
from spark.facts import PENDING
from spark.jobs.blocks import Decoded
from spark.jobs.frames import PACKETS_OF_A_FRAME, frame_key

WAIT_FRAMES = 120
"""Two seconds at 60 Hz, counted from the slowest of the four kinds: topics may be read unevenly."""
WAIT_FRAMES_AT_MOST = 1200
"""Counted from the fastest: a kind that never comes must not let the others pile up."""
WAIT_NS = 600 * 10**9
"""Counted in arrival time: the last frames of a rig that was switched off."""


def still_waiting(decoded: Decoded, query_id: str) -> Any:
    """Rows of core.pending_datagram (pyarrow.Table): the datagrams of frames that may still become complete."""
    kinds = [s for s in decoded.samples if s.packet.name in PACKETS_OF_A_FRAME]
    if not kinds:
        return PENDING.schema.empty_table()
    kind = np.concatenate([np.full(len(s.order), PACKETS_OF_A_FRAME.index(s.packet.name)) for s in kinds])
    source = np.concatenate([np.full(len(s.order), i) for i, s in enumerate(kinds)])
    place = np.concatenate([np.arange(len(s.order)) for s in kinds])
    session = np.concatenate([s.session for s in kinds])
    order = np.concatenate([s.order for s in kinds])
    arrival = np.concatenate([s.entries["arrival_ns"] for s in kinds])
    key = np.concatenate([frame_key(s) for s in kinds])

    # Each kind of a frame once; what the game sends at session end belongs to no frame.
    _, first = np.unique(key * len(PACKETS_OF_A_FRAME) + kind, return_index=True)
    first = first[order[first] < SESSION_END_ORDER]
    kind, source, place, session, order, arrival, key = (
        column[first] for column in (kind, source, place, session, order, arrival, key)
    )
    _, frame, count = np.unique(key, return_inverse=True, return_counts=True)
    incomplete = count[frame] < len(PACKETS_OF_A_FRAME)

    # A kind that is not here at all has not moved on: its newest is -1.
    newest = np.full((len(decoded.sessions.uid), len(PACKETS_OF_A_FRAME)), -1, "i8")
    np.maximum.at(newest, (session, kind), order)
    waits = order >= newest.min(axis=1)[session] - WAIT_FRAMES
    waits &= order > newest.max(axis=1)[session] - WAIT_FRAMES_AT_MOST
    waits &= arrival + np.uint64(WAIT_NS) >= arrival.max(initial=0)

    keep = np.flatnonzero(incomplete & waits)
    sessions = decoded.sessions
    return PENDING.rows(
        {
            **sessions.key(session[keep]),
            "query_id": np.full(len(keep), query_id, object),
            "overall_frame": order[keep],
            "packet_id": np.array([kinds[i].packet.id for i in source[keep]], "i2"),
            "packet_format": np.array([kinds[i].packet.format for i in source[keep]], "i2"),
            "shard": sessions.shard[session[keep]],
            "entry": np.array(
                [kinds[i].entries[j].tobytes() for i, j in zip(source[keep], place[keep], strict=True)], object
            ),
        }
    )
