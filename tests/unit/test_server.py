"""The base of all servers, with a child process of the simplest kind."""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from pitlane.stack.errors import PortTaken, StartFailed
from pitlane.stack.ports import Port, Ports
from pitlane.stack.server import Health, Server, answers

LISTEN = """
import os, socket, sys, time
if os.fork() == 0:
    time.sleep(60)  # a helper process that its parent never ends
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
time.sleep(60)
"""


class Listener(Server):
    name = "listener"
    title = "Listener"

    def __init__(self, home, port, program=LISTEN):
        super().__init__(home)
        self.port = port
        self.program = program

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        return sys.executable, "-c", self.program, str(self.port)

    def ports(self):
        return [Port(self.port)]

    def health(self):
        up = answers("127.0.0.1", self.port)
        return Health(up, "answers" if up else "silent")


@pytest.fixture
def port():
    return Ports.free().gateway


@pytest.fixture
def server(tmp_path, port):
    server = Listener(tmp_path, port)
    yield server
    server.stop()


def members(session):
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def test_started_found_again_and_stopped_with_all_it_started(server, tmp_path, port):
    server.start()
    again = Listener(tmp_path, port)  # as another command sees it
    state = again.state()
    assert (state.state, state.address, state.detail) == ("running", f"127.0.0.1:{port}", "answers")
    assert state.memory_bytes > 0
    assert len(members(state.pid)) == 2
    again.start()
    assert again.process().pid == state.pid, "a second start starts nothing"
    again.stop()
    assert members(state.pid) == []
    assert not answers("127.0.0.1", port)
    assert again.state().state == "stopped"
    again.stop()


def test_one_that_was_set_otherwise_since_is_started_anew(server, tmp_path, port):
    server.start()
    first = server.process().pid
    Listener(tmp_path, port).start()
    assert server.process().pid == first
    moved = Listener(tmp_path, Ports.free().gateway)
    moved.start()
    assert moved.process().pid != first
    assert not answers("127.0.0.1", port)


def test_strays_of_a_server_that_died_are_ended_by_the_next_start(server):
    server.start()
    leader = server.process().pid
    os.kill(leader, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while server.process() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(members(leader)) == 1
    server.start()
    assert members(leader) == []


def test_a_start_that_fails_says_how_it_ended_and_shows_the_log(tmp_path, port):
    server = Listener(tmp_path, port, "print('no such file: x.conf'); raise SystemExit(3)")
    with pytest.raises(StartFailed, match=r"ended with 3\n.*no such file: x\.conf") as failed:
        server.start()
    assert str(server.log) in failed.value.hint
    assert server.process() is None


def test_one_that_never_becomes_healthy_is_stopped(tmp_path, port):
    server = Listener(tmp_path, port, "import time; time.sleep(60)")
    with pytest.raises(StartFailed, match="not healthy: silent"):
        server.start(timeout_s=0.5)
    assert server.process() is None


def test_a_taken_port_is_named_with_the_program_that_has_it(server, port):
    taken = pytest.raises(PortTaken, match=rf"TCP port {port}.*\(pid {os.getpid()}\)")
    with socket.create_server(("127.0.0.1", port)), taken:
        server.start()
    server.start()


def test_a_pid_that_went_to_another_program_is_not_ours(server, tmp_path):
    record = tmp_path / "run" / "listener.json"
    record.parent.mkdir()
    record.write_text(json.dumps({"pid": os.getpid(), "started": 1000.0}))
    assert server.process() is None
    server.start()  # would have killed this very process's session otherwise


def test_the_log_of_the_run_before_is_kept(server):
    for _ in range(2):
        server.start()
        server.stop()
    assert "listening" in server.log.with_suffix(".log.1").read_text()


def test_udp_and_tcp_ports_are_told_apart():
    ports = Ports.free()
    assert len(set(ports.all())) == len(ports.all())
    with Port(ports.udp, "udp").bind():
        assert not Port(ports.udp, "udp").is_free()
        assert Port(ports.udp).is_free()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's word")
def test_what_stores_the_history_steps_back(tmp_path, port):
    class Background(Listener):
        niceness = 7

    server = Background(tmp_path, port)
    server.start()
    try:
        process = server.process()
        assert {each.nice() for each in (process, *process.children())} == {7}
        group = f"/proc/{process.pid}/autogroup"
        assert not Path(group).exists() or Path(group).read_text().endswith("nice 7\n")
    finally:
        server.stop()
