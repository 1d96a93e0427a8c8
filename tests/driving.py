"""Sending datagrams to a running stack, and waiting until they have gone the whole way."""

import time
from collections.abc import Iterable

from pitlane import replay
from pitlane.replay import Timed
from pitlane.settlement import Arrived, Meter
from pitlane.stack.stack import Stack

SETTLE_S = 240
"""A bound for a test that hangs, not a claim about speed."""


def drive(stack: Stack, datagrams: Iterable[Timed], speed: float) -> tuple[replay.Sent, Arrived]:
    """Sends, and waits until everything is where it belongs."""
    with Meter(stack) as meter:
        sent = replay.send(datagrams, port=stack.ports.udp, speed=speed)
        deadline = time.monotonic() + SETTLE_S
        while (arrived := meter.read()).missing(sent.datagrams):
            assert time.monotonic() < deadline, arrived.missing(sent.datagrams)
            time.sleep(0.5)
    return sent, arrived
