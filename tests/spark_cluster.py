"""A standalone Spark cluster on this machine: a master and workers, each a JVM of its own, from pyspark's own jars."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyspark

from pitlane.stack import jdks
from pitlane.stack.ports import LOOPBACK
from pitlane.stack.server import answers
from tests.gateway import free_port

SPARK_HOME = Path(pyspark.__file__).parent
WITHIN_S = 120


class Cluster(NamedTuple):
    master: str
    workers: tuple[Path, ...]
    """Where each worker keeps the logs of its executors."""

    def finished_tasks(self) -> list[int]:
        """How many tasks the executors of each worker say they finished."""
        return [
            sum(log.read_text().count("Finished task ") for log in folder.glob("app-*/*/stderr"))
            for folder in self.workers
        ]


@contextmanager
def standalone(folder: Path, workers: int) -> Iterator[Cluster]:
    """One core and 1 GB for each worker; ended with all their executors."""
    port = free_port()
    cluster = Cluster(f"spark://{LOOPBACK}:{port}", tuple(folder / f"worker{n}" for n in range(workers)))
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_java(folder / "master.log", "master.Master", "--port", str(port)))
        _wait(lambda: answers(LOOPBACK, port), folder / "master.log")
        for place in cluster.workers:
            log = place.with_suffix(".log")
            started.append(_java(log, "worker.Worker", "-c", "1", "-m", "1g", "-d", str(place), cluster.master))
        for place in cluster.workers:
            _wait(partial(_is_registered, place.with_suffix(".log")), place.with_suffix(".log"))
        yield cluster
    finally:
        for process in reversed(started):  # a worker ends its executors
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def _is_registered(log: Path) -> bool:
    return "Successfully registered" in log.read_text()


def _java(log: Path, what: str, *arguments: str) -> subprocess.Popen[bytes]:
    jdk = jdks.jdk("Spark")
    # A worker looks for the Scala version of a source tree's build folders, which pyspark has none of.
    home = {"SPARK_HOME": str(SPARK_HOME), "SPARK_LOCAL_IP": LOOPBACK, "SPARK_SCALA_VERSION": "2.13"}
    command = [jdk.java, "-Xmx256m", "-cp", f"{SPARK_HOME / 'jars'}/*", f"org.apache.spark.deploy.{what}"]
    with log.open("wb") as output:
        return subprocess.Popen(
            [*command, "--host", LOOPBACK, "--webui-port", "0", *arguments],
            env=os.environ | jdk.environment() | home,
            stdout=output,
            stderr=output,
        )


def _wait(until: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not until():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
