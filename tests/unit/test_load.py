"""What the load generator sends, as an independent decoder reads it from a real socket."""

import json
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from typing import Any

import pytest

from pitlane.settings import REPOSITORY
from tests.peers import peer_decoder

A_SECOND = {
    "motion": 60, "lap_data": 60, "car_telemetry": 60, "car_status": 60, "motion_ex": 60,
    "session": 2, "car_setups": 2, "car_damage": 10, "session_history": 20, "tyre_sets": 20, "lap_positions": 1,
}  # fmt: skip
"""A rig at 60 Hz, as real ones send; participants come every five seconds."""

NAMES = {
    0: "motion", 1: "session", 2: "lap_data", 4: "participants", 5: "car_setups", 6: "car_telemetry", 7: "car_status",
    10: "car_damage", 11: "session_history", 12: "tyre_sets", 13: "motion_ex", 15: "lap_positions", 16: "car_telemetry_2",
}  # fmt: skip


def sent_and_received(*options: str) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
    """What a run of the generator says that it sent, and every (source, datagram) that came."""
    received = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.2)
        command = [sys.executable, "-m", "benchmarks.load", "--port", str(listening.getsockname()[1]), *options]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as child:
            ended = False
            while True:
                try:
                    raw, (source, _) = listening.recvfrom(2048)
                    received.append((source, raw))
                except TimeoutError:
                    if ended:
                        break
                    ended = child.poll() is not None
            assert child.stdout is not None
            said = json.loads(child.stdout.read().splitlines()[-1])
    return said, received


@pytest.mark.parametrize("packet_format", [2025, 2026])
def test_rigs_send_the_mix_of_the_game_and_count_it(packet_format: int) -> None:
    rigs, seconds = 2, 5
    said, received = sent_and_received("--rigs", "2", "--seconds", "5", "--format", str(packet_format))
    decoder = peer_decoder(packet_format)
    expected = A_SECOND | ({"car_telemetry_2": 60} if packet_format == 2026 else {})

    found: Counter[str] = Counter()
    frames: dict[tuple[str, str], list[int]] = defaultdict(list)
    sessions = defaultdict(set)
    for source, raw in received:
        packet = decoder.resolve(raw)
        header = packet.header
        assert header.packet_format == packet_format
        assert len(raw) == type(packet).size()
        assert header.frame_identifier == header.overall_frame_identifier
        assert header.session_time == pytest.approx(header.overall_frame_identifier / 60)
        name = NAMES[header.packet_id]
        found[name] += 1
        frames[source, name].append(header.overall_frame_identifier)
        sessions[source].add(header.session_uid)

    assert found == {name: a_second * rigs * seconds for name, a_second in expected.items()} | {"participants": rigs}
    assert said["by_name"] == found
    assert said["datagrams"] == len(received)
    assert said["by_source"] == Counter(source for source, _ in received)
    assert said["bytes"] == sum(len(raw) for _, raw in received)
    assert set(sessions) == {"127.0.1.1", "127.0.1.2"}
    assert len(set.union(*sessions.values())) == rigs  # one each
    for source in sessions:
        telemetry = frames[source, "car_telemetry"]
        assert telemetry == list(range(telemetry[0], telemetry[0] + 60 * seconds))


def test_a_slower_rig_sends_every_third_frame() -> None:
    said, received = sent_and_received("--rigs", "1", "--rate", "20", "--seconds", "1")
    telemetry = [raw for _, raw in received if raw[6] == 6]
    frames = [peer_decoder(2025).resolve(raw).header.overall_frame_identifier for raw in telemetry]
    assert frames == list(range(frames[0], frames[0] + 60, 3))
    assert said["datagrams"] == len(received)


def test_a_flood_is_valid_car_telemetry_from_one_source_and_counted() -> None:
    said, received = sent_and_received("--flood", "5000", "--seconds", "0.4", "--source", "127.0.0.3")
    assert said["datagrams"] == len(received) == 2000
    assert {source for source, _ in received} == {"127.0.0.3"}
    headers = [peer_decoder(2025).resolve(raw).header for _, raw in received]
    assert {header.packet_id for header in headers} == {6}
    first = headers[0].overall_frame_identifier
    assert [header.overall_frame_identifier for header in headers] == list(range(first, first + 2000))


def test_what_nobody_listens_for_is_counted_as_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.load", "--port", str(closed), "--rigs", "1", "--seconds", "0.1"]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["refused"] == said["datagrams"] - 1  # of the last one nobody is told
