"""The stack as a person meets it: what listens where, what the commands say, what the doctor finds."""

import gzip
import io
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from nifi import parameters, repository
from nifi.export import export
from nifi.status import status as flow_status
from pitlane import demo
from pitlane.doctor import diagnose
from pitlane.settings import REPOSITORY, NifiSettings
from pitlane.stack import environment
from pitlane.stack.server import Server
from pitlane.stack.stack import Stack
from pitlane.stack.superset import SupersetServer
from tests.shared import RACE_2026, needs_recordings


def pitlane(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as somebody runs it, on the test's stack."""
    where = {"PITLANE_STACK_HOME": str(stack.home), "PITLANE_ENV_FILE": str(stack.env_file), "COLUMNS": "200"}
    command = [sys.executable, "-m", "pitlane.cli", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | where, capture_output=True, text=True, timeout=120, check=False
    )


def listening(server: Server) -> set[tuple[str, int]]:
    process = server.process()
    assert process is not None
    sockets = [c for p in (process, *process.children(recursive=True)) for c in p.net_connections("inet")]
    return {(c.laddr.ip.removeprefix("::ffff:"), c.laddr.port) for c in sockets if c.status == psutil.CONN_LISTEN}


def test_everything_listens_on_this_machine_only(stack: Stack, superset_server: SupersetServer) -> None:
    found = {server.name: listening(server) for server in stack.servers}
    ports = stack.ports
    # ListenHTTP has no property for the address it binds (nifi.runtime.server).
    everywhere = {(ip, port) for ip, port in found["nifi"] if port == ports.nifi_listen}
    assert {ip for name in found for ip, _ in found[name] - everywhere} == {"127.0.0.1"}
    assert (found["gateway"], found["superset"]) == ({("127.0.0.1", ports.gateway)}, {("127.0.0.1", ports.superset)})


def test_passwords_are_for_the_owners_eyes(stack: Stack) -> None:
    assert stat.S_IMODE(stack.env_file.stat().st_mode) == 0o600
    for server in stack.servers:
        process = server.process()
        shown = " ".join(process.cmdline()) if process else ""
        assert not [name for name, value in stack.values.items() if "PASSWORD" in name and value in shown]


def test_no_secret_stands_where_it_must_not(stack: Stack, superset_server: SupersetServer, tmp_path: Path) -> None:
    """Passwords are in the env file and in the servers' own configuration, and NiFi's flow has them encrypted."""
    secrets = {
        name: value
        for name, value in stack.values.items()
        if name.endswith(("_PASSWORD", "_SECRET_KEY")) and name.startswith("PITLANE_")
    }
    assert len(secrets) == len(environment.PASSWORDS)
    flow = stack.settings(NifiSettings)
    export(flow, tmp_path / "exported.json")
    conf = stack.nifi.folder / "conf"
    looked_at = {
        "/status": json.dumps(stack.gateway.status()),
        "flow status": json.dumps(flow_status(flow)),
        **{f"pitlane {verb}": pitlane(stack, verb).stdout for verb in ("status", "doctor", "certificates")},
        **{
            str(path): path.read_text(errors="replace")
            for path in (
                *repository.FOLDER.rglob("*.json"),
                tmp_path / "exported.json",
                *stack.nifi.folder.glob("logs/*"),
            )
        },
        **{
            str(path): path.read_text(errors="replace")
            for server in stack.servers
            for log in server.logs()
            for path in log.parent.glob("*")
            if path.is_file()
        },
        **{
            str(path): gzip.decompress(path.read_bytes()).decode()
            for path in (conf / "flow.json.gz", *conf.glob("archive/*"))
        },
    }
    for place, text in looked_at.items():
        assert not [name for name, value in secrets.items() if value in text], place
    assert looked_at[str(conf / "flow.json.gz")].count("enc{") >= len(parameters.sensitive_values(flow))
    assert len(looked_at[str(stack.nifi.log)]) > 1000


def test_a_second_up_starts_nothing(stack: Stack, superset_server: SupersetServer) -> None:
    before = {state.name: state.pid for state in stack.states()}
    again = Stack(stack.home, stack.values, stack.env_file)
    again.up(Console(file=io.StringIO()))
    assert {state.name: state.pid for state in again.states()} == before


def test_status_shows_every_part(stack: Stack, superset_server: SupersetServer) -> None:
    ended = pitlane(stack, "status", "--logins")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for server in stack.servers:
        (line,) = [line for line in ended.stdout.splitlines() if line.split()[:2] == [server.name, "running"]]
        assert str(server.process().pid) in line
    assert f"admin / {stack.values['PITLANE_SUPERSET_ADMIN_PASSWORD']}" in ended.stdout


def test_logs_are_found_by_part(stack: Stack) -> None:
    assert "listening" in pitlane(stack, "logs", "gateway").stdout
    ended = pitlane(stack, "logs", "toaster")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "the parts are gateway, nifi" in ended.stderr


@pytest.fixture
def without(stack: Stack) -> Iterator[Stack]:
    """The stack, of which the test may stop parts; they run again afterwards."""
    yield stack
    for server in reversed(stack.servers):
        if server.name != "superset":
            server.start()


@pytest.mark.parametrize("name", ["nifi", "kafka", "spark", "postgres"])
def test_the_doctor_names_the_part_that_is_down(without: Stack, name: str) -> None:
    without.server(name).stop()
    finding = diagnose(without)
    assert (finding.ok, finding.reason) == (False, f"{name}_down")
    assert "pitlane up" in finding.text


def test_the_doctor_names_the_program_that_has_the_port(without: Stack) -> None:
    without.gateway.stop()
    assert diagnose(without).reason == "gateway_down"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", without.ports.udp))
        ended = pitlane(without, "doctor")
    assert ended.returncode == 1
    assert f"(pid {os.getpid()})" in ended.stdout
    assert ended.stdout.count("\n") == 1


@needs_recordings
def test_the_demo_shows_what_arrived(stack: Stack, superset_server: SupersetServer) -> None:
    output = io.StringIO()
    demo.run(stack, str(RACE_2026), Console(file=output, width=120))
    lines = [" ".join(line.split()) for line in output.getvalue().splitlines()]
    # Counted by hand in the bytes of the recording: 7,124 datagrams, 40 of them session packets (id 1), 1,000 of id 6.
    assert "sent datagrams 7,124" in lines
    assert "gateway received 7,124" in lines
    assert "stored in Postgres (session packets) 40" in lines
    assert "f1.car_telemetry 1,000" in lines
    assert "all topics 7,084" in lines
    assert "core.participant 22" in lines


def test_a_capture_that_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(demo.DemoError) as error:
        demo.choose(str(tmp_path / "none.pcap"))
    assert error.value.reason == "no_capture"
    assert "time-trial" in error.value.hint
