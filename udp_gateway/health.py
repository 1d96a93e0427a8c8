"""What `/healthz` says, from the status. Pure.

The answer is HTTP 200 whenever the gateway listens: it is a question whether to restart it, and what is wrong around
it no restart mends. `status` is then for people and monitors:

    ok         everything that was received goes where it belongs
    degraded   something needs a hand, named in `why`; nothing is lost yet that a spool can keep

A game that sends nothing is no fault: `feed` says whether any rig sends, `rigs` how many do.
"""

from collections.abc import Mapping
from typing import Any

from udp_gateway.live import STALE_S

FULL = 0.5
"""Share of a spool's limit beyond which somebody should look: as much again, and data is dropped."""

NEIGHBOURS = ("nifi", "postgres")


def health(status: Mapping[str, Any]) -> dict[str, object]:
    """{"status", "why": [words], "feed": live or stale, "rigs": {live, stale}, "spool": {name: {bytes, oldest_s}},
    "nifi", "postgres": unknown, up or down}"""
    why = [f"{name} is down" for name in NEIGHBOURS if status[name]["state"] == "down"]
    spools = status["spool"]
    for name, spool in spools.items():
        share = spool["bytes"] / spool["limit_bytes"]
        if share > FULL:
            why.append(f"the spool for {name} is {share:.0%} full")
    live = sum(rig["silent_s"] < STALE_S for rig in status["rigs"].values())
    return {
        "status": "degraded" if why else "ok",
        "why": why,
        "feed": "live" if live else "stale",
        "rigs": {"live": live, "stale": len(status["rigs"]) - live},
        "spool": {name: {"bytes": each["bytes"], "oldest_s": each["oldest_s"]} for name, each in spools.items()},
        **{name: status[name]["state"] for name in NEIGHBOURS},
    }
