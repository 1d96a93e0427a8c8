"""The commands that send: what they write and say."""

import socket
import threading
from pathlib import Path

import typer
from typer.testing import CliRunner

from f1_packets import read_header
from pitlane import capture, cli_capture
from pitlane.simulator import Manifest

app = typer.Typer()
app.command()(cli_capture.simulate)
app.command()(cli_capture.replay)
SHORT = ["simulate", "--laps", "1", "--cars", "3", "--rate", "10", "--seed", "7"]


def test_a_race_as_a_file_and_its_truth(tmp_path: Path) -> None:
    pcap, truth = tmp_path / "race.pcap", tmp_path / "race.json"
    result = CliRunner().invoke(app, [*SHORT, "--format", "2024", "--pcap", str(pcap), "--manifest", str(truth)])
    assert result.exit_code == 0, result.output
    datagrams, manifest = list(capture.read(pcap)), Manifest.load(truth)
    assert len(datagrams) == sum(manifest.datagrams.values())
    uids = {read_header(datagram.payload).session_uid for datagram in datagrams}
    assert uids == {0, manifest.session.session_uid}
    assert (datagrams[-1].arrival_ns - datagrams[0].arrival_ns) / 1e9 == round(manifest.session.duration_s, 9)


def test_a_race_over_udp_and_the_same_again_from_its_recording(tmp_path: Path) -> None:
    pcap = tmp_path / "race.pcap"
    CliRunner().invoke(app, [*SHORT, "--pcap", str(pcap)])
    expected = [datagram.payload for datagram in capture.read(pcap)]
    for command in (SHORT, ["replay", str(pcap)]):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(1)
            received = []
            port = receiver.getsockname()[1]

            def collect(receiver: socket.socket = receiver, received: list[bytes] = received) -> None:
                while len(received) < len(expected):
                    received.append(receiver.recv(2048))

            thread = threading.Thread(target=collect)
            thread.start()
            result = CliRunner().invoke(app, [*command, "--port", str(port), "--speed", "50"])
            thread.join()
        assert result.exit_code == 0, result.output
        assert received == expected
