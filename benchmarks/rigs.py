"""Twenty rigs at 60 Hz for five minutes, the whole way: gateway, NiFi, Kafka, and Postgres for the session packets.

Aims: all that was sent is received and stands in Kafka or Postgres, and the gateway needs less than half a core.
"""

from benchmarks import load
from benchmarks.pipeline import Meter, in_kafka, running, settled, unaccounted
from benchmarks.report import Result, Row, none

NAME = "rigs"
RIGS, RATE_HZ, PACKET_FORMAT = 20, 60, 2026
CORES = 0.5


def run(quick: bool) -> Result:
    seconds = 20 if quick else 300
    with running("Gateway") as stack:
        drops_before = stack.gateway.status()["kernel"]["drops"] or 0
        options = (
            "--rigs",
            str(RIGS),
            "--rate",
            str(RATE_HZ),
            "--format",
            str(PACKET_FORMAT),
            "--seconds",
            str(seconds),
        )
        with load.sending(stack.ports.udp, *options) as sender:
            meter = Meter(stack.gateway, stack.nifi, stack.kafka, stack.postgres)
            sent = sender.end()
            cores = meter.cores()
            backlog = stack.gateway.status()["waiting"]
        status = settled(stack)
        held = in_kafka(stack)
    drops = (status["kernel"]["drops"] or 0) - drops_before
    sessions = sent.by_name["session"]
    not_received = sent.datagrams - status["received"]
    given_up = sum(status["dropped"].values())
    not_in_kafka = sent.datagrams - sessions - held.packets
    rows = [
        Row("packets sent", sent.datagrams / sent.seconds, "/s", note=f"{sent.datagrams:,} in {sent.seconds:.0f} s"),
        none("sent and not received", not_received, f"the kernel dropped {drops:,}"),
        none("received and given up", given_up, str(status["dropped"] or "")),
        none("received and in no term", unaccounted(status)),
        none("sent and not in Kafka", not_in_kafka, f"{held.packets:,} datagrams in {held.blocks:,} blocks are there"),
        none("session packets not in Postgres", sessions - status["stored"]),
        none("blocks in Kafka beyond what was forwarded", held.packets - status["forwarded"]),
        Row("gateway", cores["gateway"], "cores", aim=f"below {CORES}", met=cores["gateway"] < CORES),
        *(Row(server.title, cores[server.name], "cores") for server in (stack.nifi, stack.kafka, stack.postgres)),
        Row("the sender", sent.cpu_s / sent.seconds, "cores"),
        Row("waiting in the gateway when the sender ended", backlog, "datagrams"),
    ]
    notes = [
        f"{RIGS} rigs at {RATE_HZ} Hz, format {PACKET_FORMAT}, each from an address of its own, through NiFi into Kafka.",
        "Sender and servers share the machine. Time in the kernel to hand a datagram over on loopback is the sender's.",
    ]
    return Result(NAME, f"{RIGS} rigs at {RATE_HZ} Hz for {seconds} s", rows, notes)
