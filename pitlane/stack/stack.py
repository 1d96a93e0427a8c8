"""All parts of one Pitlane as one object: a home folder, ports, passwords, and the order in which parts need each other.

`Stack.demo()` is the one that `pitlane up` runs; `Stack.ephemeral()` a second one beside it, on free ports and in a
folder of its own, for tests.
"""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from nifi.runtime.home import Secure
from nifi.runtime.server import NifiServer
from pitlane.settings import (
    ENV_FILE,
    HOME,
    STACK_HOME,
    CertificateSettings,
    KafkaSettings,
    MigrationSettings,
    NifiSettings,
    Settings,
)
from pitlane.stack import environment, steps, tools
from pitlane.stack.broker import Broker
from pitlane.stack.errors import Locked, StackError
from pitlane.stack.gateway import GatewayServer
from pitlane.stack.ports import LOOPBACK, Ports, variable
from pitlane.stack.postgres import PostgresServer
from pitlane.stack.server import Server, State
from pitlane.stack.spark import SparkServer
from pitlane.stack.superset import SupersetServer
from pitlane.tls import Files

TOOLS = HOME / "tools"

Chosen = TypeVar("Chosen", bound=Settings)


class Stack:
    def __init__(self, home: Path, values: dict[str, str], env_file: Path) -> None:
        """`values` are what the `env` file is to hold; `complete` adds what is missing."""
        self.home = home
        self.env_file = env_file
        self.values = environment.complete(values, home)
        self.ports = environment.ports(self.values)
        ports = self.ports
        self.postgres = PostgresServer(
            home, TOOLS / "postgres", ports.postgres, self.values["PITLANE_POSTGRES_SUPERUSER_PASSWORD"]
        )
        self.kafka = Broker(home, TOOLS / "broker", ports.kafka, ports.kafka_controller)
        stores = Secure(
            Files(home / "tls"),
            self.values["PITLANE_NIFI_KEYSTORE_PASSWORD"],
            self.values["PITLANE_NIFI_TRUSTSTORE_PASSWORD"],
        )
        self.nifi = NifiServer(
            home,
            TOOLS,
            http_port=ports.nifi,
            management_port=ports.nifi_management,
            listen_port=ports.nifi_listen,
            secure=stores if environment.is_secure(self.values) else None,
        )
        self.spark = SparkServer(home, ports.spark, env_file)
        self.superset = SupersetServer(home, ports.superset, env_file)
        self.gateway = GatewayServer(home, ports, self.values.get("PITLANE_UDP_HOST", LOOPBACK), env_file)

    @classmethod
    def demo(cls) -> "Stack":
        """The stack of `pitlane up`, with what its last start wrote down and what the environment says now."""
        return cls(STACK_HOME, environment.read(ENV_FILE) | environment.overrides(), ENV_FILE)

    @classmethod
    def ephemeral(cls, home: Path) -> "Stack":
        """A stack of its own in `home`, on ports that are free now; nothing of the environment's settings is in it."""
        ports = {variable(name): str(number) for name, number in asdict(Ports.free()).items()}
        return cls(home, ports, home / "env")

    @property
    def servers(self) -> tuple[Server, ...]:
        """In the order of the way that data takes, which is the order to stop them in."""
        return self.gateway, self.nifi, self.spark, self.superset, self.kafka, self.postgres

    def server(self, name: str) -> Server:
        for server in self.servers:
            if server.name == name:
                return server
        names = ", ".join(server.name for server in self.servers)
        raise StackError(f"there is no part named {name}", f"the parts are {names}")

    def settings(self, kind: type[Chosen]) -> Chosen:
        """The settings of one program of this stack, for use in this process. No profile leads to another NiFi."""
        own = {"nifi_profile": ""} if issubclass(kind, NifiSettings) else {}
        return kind(_env_file=self.env_file, **own)  # type: ignore[call-arg]

    def write_environment(self) -> None:
        environment.write(self.env_file, self.values)

    def steps(self) -> list[steps.Step]:
        """Everything that `up` does: starts, and what a server needs before the next can use it."""

        def start(server: Server) -> steps.Step:
            def action(_: steps.Say) -> str:
                server.start()
                return ", ".join(filter(None, (server.address, server.health().detail)))

            return steps.Step(server.title, action)

        # Imported by the step: alembic and nipyapi take seconds to load, and `status` needs neither.
        def certificates(_: steps.Say) -> str:
            from pitlane.certificates import ensure

            there = ensure(self.settings(CertificateSettings))
            made = sum(each.is_new for each in there)
            return f"{made} made, " * (made > 0) + f"valid until {min(each.ends for each in there):%Y-%m-%d}"

        def migrate(_: steps.Say) -> str:
            from postgres.migrate import upgrade

            settings = self.settings(MigrationSettings)
            upgrade(settings, settings.postgres_superuser.get_secret_value())
            return settings.postgres_database

        def create_topics(_: steps.Say) -> str:
            settings = self.settings(KafkaSettings)
            return f"{len(self.kafka.create_topics(settings.shards, settings.topic_prefix))} topics"

        def deploy_flow(_: steps.Say) -> str:
            from nifi.access import grant
            from nifi.deploy import deploy

            settings = self.settings(NifiSettings)
            if settings.nifi_secure:
                grant(settings)
            # What a person changed on the canvas and did not commit yet stays.
            done = deploy(settings, keep_changes=True)
            kept = " with changes that are in no version: pitlane flow diff" if done["flow"] == "kept" else ""
            return f"version {done['version']}{kept}, {done['processors']} processors"

        def dashboards(_: steps.Say) -> str:
            return self.superset.import_assets()

        return [
            steps.Step("Certificates", certificates),
            start(self.postgres),
            start(self.kafka),
            start(self.nifi)._replace(needs=("Certificates",)),
            steps.Step("Database", migrate, (self.postgres.title,)),
            steps.Step("Topics", create_topics, (self.kafka.title,)),
            steps.Step("Flow", deploy_flow, (self.nifi.title, "Topics")),
            start(self.spark)._replace(needs=("Database", "Topics")),
            steps.Step("Dashboards", dashboards, ("Database",)),
            start(self.superset)._replace(needs=("Dashboards",)),
            # Last, so that what it receives has somewhere to go.
            start(self.gateway)._replace(needs=("Database", "Flow")),
        ]

    def up(self, console: Console, wanted: Collection[str] | None = None) -> None:
        """Starts what does not run, and returns when everything is healthy.

        `wanted` are titles of steps to do with all that they need; None means all. Raises the first failure as a
        StackError; what was started by then runs on, for `status` and `logs` to look at and `down` to stop.
        """
        with self.locked():
            self.write_environment()
            steps.run(_with_needs(self.steps(), wanted), console)

    def down(self, console: Console) -> None:
        """Stops everything, the source of data first, so that each part can hand on what it has."""
        with self.locked():
            for server in self.servers:
                if server.process() is not None:
                    server.stop()
                    console.print(f"  {server.title} stopped", highlight=False)
                else:
                    server.stop()  # what a server that died left behind

    def states(self) -> list[State]:
        return [server.state() for server in reversed(self.servers)]

    def addresses(self) -> list[tuple[str, str, str]]:
        """What a person opens or connects to: name, address, log-in."""
        ports, values = self.ports, self.values
        reader = values["PITLANE_POSTGRES_READER_PASSWORD"]
        return [
            ("Superset", f"{self.superset.address}/", f"admin / {values['PITLANE_SUPERSET_ADMIN_PASSWORD']}"),
            ("NiFi", f"{self.nifi.address}/", self._nifi_log_in()),
            ("Live page", f"{self.gateway.url}/", ""),
            ("Live WebSocket", f"ws://{LOOPBACK}:{ports.gateway}/live/car", ""),
            ("Postgres", f"{self.postgres.address}/pitlane", f"pitlane_reader / {reader}"),
            ("Kafka", self.kafka.address, ""),
        ]

    def _nifi_log_in(self) -> str:
        if self.nifi.secure is None:
            return "no log-in, but from this machine only"
        password = self.values["PITLANE_OPERATOR_PASSWORD"]
        return f"import {self.nifi.secure.files.browser} into the browser / {password}"

    def remove(self) -> None:
        """Deletes data, logs and passwords of the stopped stack."""
        with self.locked():
            self.postgres.remove()
            shutil.rmtree(self.home, ignore_errors=True)
            self.env_file.unlink(missing_ok=True)

    def is_running(self) -> bool:
        return any(server.process() is not None for server in self.servers)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One `up` or `down` of a stack at a time; `Locked` when there is another."""
        try:
            with tools.lock(self.home / ".lock", wait=False):
                yield
        except BlockingIOError as error:
            raise Locked(f"another command is starting or stopping {self.home}", "wait for it to end") from error


def _with_needs(all_steps: list[steps.Step], wanted: Collection[str] | None) -> list[steps.Step]:
    if wanted is None:
        return all_steps
    by_title = {step.title: step for step in all_steps}
    chosen: set[str] = set()
    pending = list(wanted)
    while pending:
        title = pending.pop()
        if title not in chosen:
            chosen.add(title)
            pending += by_title[title].needs
    return [step for step in all_steps if step.title in chosen]
