"""What a FlowFile costs in the Python processor DecodePackets, beside the Java processor of the same flow, PublishBlocks.

Blocks of CarTelemetry, made of a recorded time trial: of one rig (six datagrams, as 100 ms at 60 Hz bring) and of ten
(what one of two shards gathers of twenty rigs). All wait in the queue of a processor that is stopped; then it is started,
with one task, and the time is taken until its queue is empty. What it makes is thrown away, or is in Kafka. Beside it
what decoding alone takes, in this process: the rest is the way from NiFi's Java to Python and back.
"""

import statistics
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

from nipyapi import canvas, config
from nipyapi.nifi import FlowApi, ProcessorConfigDTO

from benchmarks.decoding import datagrams
from benchmarks.pipeline import running, wait
from benchmarks.report import Result, Row
from f1_packets import Packet, block
from nifi import connection, group
from nifi.python.decoding import Choice, Decoder, Form
from pitlane.settings import NifiSettings
from pitlane.stack.stack import Stack
from udp_gateway import flowfile

NAME = "decode_processor"
ROUTE, ROUTER, PEER, OURS = "car_telemetry", "Route by packet ID", "Publish to Kafka", "Decode"
RIGS, PER_RIG = (1, 10), 6
FLOWFILES, ROUNDS, A_POST = 300, 3, 30
TASKS = 4
WITHIN_S, POLL_S = 120, 0.05

EVERY_CAR = "every car, JSON"
SETTINGS = {
    EVERY_CAR: Decoder(Form.JSON_LINES, Choice.CARS),
    "every car, CSV": Decoder(Form.CSV, Choice.CARS),
    "speed of the player's car, JSON": Decoder(Form.JSON_LINES, Choice.PLAYER_CARS, ("speed_kmh",)),
}


