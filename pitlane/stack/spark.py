"""The Spark application as a child process, and the jars that it needs beside pyspark's own."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pitlane.settings import REPOSITORY
from pitlane.stack import environment as stack_environment
from pitlane.stack import jdks, maven, tools
from pitlane.stack.ports import LOOPBACK
from pitlane.stack.server import Health, Server

POM = maven.POMS / "spark-jars.xml"


def install(tools_folder: Path) -> Path:
    """Puts the Kafka connector with its dependencies into `tools_folder/spark-jars`; a second call returns at once."""

    def build(place: Path) -> None:
        maven.copy_dependencies(POM, place, log=tools_folder.parent / "logs" / "install-spark-jars.log")

    return tools.install(tools_folder / "spark-jars", tools.fingerprint(POM), build)


class SparkServer(Server):
    name: ClassVar[str] = "spark"
    title: ClassVar[str] = "Spark"
    start_timeout_s: ClassVar[float] = 90

    def __init__(self, home: Path, env_file: Path) -> None:
        super().__init__(home)
        self._env_file = env_file

    @property
    def address(self) -> str:
        return "no port"

    def command(self) -> Sequence[str]:
        return sys.executable, "-m", "spark.jobs.facts"

    def environment(self) -> Mapping[str, str]:
        return environment(self._env_file, self.home)

    def health(self) -> Health:
        raise NotImplementedError


def environment(env_file: Path, home: Path) -> dict[str, str]:
    """For a Spark driver of a stack: a JDK that suits, this Python for its workers, and no address but this machine's."""
    jdk = jdks.jdk("Spark")
    return stack_environment.for_child(env_file, home, jdk.environment()) | {
        "PYTHONPATH": str(REPOSITORY),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": LOOPBACK,
    }
