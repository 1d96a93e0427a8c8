"""The Spark session: what must be set for this application, whatever the master."""

import os
import sys

from pyspark.sql import SparkSession

from pitlane.settings import REPOSITORY, SparkSettings
from spark.errors import SettingsError

BLOCKS_PER_ARROW_BATCH = 32
"""Arrow and the reader of Parquet count records, and a block has up to 256 KiB."""


def session(settings: SparkSettings, name: str) -> SparkSession:
    """A session on `settings.spark_master`. JAVA_HOME must name a JDK 17 or 21.

    Raises SettingsError if the Kafka connector's jars are missing.
    """
    jars = sorted(str(jar) for jar in settings.spark_jars.glob("*.jar"))
    if not jars:
        raise SettingsError(f"no jars in {settings.spark_jars}", "make setup installs Spark's Kafka connector there")
    options = {
        # Jars by path: jars of `spark.jars.packages` would also land on the Python workers' path.
        "spark.jars": ",".join(jars),
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.executorEnv.PYTHONPATH": str(REPOSITORY),
        "spark.python.daemon.module": "spark.worker_daemon",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.adaptive.enabled": "false",  # it may put two shards into one task
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(BLOCKS_PER_ARROW_BATCH),
        "spark.sql.parquet.columnarReaderBatchSize": str(BLOCKS_PER_ARROW_BATCH),
        "spark.sql.streaming.minBatchesToRetain": "20",
        # What a UI would show of past micro-batches, for which there is no UI.
        "spark.sql.ui.retainedExecutions": "2",
        "spark.ui.retainedJobs": "10",
        "spark.ui.retainedStages": "10",
        "spark.ui.retainedTasks": "100",
    }
    if settings.spark_master.startswith("local"):
        options |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        # Else Spark asks for the address of this machine's own name, which need not have one.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # the workers' Python; pyspark reads it from here only
    options |= settings.spark_options
    builder = SparkSession.builder.appName(name).master(settings.spark_master)
    for option, value in options.items():
        builder = builder.config(option, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark
