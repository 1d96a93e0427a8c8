"""A gateway's status as documented, for what only reads one; numbers are all different, so none passes for another."""

from copy import deepcopy
from typing import Any

LEDGER = "65f0c0de1a2b3c4d"


def neighbour(state: str = "up", failures: int = 0, error: str = "") -> dict[str, Any]:
    return {"state": state, "since": 1_795_352_000.0, "last_error": error, "failures": failures}


def rig(**changes: Any) -> dict[str, Any]:
    return {
        "rate_hz": 59.9, "datagrams": 7001, "last_seen": 1_795_352_725.126, "silent_s": 0.1, "format": 2025,
        "session": "85db0a0f77ec492a", "frames": 3500, "frame_gaps": 13, "viewers": 2,
        **changes,
    }  # fmt: skip


STATUS = {
    "uptime_s": 512.5,
    "ledger": LEDGER,
    "received": 20_000,
    "stored": 401,
    "skipped": {"no_session": 17},
    "forwarded": 19_000,
    "waiting": 532,
    "rejected": {"too_short": 31, "wrong_size": 12},
    "dropped": {"spool_full": 7},
    "dead_letter": {"forwarded": 36, "waiting": 5, "dropped": 2},
    "packets": {"2024": {"motion": 9}, "2025": {"car_telemetry": 6000, "motion": 5999}},
    "rigs": {
        "left": rig(),
        'odd"name\\\n': rig(rate_hz=20.0, datagrams=12_000, silent_s=45.0, frames=6001, frame_gaps=0),
    },
    "kernel": {"drops": 3, "buffer_bytes": 212_992, "buffer_wanted_bytes": 8_388_608, "errors": 1},
    "spool": {
        "nifi": {"bytes": 700_000, "datagrams": 530, "oldest_s": 4.5, "limit_bytes": 1_000_000},
        "postgres": {"bytes": 1300, "datagrams": 8, "oldest_s": 0.2, "limit_bytes": 62_500},
    },
    "viewers": 3,
    "relay": [{"target": "10.0.0.9:20778", "sent": 19_999, "failed": 6}],
    "nifi": neighbour("down", 21, "ClientConnectorError: refused"),
    "postgres": neighbour("up", 22),
}


def status(**changes: Any) -> dict[str, Any]:
    return deepcopy(STATUS) | changes
