"""A flood of 100,000 packets a second beside a normal rig that people watch, with the limit of a source off and on.

Aims: without the limit nothing is lost that the kernel handed over, and what it did not is counted exactly; with it
what is above the limit is counted as well, and nothing else is given up. In both the normal rig loses no frame, and its
viewers see no gap above 100 ms.
"""

import time

from benchmarks import load
from benchmarks.pipeline import in_kafka, running, settled, unaccounted, viewers
from benchmarks.report import Result, Row, none

NAME = "flood"
RATE, SECONDS = 100_000, 5
RIG, FLOODER = "127.0.0.2", "127.0.0.3"
VIEWERS = 3
BEFORE_S, AFTER_S = 5.0, 5.0
GAP_MS = 100


def run(quick: bool) -> Result:
    seconds = 2 if quick else SECONDS
    rows = [row for limit in (False, True) for row in _flood(seconds, limit)]
    notes = [
        f"{RATE:,} car telemetry packets a second for {seconds} s from {FLOODER}; beside it a rig at 60 Hz with "
        f"{VIEWERS} viewers of its own, in one process.",
        "All on one machine: the flood's sender takes a core's share that a network would not.",
    ]
    return Result(NAME, f"A flood of {RATE:,} packets/s for {seconds} s", rows, notes)


def _flood(seconds: int, limit: bool) -> list[Row]:
    with running("Gateway", **({} if limit else {"source_rate": 0})) as stack:
        drops_before = stack.gateway.status()["kernel"]["drops"] or 0
        udp = stack.ports.udp
        url = f"ws://127.0.0.1:{stack.ports.gateway}/live/rig/{RIG}"
        rig_options = ("--rigs", "1", "--source", RIG, "--seconds", str(600))
        with load.sending(udp, *rig_options) as rig, viewers(url, VIEWERS) as watch:
            quiet_from = time.monotonic() + 1  # the first frames are of the start
            time.sleep(1 + BEFORE_S)
            flood_options = ("--flood", str(RATE), "--seconds", str(seconds), "--source", FLOODER)
            with load.sending(udp, *flood_options) as flooder:
                flood_from = flooder.begun.at
                flood = flooder.end()
            time.sleep(AFTER_S)
            ended = time.monotonic()
            frames = watch()
            normal = rig.stop()
        status = settled(stack, timeout_s=300)
        held = in_kafka(stack)
    drops = (status["kernel"]["drops"] or 0) - drops_before
    sent = flood.datagrams + normal.datagrams
    above_limit = status["dropped"].get("source_limit", 0)
    given_up = sum(status["dropped"].values()) - above_limit
    gaps = status["rigs"][RIG]["frame_gaps"]
    before = max(each.largest_gap_ms(quiet_from, flood_from) for each in frames)
    during = max(each.largest_gap_ms(flood_from, ended) for each in frames)
    title = "limit on" if limit else "limit off"
    return [
        Row(f"{title}: flood sent", flood.datagrams / flood.seconds, "/s", note=f"{flood.datagrams:,} of {RATE:,}/s"),
        Row("received", status["received"], "datagrams"),
        Row("dropped by the kernel, before the gateway had a chance", drops, "datagrams"),
        none("sent, neither received nor counted by the kernel", sent - status["received"] - drops),
        none("received and in no term", unaccounted(status)),
        Row("received and above the limit of a source", above_limit, "datagrams"),
        none("received and given up for another reason", given_up, str(status["dropped"] or "")),
        none("forwarded and not in Kafka", status["forwarded"] - held.packets),
        none("frames of the normal rig that did not come", gaps),
        Row("largest gap between frames at a viewer, before the flood", before, "ms"),
        Row("… from its begin on", during, "ms", aim=f"at most {GAP_MS} ms", met=during <= GAP_MS),
    ]