@dataclass(frozen=True)
class Measured:
    """A processor, and the connection in front of it."""

    name: str
    queue: str

    def milliseconds(self, settings: NifiSettings, content: bytes, count: int, beside: "Measured") -> float:
        """A FlowFile's share of the time that `count` of them take; `beside` gets the same ones and is done before."""
        self.schedule(False)
        for _ in range(count // A_POST):
            post(settings, [content] * A_POST)
        if not wait(lambda: (self.waiting(), beside.waiting()) == (count, 0), WITHIN_S):
            raise RuntimeError(f"{self.waiting()} of {count} FlowFiles wait before {self.name}")
        begun = time.perf_counter()
        self.schedule(True)
        while self.waiting():
            if time.perf_counter() - begun > WITHIN_S:
                raise RuntimeError(f"{self.name} does not get through {count} FlowFiles")
            time.sleep(POLL_S)
        return (time.perf_counter() - begun) * 1000 / count

    def waiting(self) -> int:
        return int(FlowApi().get_connection_status(self.queue).connection_status.aggregate_snapshot.flow_files_queued)

    def configure(self, decoder: Decoder, tasks: int) -> None:
        self.schedule(False)
        properties = {
            "Output Format": decoder.form.value,
            "Records": decoder.choice.value,
            "Fields": ", ".join(decoder.fields),
        }
        chosen = ProcessorConfigDTO(properties=properties, concurrently_schedulable_task_count=tasks)
        canvas.update_processor(find(self.name), chosen)

    def schedule(self, run: bool) -> None:
        canvas.schedule_processor(find(self.name), run)


def run(quick: bool) -> Result:
    count, rounds = (2 * A_POST, 1) if quick else (FLOWFILES, ROUNDS)
    config.short_retry_delay = POLL_S  # how often nipyapi looks whether a processor runs by now, which is measured too
    (kind,) = (kind for kind in datagrams(PER_RIG * max(RIGS)) if kind.packet.name == ROUTE)
    rows = []
    with running("Flow") as stack:
        settings = stack.settings(NifiSettings)
        with connection.to(settings):
            before = python_mb(stack)
            decode, publish = add_decoder(), Measured(PEER, queue_of(PEER))
            for rigs in RIGS:
                content = as_block(kind.packet, kind.datagrams[: PER_RIG * rigs])

                def measure(which: Measured, beside: Measured, content: bytes = content) -> float:
                    which.milliseconds(settings, content, A_POST, beside)  # once before, for JIT and caches
                    return statistics.median(
                        which.milliseconds(settings, content, count, beside) for _ in range(rounds)
                    )

                theirs = measure(publish, decode)
                blocks = f"{rigs * PER_RIG} datagrams, {len(content) / 1000:.0f} KB"
                for name, decoder in SETTINGS.items():
                    decode.configure(decoder, 1)
                    what = f"{blocks}: {name}"
                    rows.append(Row(what, measure(decode, publish), "ms/FlowFile", "PublishBlocks", theirs))
                    rows.append(Row(f"{what}, only decoded", alone(decoder, content, count), "ms"))
                decode.configure(SETTINGS[EVERY_CAR], TASKS)
                what = f"{blocks}: {EVERY_CAR}, {TASKS} concurrent tasks"
                rows.append(Row(what, measure(decode, publish), "ms/FlowFile"))
            after = python_mb(stack)
    rows += [
        Row("memory of NiFi's Python without a DecodePackets", before, "MB"),
        Row("what one DecodePackets adds to it", after - before, "MB"),
    ]
    notes = [
        f"Medians of {rounds} rounds of {count} FlowFiles, one task but where it says more, on a machine that NiFi and Kafka share.",
        "PublishBlocks hands up to 200 blocks to Kafka at once and waits for acks=all; it does not look into them.",
    ]
    return Result(NAME, "A FlowFile in DecodePackets, a Python processor of NiFi", rows, notes)


def alone(decoder: Decoder, content: bytes, count: int) -> float:
    """Milliseconds of decoding a block, without NiFi."""
    decoder.decode(content)
    begun = time.perf_counter()
    for _ in range(count):
        decoder.decode(content)
    return (time.perf_counter() - begun) * 1000 / count


def add_decoder() -> Measured:
    """A branch of the flow, from the router to a DecodePackets whose results end there."""
    types = canvas.list_all_processor_types().processor_types
    (kind,) = (each for each in types if each.type == "DecodePackets")
    canvas.create_processor(group.get(), kind, (3000.0, 0.0), name=OURS)
    # Python begins in the background; until then NiFi does not know what the processor can do.
    if not wait(lambda: bool(find(OURS).component.config.properties), WITHIN_S):
        raise RuntimeError("NiFi does not load DecodePackets")
    ends = ProcessorConfigDTO(auto_terminated_relationships=["success", "failure", "original"])
    canvas.update_processor(find(OURS), ends)
    canvas.schedule_processor(find(ROUTER), False)
    canvas.create_connection(find(ROUTER), find(OURS), [ROUTE])
    for name in (OURS, ROUTER):
        canvas.schedule_processor(find(name), True)
    return Measured(OURS, queue_of(OURS))


def find(name: str) -> Any:
    return next(each for each in group.processors(group.get()) if each.component.name == name)


def queue_of(name: str) -> str:
    """Id of the connection that brings a processor what is measured."""
    target = find(name).id
    lines = (each for each in canvas.list_all_connections(group.get().id) if each.destination_id == target)
    return next(str(each.id) for each in lines if each.component.selected_relationships == [ROUTE])


def as_block(packet: Packet, found: list[bytes]) -> bytes:
    return b"".join(block.entry(time.time_ns(), f"rig-{n // PER_RIG}", raw) for n, raw in enumerate(found))


def post(settings: NifiSettings, contents: list[bytes]) -> None:
    attributes = {"packet.id": "6", "packet.format": "2025", "packet.name": ROUTE, "shard": "0"}
    request = urllib.request.Request(
        f"https://127.0.0.1:{settings.nifi_listen_port}/{settings.nifi_listen_path}",
        data=flowfile.pack([(attributes, content) for content in contents]),
        headers={"Content-Type": flowfile.CONTENT_TYPE},
    )
    urllib.request.urlopen(request, timeout=30, context=settings.blocks_context()).close()


def python_mb(stack: Stack) -> float:
    """Resident memory of the Python processes that NiFi has begun."""
    process = stack.nifi.process()
    assert process is not None
    return sum(each.memory_info().rss for each in process.children(recursive=True)) / 1e6
