"""The Spark application as a child process, and the jars that it needs beside pyspark's own."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pitlane.settings import REPOSITORY
from pitlane.stack import environment as stack_environment
from pitlane.stack import jdks, maven, tools
from pitlane.stack.server import BEHIND_LIVE, Health, Server

POM = maven.POMS / "spark-jars.xml"
SILENT_S = 15


def install(tools_folder: Path) -> Path:
    """Puts the Kafka connector with its dependencies into `tools_folder/spark-jars`; a second call returns at once."""

    def build(place: Path) -> None:
        maven.copy_dependencies(POM, place, log=tools_folder.parent / "logs" / "install-spark-jars.log")

    return tools.install(tools_folder / "spark-jars", tools.fingerprint(POM), build)


class SparkServer(Server):
    name: ClassVar[str] = "spark"
    title: ClassVar[str] = "Spark"
    niceness: ClassVar[int] = BEHIND_LIVE

    def __init__(self, home: Path, env_file: Path) -> None:
        super().__init__(home)
        self._env_file = env_file
        self._progress = self.folder / "progress.json"  # beside the checkpoint (spark.stream)

    @property
    def address(self) -> str:
        return ""  # it only connects to others

    def command(self) -> Sequence[str]:
        return sys.executable, "-m", "spark.jobs.facts"

    def environment(self) -> Mapping[str, str]:
        return environment(self._env_file, self.home)

    def prepare(self) -> None:
        self._progress.unlink(missing_ok=True)  # what the run before said

    def health(self) -> Health:
        """From the file that the application rewrites every second; a query that cannot go on tells why in it."""
        try:
            said = json.loads(self._progress.read_text())
        except (OSError, ValueError):
            return Health(False, "has not begun")
        silent_s = time.time() - said["at"]
        if silent_s > SILENT_S:
            return Health(False, f"has said nothing for {silent_s:.0f} s")
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
