"""What a Spark session is made with, without a Spark."""

import os
from pathlib import Path
from typing import Any

import pytest

from pitlane.settings import SparkSettings
from pitlane.stack import spark
from spark import runtime
from spark.errors import cause


class Builder:
    """Notes what it is told, and the environment that the JVM would get."""

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.sparkContext = self

    def __getattr__(self, _: str) -> Any:
        return lambda *_: self

    def config(self, option: str, value: str) -> "Builder":
        self.options[option] = value
        return self

    def getOrCreate(self) -> "Builder":  # noqa: N802 (pyspark's)
        self.environment = dict(os.environ)
        return self


@pytest.mark.parametrize(("master", "address"), [("local[2]", "127.0.0.1"), ("spark://there:7077", None)])
def test_a_local_session_has_no_address_but_this_machines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, master: str, address: str | None
) -> None:
    """And one on a cluster an address that its executors reach, also as a part of the stack."""
    (tmp_path / "a.jar").touch()
    monkeypatch.delenv("SPARK_LOCAL_IP", raising=False)
    monkeypatch.setattr(os, "environ", spark.environment(tmp_path / "env", tmp_path))
    builder = Builder()
    monkeypatch.setattr(runtime, "SparkSession", type("Session", (), {"builder": builder}))
    settings = SparkSettings(_env_file=None, spark_master=master, spark_jars=tmp_path)  # type: ignore[call-arg]
    runtime.session(settings, "test")
    assert builder.environment.get("SPARK_LOCAL_IP") == address
    assert builder.options.get("spark.driver.bindAddress") == address


def test_the_cause_of_a_failure_is_found_in_the_tracebacks_around_it() -> None:
    told = (
        "[STREAM_FAILED] Query [id = 1] terminated with exception: An exception was raised. Traceback:",
        '  File "spark/archive.py", line 88, in append',
        "pyspark.errors.exceptions.captured.PythonException: ",
        "  An exception was thrown from the Python worker.",
        "OSError: [Errno 28] No space left on device",
    )
    assert cause(Exception("\n".join(told))) == "OSError: [Errno 28] No space left on device"
    assert cause(Exception("nothing that we know\nof Spark's")) == "nothing that we know"
