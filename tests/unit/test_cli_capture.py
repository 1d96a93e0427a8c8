"""The commands that send: what they write and say."""

import socket
import sys
import threading
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

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
    for command, by_option in ((SHORT, False), (["replay", str(pcap)], True)):
        result, received = sent_by([*command, "--speed", "50"], len(expected), by_option)
        assert result.exit_code == 0, result.output
        assert [raw for raw, _ in received] == expected


def sent_by(command: list[str], count: int, by_option: bool = False) -> tuple[Result, list[tuple[bytes, str]]]:
    """What a command says, and the (datagram, source address) that it sends; `count` of them.

    To the port of an option, or without one to where the gateway listens.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        received = []

        def collect() -> None:
            while len(received) < count:
                raw, source = receiver.recvfrom(2048)
                received.append((raw, source[0]))

        thread = threading.Thread(target=collect)
        thread.start()
        port = str(receiver.getsockname()[1])
        if by_option:
            result = CliRunner().invoke(app, [*command, "--port", port])
        else:
            result = CliRunner(env={"PITLANE_UDP_PORT": port}).invoke(app, command)
        thread.join()
        receiver.settimeout(0.1)
        with pytest.raises(TimeoutError):
            receiver.recv(2048)
    return result, received


def rigs(tmp_path: Path) -> Path:
    """Datagrams 0 to 99 of two rigs in turn, a millisecond apart."""
    path = tmp_path / "rigs.pcap"
    sources = ("192.168.0.7", "192.168.0.9")
    capture.write(path, [capture.Datagram(n * 10**6, sources[n % 2], bytes([n])) for n in range(100)])
    return path


def test_a_part_of_one_rig(tmp_path: Path) -> None:
    command = ["replay", str(rigs(tmp_path)), "--from", "0.05", "--to", "0:00.06", "--rig", "192.168.0.9"]
    result, received = sent_by(command, 5)
    assert result.exit_code == 0, result.output
    assert [raw[0] for raw, _ in received] == [51, 53, 55, 57, 59]


def test_several_rigs_from_several_addresses_or_one(tmp_path: Path) -> None:
    result, received = sent_by(["replay", str(rigs(tmp_path)), "--one-source"], 100)
    assert "2 rigs of the recording are sent as one" in result.output
    assert {source for _, source in received} == {"127.0.0.1"}
    if sys.platform == "linux":
        result, received = sent_by(["replay", str(rigs(tmp_path))], 100)
        assert "as one" not in result.output
        assert [(raw[0], source) for raw, source in received] == [(n, f"127.0.0.{1 + n % 2}") for n in range(100)]


def test_harm_is_done_and_told(tmp_path: Path) -> None:
    path = str(rigs(tmp_path))
    result, received = sent_by(["replay", path, "--duplicate", "100%", "--within", "1"], 200)
    assert "0 lost, 0 moved, 100 doubled (seed 1)" in result.output
    assert sorted(raw[0] for raw, _ in received) == sorted([*range(100), *range(100)])
    result, received = sent_by(["replay", path, "--loss", "1", "--seed", "3"], 0)
    assert result.exit_code == 2, "1 could be percent"
    result, received = sent_by(["replay", path, "--loss", "100%"], 0)
    assert "100 lost, 0 moved, 0 doubled" in result.output


@pytest.mark.parametrize(
    "options",
    [["--from", "1:2:3:4"], ["--from", "x"], ["--from", "-1"], ["--to", "1:75"], ["--from", "nan"], ["--from", "60"],
     ["--from", "0.05", "--to", "0.05"], ["--loss", "5"], ["--reorder", "x"], ["--within", "0"]],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: list[str]) -> None:
    result, _ = sent_by(["replay", str(rigs(tmp_path)), *options], 0)
    assert result.exit_code == 2
    assert "Error" in result.output


def test_a_rig_that_is_not_in_it_is_named_with_those_that_are(tmp_path: Path) -> None:
    result, _ = sent_by(["replay", str(rigs(tmp_path)), "--rig", "192.168.0.8"], 0)
    assert isinstance(result.exception, cli_capture.ReplayError)
    assert "192.168.0.7, 192.168.0.9" in result.exception.hint


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("90.5", 90.5), ("1:30", 90), ("0:01.5", 1.5), ("1:02:03", 3723), ("75:00", 4500)]
)
def test_times(text: str, value: float) -> None:
    assert cli_capture.seconds(text) == value
