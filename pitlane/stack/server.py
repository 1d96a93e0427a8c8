"""One server as a child process: started, waited for until it answers, found again, stopped. The base of all parts.

A part says what to run (`command`, `environment`, `prepare`) and how to ask whether it answers (`health`); this class
does the rest, the same for `pitlane up`, which ends and leaves its servers running, and for test fixtures, which stop
them. Everything of a part lies below the stack's home:

    HOME/logs/NAME.log   what it prints; the run before is NAME.log.1
    HOME/run/NAME.json   its pid and start time, as a pid alone may be somebody else's by now, and its address
    HOME/NAME/           its data

Every server leads a session of its own, so Ctrl-C in the terminal does not reach it, and whatever it started itself
can be found and ended even after it died.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, NamedTuple

import psutil

from pitlane.stack.errors import PortTaken, StartFailed
from pitlane.stack.ports import Port, listener

POLL_S = 0.1
LET_GO_S = 1.0
"""How long a port may stay with a process that was just killed: its threads end one by one."""

BEHIND_LIVE = 5
"""Niceness of what stores and shows the history: on a busy machine it waits for the gateway, not the other way round."""
TAIL_LINES = 15


class Health(NamedTuple):
    ok: bool
    detail: str
    """A few words: a version when it answers, what is wrong when it does not."""


class State(NamedTuple):
    """One line of `pitlane status`."""

    name: str
    state: str
    """`running`, `unhealthy` or `stopped`."""
    pid: int | None
    address: str
    memory_bytes: int
    """Resident, with all processes that the server started; what they share counts once (on Linux)."""
    since: datetime | None
    detail: str


class Server(ABC):
    name: ClassVar[str]
    """Slug for files and the command line."""
    title: ClassVar[str]
    """For people."""
    start_timeout_s: ClassVar[float] = 300
    """For a busy machine: one that ends is noticed at once, so only one that hangs costs this long."""
    stop_timeout_s: ClassVar[float] = 30
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    niceness: ClassVar[int] = 0
    """How far it steps back for others on a busy machine."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / self.name
        self.log = home / "logs" / f"{self.name}.log"
        self._pid_file = home / "run" / f"{self.name}.json"
        self._child: subprocess.Popen[bytes] | None = None

    # What a part says of itself

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it is reached, for people."""

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    def environment(self) -> Mapping[str, str]:
        return os.environ

    @property
    def working_folder(self) -> Path:
        return self.folder

    def logs(self) -> Sequence[Path]:
        """Where to read what it said, the most telling first; some servers write files of their own."""
        return [self.log]

    def ports(self) -> Sequence[Port]:
        """What it will bind; asked for before it starts, since a server's own message on a taken port is hard to read."""
        return ()

    def prepare(self) -> None:  # noqa: B027 (most parts need nothing)
        """Lays out its folder. Runs before every start, so a second run changes nothing."""

    @abstractmethod
    def health(self) -> Health:
        """Asks the server itself, within about a second, and never raises for a server that does not answer."""

    # What the base does

    def start(self, timeout_s: float | None = None) -> None:
        """Starts it unless it runs, and returns when it is healthy. One that runs elsewhere than it should by now (its
        port or its scheme was set otherwise since) is started anew.

        Raises `PortTaken` when another program has one of its ports, and `StartFailed` with the tail of the log when it
        ends or is not healthy in time; then nothing of it is left running.
        """
        if self.process() is not None and self._recorded()[2] != self.address:
            self.stop()
        if self.process() is None:
            self._end_strays()
            self._refuse_taken_ports()
            self.folder.mkdir(parents=True, exist_ok=True)
            self.prepare()
            self._spawn()
        try:
            self.wait_healthy(timeout_s)
        except BaseException:
            self.stop()
            raise

    def wait_healthy(self, timeout_s: float | None = None) -> None:
        deadline = time.monotonic() + (self.start_timeout_s if timeout_s is None else timeout_s)
        while not (health := self.health()).ok:
            if self.process() is None:
                code = self._child.returncode if self._child else None
                ended = (
                    "ended" if code is None else f"ended with {code}" if code >= 0 else f"was killed by signal {-code}"
                )
                raise StartFailed(f"{self.title} {ended}{self._tail()}", f"its log is {self.logs()[0]}")
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"{self.title} is not healthy: {health.detail}{self._tail()}", f"its log is {self.logs()[0]}"
                )
            time.sleep(POLL_S)

    def stop(self, timeout_s: float | None = None) -> None:
        """Asks it to end, waits, and kills what is left of its session. A stopped server is no error."""
        process = self.process()
        if process is not None:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(self.stop_signal)
            # Whoever is not gone by then is killed with the rest of its session.
            _wait_gone([process], self.stop_timeout_s if timeout_s is None else timeout_s)
        self._end_strays()
        if self._child is not None:
            self._child.wait()
            self._child = None
        self._pid_file.unlink(missing_ok=True)

    def process(self) -> psutil.Process | None:
        """The running process, also one that another command started; None when it does not run."""
        if self._child is not None and self._child.poll() is not None:
            return None
        pid, started, _ = self._recorded()
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - started) < 1 and _runs(process):
                return process
        except (psutil.NoSuchProcess, ValueError):
            pass
        return None

    def state(self) -> State:
        process = self.process()
        if process is None:
            return State(self.name, "stopped", None, self.address, 0, None, "")
        health = self.health()
        # Postgres gives each of its processes a session of its own.
        members = {*self._session(process.pid), *process.children(recursive=True)}
        memory = sum(map(_memory_bytes, members))
        since = datetime.fromtimestamp(process.create_time(), UTC)
        return State(
            self.name, "running" if health.ok else "unhealthy", process.pid, self.address, memory, since, health.detail
        )

    def _spawn(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        # For its owner alone: a server may print what it was told, passwords included.
        with os.fdopen(os.open(self.log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as output:
            self._child = subprocess.Popen(
                list(self.command()),
                cwd=self.working_folder,
                env=dict(self.environment()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self.niceness:
            _step_back(self._child.pid, self.niceness)
        started = psutil.Process(self._child.pid).create_time()
        record = {"pid": self._child.pid, "started": started, "address": self.address}
        part = self._pid_file.with_suffix(".part")
        part.write_text(json.dumps(record))
        part.replace(self._pid_file)

    def _recorded(self) -> tuple[int, float, str]:
        try:
            record = json.loads(self._pid_file.read_text())
            return record["pid"], record["started"], record.get("address", "")
        except (OSError, ValueError, KeyError):
            return -1, 0.0, ""

    def _session(self, leader: int) -> list[psutil.Process]:
        """The members of the server's session, its leader included."""
        members = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == leader:
                    members.append(process)
            except (ProcessLookupError, PermissionError):
                continue
        return members

    def _end_strays(self) -> None:
        """Kills what a server left behind in its session, whether it was stopped or died."""
        leader, started, _ = self._recorded()
        if leader < 0:
            return
        try:
            if abs(psutil.Process(leader).create_time() - started) >= 1:
                return  # somebody else got the pid, which the kernel gives out only when nothing of the session is left
        except psutil.NoSuchProcess:
            pass
        members = self._session(leader)
        for process in members:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _wait_gone(members, 5)  # until then they hold their ports

    def _refuse_taken_ports(self) -> None:
        deadline = time.monotonic() + LET_GO_S
        for port in self.ports():
            while not (free := port.is_free()) and time.monotonic() < deadline:
                time.sleep(POLL_S)
            if free:
                continue
            who = listener(port)
            by = f" by {who}" if who else ""
            raise PortTaken(
                f"{self.title} needs {port}, which is taken{by}", "end that program, or stop another Pitlane: make down"
            )

    def _tail(self) -> str:
        for log in self.logs():
            try:
                lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            except OSError:
                continue
            if lines:
                return "\n" + "\n".join(f"    {line}" for line in lines)
        return " (its log is empty)"


def _step_back(leader: int, niceness: int) -> None:
    """Lets others go first, on a system that can: the process, and its session, which Linux may weigh as one."""
    with suppress(OSError):  # it may have ended already, which the wait for its health will tell
        os.setpriority(os.PRIO_PROCESS, leader, niceness)
        Path(f"/proc/{leader}/autogroup").write_text(str(niceness))


def _runs(process: psutil.Process) -> bool:
    """False also for a zombie, which some containers' first process never collects."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait_gone(processes: Sequence[psutil.Process], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while any(map(_runs, processes)) and time.monotonic() < deadline:
        time.sleep(0.02)


def _memory_bytes(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:  # it ended, or is not ours to look into
        return 0
    return int(getattr(memory, "pss", memory.rss))


def fetch(url: str, timeout_s: float = 2, token: str = "") -> bytes:
    """The body of a GET on this machine, past any proxy that the environment names. OSError when nothing answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout_s) as answer:
        body: bytes = answer.read()
    return body


def answers(host: str, port: int, timeout_s: float = 0.5) -> bool:
    """Whether somebody accepts TCP connections there."""
    try:
        socket.create_connection((host, port), timeout_s).close()
    except OSError:
        return False
    return True
