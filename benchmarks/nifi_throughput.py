"""Through NiFi into Kafka: the gateway's blocks beside one packet a POST, the same packets and the same flow.

The peer (`single_posts`) does what a straightforward gateway does: each datagram is a POST and a FlowFile of its own, over
connections that stay open. It posts to the same ListenHTTP, with the attributes that the flow routes on, so nothing in
NiFi has to look into a packet.

Packets a second: the peer posts as fast as NiFi takes them. For ours the flow is stopped while twenty rigs send for a
while, and started again with the rigs gone: the gateway then posts what waits as fast as NiFi takes it. Both count from
the moment when the broker took the first record to the moment when it took the last. They take turns, after a warm-up.

Latency: one rig at 60 Hz, from the arrival of each datagram (stamped by the gateway, or the peer) to the moment when the
broker took the record, to the millisecond. The gateway gathers for 100 ms, which the peer does not.

Aim: at least twenty times the packets a second.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from benchmarks import load
from benchmarks.pipeline import Places, ends, records, running, settled
from benchmarks.report import Result, Row
from benchmarks.single_posts import PACKET_FORMAT, RATE_HZ
from nifi.deploy import deploy
from nifi.stop import stop
from pitlane.settings import REPOSITORY, KafkaSettings, NifiSettings
from pitlane.stack.environment import for_child
from pitlane.stack.ports import Ports
from pitlane.stack.stack import Stack

NAME = "nifi_throughput"
TIMES = 20
RIGS = 20
CONNECTIONS = (1, 8)
ROUNDS = 3
SECONDS, FILL_S, LATENCY_S = 10, 30, 30
WARM_S = 5


def run(quick: bool) -> Result:
    rounds, seconds, fill_s, latency_s = (1, 3, 5, 5) if quick else (ROUNDS, SECONDS, FILL_S, LATENCY_S)
    with running("Gateway") as stack:
        _let_the_broker_stamp(stack)
        _blocks(stack, WARM_S)
        _singles(stack, CONNECTIONS[-1], WARM_S)
        blocks: list[float] = []
        singles: dict[int, list[float]] = {connections: [] for connections in CONNECTIONS}
        for _ in range(rounds):
            for connections, rates in singles.items():
                rates.append(_singles(stack, connections, seconds))
            blocks.append(_blocks(stack, fill_s))
        ours = _latencies_ms(stack, stack.ports.udp, latency_s)
        port = Ports.free().udp
        with _posting(stack, "--connections", str(CONNECTIONS[-1]), "--port", str(port)):
            theirs = _latencies_ms(stack, port, latency_s)
    rate = statistics.median(blocks)
    rows = []
    for connections, rates in singles.items():
        peer = _peer(connections)
        single = statistics.median(rates)
        rows.append(
            Row(
                "packets into Kafka", rate, "/s", peer, single, less_is_better=False,
                aim=f"at least {TIMES} ×", met=rate >= TIMES * single,
                note=f"rounds of blocks: {_listed(blocks)}; of {peer}: {_listed(rates)}",
            )
        )  # fmt: skip
    for percent in (50, 99):
        at = percent - 1
        rows.append(
            Row(
                f"one rig at {RATE_HZ} Hz: datagram to Kafka, p{percent}",
                statistics.quantiles(ours, n=100)[at],
                "ms",
                _peer(CONNECTIONS[-1]),
                statistics.quantiles(theirs, n=100)[at],
            )
        )
    notes = [
        f"Blocks are those of {RIGS} rigs at {RATE_HZ} Hz, format {PACKET_FORMAT}, {fill_s} s of them a round; the peer posts the "
        f"same packets for {seconds} s a round. Medians of {rounds} rounds, which take turns.",
        "The flow is the one that the stack runs, the same for both: ListenHTTP, RouteOnAttribute, PublishBlocks "
        "(acks=all). The peer's FlowFiles bring the attributes that it routes on; it reads no packet.",
        f"Latency is of {len(ours):,} and {len(theirs):,} datagrams. The gateway gathers for 100 ms and syncs to disk before "
        "it posts; the peer keeps nothing.",
    ]
    return Result(NAME, "Through NiFi into Kafka: blocks beside one packet a POST", rows, notes)


def _peer(connections: int) -> str:
    return f"one packet a POST, {connections} connection{'s' if connections > 1 else ''}"


def _listed(rates: list[float]) -> str:
    return ", ".join(f"{rate:,.0f}" for rate in rates)


def _let_the_broker_stamp(stack: Stack) -> None:
    """Records then tell when the broker took them, not when NiFi sent them."""
    admin = KafkaAdminClient(bootstrap_servers=stack.kafka.address)
    try:
        topics = [name for name in admin.list_topics() if name.startswith(stack.settings(KafkaSettings).topic_prefix)]
        stamps = {"message.timestamp.type": "LogAppendTime"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=stamps) for name in topics])
    finally:
        admin.close()


def _blocks(stack: Stack, fill_s: float) -> float:
    """Packets a second of what waited while the flow was stopped."""
    settings = stack.settings(NifiSettings)
    since = ends(stack)
    stop(settings)
    options = ("--rigs", str(RIGS), "--rate", str(RATE_HZ), "--format", str(PACKET_FORMAT), "--seconds", str(fill_s))
    with load.sending(stack.ports.udp, *options) as sender:
        sent = sender.end()
    deploy(settings)
    settled(stack)
    return _rate(stack, since, sent.datagrams - sent.by_name["session"])


def _singles(stack: Stack, connections: int, seconds: float) -> float:
    """Packets a second of the peer."""
    since = ends(stack)
    with _posting(stack, "--connections", str(connections)) as posts:
        time.sleep(seconds)
        posted = posts.end()["posted"]
    return _rate(stack, since, posted)


def _rate(stack: Stack, since: Places, packets: int) -> float:
    """Packets a second, once all `packets` since then are in Kafka. Raises RuntimeError when they do not come."""
    deadline = time.monotonic() + 120
    while True:
        found = [(record.timestamp_ms, int(record.headers["block.count"])) for record in records(stack, since)]
        if (held := sum(count for _, count in found)) == packets:
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"{packets:,} packets were posted, and Kafka has {held:,} of them")
        time.sleep(0.5)
    taken = [at for at, _ in found]
    return packets * 1000 / (max(taken) - min(taken))


def _latencies_ms(stack: Stack, port: int, seconds: float) -> list[float]:
    """Of each datagram of a rig that sends to `port`."""
    since = ends(stack)
    options = ("--rigs", "1", "--rate", str(RATE_HZ), "--format", str(PACKET_FORMAT), "--seconds", str(seconds))
    with load.sending(port, *options) as sender:
        sent = sender.end()
    _rate(stack, since, sent.datagrams - sent.by_name["session"])
    return [
        record.timestamp_ms - arrival_ns / 1e6
        for record in records(stack, since)
        for arrival_ns, _ in record.datagrams()
    ]


class _Posts:
    """The peer in a process of its own."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child

    def line(self) -> str:
        assert self._child.stdout is not None
        line = self._child.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"the peer ended with {self._child.wait()}")
        return line

    def end(self) -> dict[str, Any]:
        """Has it end; what it posted."""
        self._child.terminate()
        said: dict[str, Any] = json.loads(self.line())
        self._child.wait()
        return said


@contextmanager
def _posting(stack: Stack, *options: str) -> Iterator[_Posts]:
    command = [sys.executable, "-m", "benchmarks.single_posts", *options]
    environment = for_child(stack.env_file, stack.home, os.environ)
    child = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        posts = _Posts(child)
        posts.line()  # ready
        yield posts
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
