"""What integration tests share."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import dict_row
from pyspark.sql import SparkSession

from pitlane.settings import NifiSettings, SparkSettings, SupersetSettings
from pitlane.stack import jdks, spark
from pitlane.stack.stack import TOOLS, Stack
from spark.runtime import session
from tests.integration.rows import History


@pytest.fixture(scope="module")
def settings(own: Stack) -> NifiSettings:
    """Where the NiFi is of a module that has a stack of its own (fixture `own`), and Kafka."""
    return own.settings(NifiSettings)


@pytest.fixture(scope="session")
def spark_session() -> Iterator[SparkSession]:
    """Spark in this process: there is one at most, so all modules share it, each with settings of its own."""
    before = dict(os.environ)
    os.environ.update(jdks.jdk("Spark").environment(), SPARK_LOCAL_IP="127.0.0.1")
    started = session(SparkSettings(_env_file=None, spark_jars=spark.install(TOOLS)), "tests")  # type: ignore[call-arg]
    os.environ.clear()
    os.environ.update(before)
    yield started
    started.stop()


@pytest.fixture
def history(database: SupersetSettings) -> Iterator[History]:
    """The database inside one transaction, which is rolled back."""
    with psycopg.connect(database.conninfo("owner"), row_factory=dict_row) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        yield History(connection)
        connection.rollback()
