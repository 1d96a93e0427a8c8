"""The Spark application as a child process, and the jars that it needs beside pyspark's own."""

from pathlib import Path

from pitlane.stack import maven, tools

POM = maven.POMS / "spark-jars.xml"


def install(tools_folder: Path) -> Path:
    """Puts the Kafka connector with its dependencies into `tools_folder/spark-jars`; a second call returns at once."""

    def build(place: Path) -> None:
        maven.copy_dependencies(POM, place, log=tools_folder.parent / "logs" / "install-spark-jars.log")

    return tools.install(tools_folder / "spark-jars", tools.fingerprint(POM), build)
