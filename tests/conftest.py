"""Real servers for integration tests: one stack a run, in a folder and on ports of its own, its parts started when a
test first asks for them.

`postgres_server` and `broker` are there within seconds, `database` is Postgres with all migrations, `stack` everything
but Superset, which `superset_server` adds. A test that needs a server of its own to break it makes one from
`pitlane.stack` in its `tmp_path`.
"""

import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

# The tests' own settings come from their stack's file; those of a person's shell are none of their business.
for _name in [name for name in os.environ if name.startswith("PITLANE_") and name != "PITLANE_HOME"]:
    del os.environ[_name]

if TYPE_CHECKING:  # unit tests start without loading the servers
    from pitlane.settings import SupersetSettings
    from pitlane.stack.broker import Broker
    from pitlane.stack.postgres import PostgresServer
    from pitlane.stack.stack import Stack
    from pitlane.stack.superset import SupersetServer

# A test run that is told to end stops its servers as if by Ctrl-C.
signal.signal(signal.SIGTERM, signal.default_int_handler)

Ensure = Callable[[str], None]


@pytest.fixture(scope="session")
def _stack(request: pytest.FixtureRequest) -> "Iterator[Stack]":
    """The run's stack with nothing started; stopped at the end, and deleted unless a test failed."""
    from pitlane.settings import HOME
    from pitlane.stack import throwaway
    from pitlane.stack.stack import Stack

    runs = HOME / "test-stack"
    throwaway.clear(runs)
    stack = Stack.ephemeral(runs / str(os.getpid()))
    try:
        yield stack
    finally:
        stack.down(Console(quiet=True))
        if request.session.testsfailed == 0:
            stack.remove()


@pytest.fixture(scope="session")
def _ensure(_stack: "Stack") -> Ensure:
    """Does a step of `Stack.steps` with all that it needs, each once a run; a step that failed fails again."""
    console = Console(stderr=True)
    outcomes: dict[str, BaseException | None] = {}

    def ensure(title: str) -> None:
        if title not in outcomes:
            try:
                _stack.up(console, [title])
                outcomes[title] = None
            except Exception as error:
                outcomes[title] = error
        if (failed := outcomes[title]) is not None:
            raise failed

    return ensure


@pytest.fixture(scope="session")
def postgres_server(_stack: "Stack", _ensure: Ensure) -> "PostgresServer":
    """An empty PostgreSQL; `conninfo()` is the superuser's."""
    _ensure(_stack.postgres.title)
    return _stack.postgres


@pytest.fixture(scope="session")
def broker(_stack: "Stack", _ensure: Ensure) -> "Broker":
    """Kafka with all of Pitlane's topics."""
    _ensure("Topics")
    return _stack.kafka


@pytest.fixture(scope="session")
def database(_stack: "Stack", _ensure: Ensure) -> "SupersetSettings":
    """The settings of a migrated database: `conninfo("owner")` and so on."""
    from pitlane.settings import SupersetSettings

    _ensure("Database")
    return _stack.settings(SupersetSettings)


@pytest.fixture(scope="session")
def stack(_stack: "Stack", _ensure: Ensure) -> "Stack":
    """Everything from the UDP port to the tables: gateway, NiFi with the flow, Kafka, Spark, Postgres."""
    for server in (_stack.gateway, _stack.spark):
        _ensure(server.title)
    return _stack


@pytest.fixture(scope="session")
def superset_server(_stack: "Stack", _ensure: Ensure) -> "SupersetServer":
    """Superset with the dashboards imported, on the stack's database."""
    _ensure(_stack.superset.title)
    return _stack.superset
