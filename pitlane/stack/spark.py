"""The Spark application as a child process, and the jars that it needs beside pyspark's own."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pitlane.settings import REPOSITORY
from pitlane.stack import environment as stack_environment
from pitlane.stack import jdks, maven, tools
from pitlane.stack.ports import LOOPBACK, Port
from pitlane.stack.server import BEHIND_LIVE, Health, Server
from spark import progress

POM = maven.POMS / "spark-jars.xml"


def install(tools_folder: Path) -> Path:
    """Puts the Kafka connector with its dependencies into `tools_folder/spark-jars`; a second call returns at once."""

    def build(place: Path) -> None:
        maven.copy_dependencies(POM, place, log=tools_folder.parent / "logs" / "install-spark-jars.log")

    return tools.install(tools_folder / "spark-jars", tools.fingerprint(POM), build)


class SparkServer(Server):
    name: ClassVar[str] = "spark"
    title: ClassVar[str] = "Spark"
    niceness: ClassVar[int] = BEHIND_LIVE

    def __init__(self, home: Path, port: int, env_file: Path) -> None:
        super().__init__(home)
        self._port = port
        self._env_file = env_file
        self._checkpoint = self.folder / "checkpoint"

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self._port}/metrics"

    def ports(self) -> Sequence[Port]:
        return (Port(self._port),)

    def command(self) -> Sequence[str]:
        return sys.executable, "-m", "spark.jobs.facts"

    def environment(self) -> Mapping[str, str]:
        return environment(self._env_file, self.home)

    def prepare(self) -> None:
        progress.file(self._checkpoint).unlink(missing_ok=True)  # what the run before said

    def health(self) -> Health:
        """What the application says every second of itself; a query that cannot go on tells why."""
        said = progress.read(self._checkpoint)
        if said["state"] != "running":
            return Health(False, f"{said['state']} {said['error']}".strip())
        batch = said.get("batch_id")
        return Health(True, "waits for data" if batch is None else f"micro-batch {batch} took {said['seconds']:.1f} s")


def environment(env_file: Path, home: Path) -> dict[str, str]:
    """For a Spark driver of a stack: a JDK that suits, and this Python for its workers."""
    jdk = jdks.jdk("Spark")
    return stack_environment.for_child(env_file, home, jdk.environment()) | {
        "PYTHONPATH": str(REPOSITORY),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
