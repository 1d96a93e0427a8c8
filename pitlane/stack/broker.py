"""A Kafka broker as a child process: KRaft, broker and controller in one, from the jars on Maven Central."""

import base64
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from pitlane import topic_setup
from pitlane.stack import jdks, maven, tools
from pitlane.stack.errors import StartFailed
from pitlane.stack.ports import LOOPBACK, Port
from pitlane.stack.server import BEHIND_LIVE, Health, Server, answers

POM = maven.POMS / "broker.xml"

# Blocks are at most 256 KiB of datagrams (GatewaySettings.block_bytes); a producer's batch holds several.
MAX_MESSAGE_BYTES = 2 * 1024 * 1024
# A rig at 60 Hz writes about 2 GB an hour before compression. Each partition keeps a week or this much.
RETENTION_BYTES = 1024**3

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}

# One broker holds the only replica.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0

# A mistyped name is an error, not a new topic.
auto.create.topics.enable=false
message.max.bytes={max_message_bytes}
log.retention.hours=168
log.retention.bytes={retention_bytes}
log.segment.bytes=67108864
# Two index files of every partition are laid out at full size.
log.index.size.max.bytes=1048576
num.network.threads=2
num.io.threads=4
"""

_LOGGING = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{ISO8601} %p %c{1}: %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
    <!-- Prints its whole configuration at every start. -->
    <Logger name="org.apache.kafka.common.config" level="ERROR"/>
  </Loggers>
</Configuration>
"""


def install(tools_folder: Path) -> Path:
    """Puts the jars into `tools_folder/broker`; a second call returns at once."""

    def build(place: Path) -> None:
        maven.copy_dependencies(POM, place, log=tools_folder.parent / "logs" / "install-broker.log")

    return tools.install(tools_folder / "broker", tools.fingerprint(POM), build)


class Broker(Server):
    name: ClassVar[str] = "kafka"
    title: ClassVar[str] = "Kafka"
    niceness: ClassVar[int] = BEHIND_LIVE

    def __init__(self, home: Path, jars: Path, port: int, controller_port: int) -> None:
        """`jars` is what `install` returned."""
        super().__init__(home)
        self.port = port
        self.controller_port = controller_port
        self._jars = jars
        self._properties = self.folder / "server.properties"
        self._log4j = self.folder / "log4j2.xml"
        self.data = self.folder / "data"

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def ports(self) -> Sequence[Port]:
        return [Port(self.port), Port(self.controller_port)]

    def environment(self) -> dict[str, str]:
        return jdks.jdk("Kafka").environment()

    def command(self) -> Sequence[str]:
        return [*self._java("-Xms256m", "-Xmx512m"), "kafka.Kafka", str(self._properties)]

    def _java(self, *options: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self._log4j}"
        return [str(jdks.jdk("Kafka").java), *options, logging, "-cp", f"{self._jars}/*"]

    def prepare(self) -> None:
        self._log4j.write_text(_LOGGING)
        self._properties.write_text(
            _PROPERTIES.format(
                host=LOOPBACK,
                port=self.port,
                controller_port=self.controller_port,
                data=self.data,
                max_message_bytes=MAX_MESSAGE_BYTES,
                retention_bytes=RETENTION_BYTES,
            )
        )
        if not (self.data / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ["format", f"--cluster-id={cluster}", "-c", str(self._properties), "--standalone"]
        made = subprocess.run(
            [*self._java("-Xmx128m"), "kafka.tools.StorageTool", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise StartFailed(f"Kafka's storage cannot be formatted: {(made.stderr or made.stdout).strip()}")

    def health(self) -> Health:
        if not answers(LOOPBACK, self.port):
            return Health(False, f"nothing answers on {self.address}")
        try:
            # A broker that takes connections may still be without its controller: then it lists no broker.
            admin = self._admin(bootstrap_timeout_ms=1000, request_timeout_ms=1500)
            try:
                brokers = admin.describe_cluster()["brokers"]
                count = len(admin.list_topics())
            finally:
                admin.close()
        except (KafkaError, OSError) as error:
            return Health(False, f"{type(error).__name__} {error}".strip())
        return Health(bool(brokers), f"{count} topics" if brokers else "no broker has registered yet")

    def create_topics(self, shards: int, prefix: str = "f1") -> list[str]:
        """Creates what is missing of Pitlane's topics with a partition for each shard; returns all their names."""
        admin = self._admin()
        try:
            return topic_setup.create(admin, shards, prefix)
        finally:
            admin.close()

    def record_counts(self) -> dict[str, int]:
        """Topic → records that it holds, over all partitions; Kafka's own topics left out."""
        consumer = KafkaConsumer(bootstrap_servers=self.address)
        try:
            names = sorted(name for name in consumer.topics() if not name.startswith("__"))
            partitions = [
                TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name) or ()
            ]
            first, last = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        finally:
            consumer.close()
        return {name: sum(last[p] - first[p] for p in partitions if p.topic == name) for name in names}

    def _admin(self, **options: int) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self.address, **options)
