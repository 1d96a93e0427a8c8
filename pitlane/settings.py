"""Every setting of every program, once. Names are the same natively and in Compose.

Values come from the environment (`PITLANE_…`), then from the file that PITLANE_ENV_FILE names: `pitlane up`
writes it for its stack with all addresses and generated passwords (default `.pitlane/stack/env`).
"""

import os
from pathlib import Path
from ssl import SSLContext
from typing import Annotated

from psycopg.conninfo import make_conninfo
from pydantic import BeforeValidator, Field, IPvAnyNetwork, PositiveFloat, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from pitlane.tls import client_context

REPOSITORY = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("PITLANE_HOME", REPOSITORY / ".pitlane")).resolve()
STACK_HOME = Path(os.environ.get("PITLANE_STACK_HOME", HOME / "stack")).resolve()
ENV_FILE = Path(os.environ.get("PITLANE_ENV_FILE", STACK_HOME / "env"))


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="PITLANE_", env_file=ENV_FILE, extra="ignore", frozen=True, use_attribute_docstrings=True
    )


class ShardSettings(Settings):
    shards: int = 2
    """Partitions of each topic; a rig always lands in the same one."""


class KafkaSettings(ShardSettings):
    kafka_bootstrap: str = "127.0.0.1:20783"
    """Brokers, comma-separated."""
    topic_prefix: str = "f1"


class PostgresSettings(Settings):
    postgres_host: str = "127.0.0.1"
    postgres_port: int = 20785
    postgres_database: str = "pitlane"
    postgres_owner_password: SecretStr = SecretStr("")
    postgres_gateway_password: SecretStr = SecretStr("")
    postgres_spark_password: SecretStr = SecretStr("")
    postgres_reader_password: SecretStr = SecretStr("")

    def conninfo(self, role: str) -> str:
        """libpq connection string of role `owner`, `gateway`, `spark` or `reader`."""
        password: SecretStr = getattr(self, f"postgres_{role}_password")
        return make_conninfo(
            host=self.postgres_host,
            port=self.postgres_port,
            dbname=self.postgres_database,
            user=f"pitlane_{role}",
            password=password.get_secret_value(),
            application_name=f"pitlane_{role}",
        )


class StoreSettings(Settings):
    nifi_keystore_password: SecretStr = SecretStr("")
    nifi_truststore_password: SecretStr = SecretStr("")


class CertificateSettings(StoreSettings):
    tls: Path = STACK_HOME / "tls"
    """Folder of the CA and the certificates that `pitlane up` makes."""
    nifi_names: list[str] = []
    """More names and addresses of NiFi for its certificate, beside 127.0.0.1, ::1, localhost, nifi and this machine's."""
    operator_password: SecretStr = SecretStr("")
    """Opens operator.p12, the certificate of NiFi's API for a browser."""


class BlocksSettings(Settings):
    nifi_blocks_ca: Path | None = None
    """PEM file of the CA of the NiFi that takes blocks over https; unset: the system's CAs."""
    nifi_blocks_certificate: Path | None = None
    """PEM file of the certificate that blocks are posted with; unset for a NiFi that takes them from everybody."""
    nifi_blocks_key: Path | None = None
    """PEM file of its key."""

    def blocks_context(self) -> SSLContext:
        """TLS with NiFi where it takes blocks. Raises `pitlane.tls.Unreadable`."""
        return client_context(self.nifi_blocks_ca, self.nifi_blocks_certificate, self.nifi_blocks_key)


class NifiSettings(KafkaSettings, StoreSettings, BlocksSettings):
    nifi_secure: bool = False
    """NiFi of `pitlane up`: its API and canvas over https, for client certificates of the stack's own CA only."""
    nifi_url: str = "http://127.0.0.1:20781/nifi-api"
    nifi_username: str = ""
    """Log-in of a NiFi that asks for one, over https; empty for one that does not."""
    nifi_password: SecretStr = SecretStr("")
    nifi_certificate: Path | None = None
    """PEM file of the certificates to trust instead of the system's: NiFi's own, where it signs itself, or a CA's."""
    nifi_client_certificate: Path | None = None
    """PEM file of the certificate to log in with, instead of a user's name."""
    nifi_client_key: Path | None = None
    """PEM file of its private key, unless the certificate's file holds it too."""
    nifi_token: SecretStr = SecretStr("")
    """Bearer token, instead of user and password."""
    nifi_profile: str = ""
    """Profile of nipyapi (~/.nipyapi/profiles.yml) that says where NiFi is and how to log in, instead of all above."""
    nifi_flows: Path = REPOSITORY / "nifi" / "flow"
    """Folder of the flow's versions as NiFi sees it; unset for the repository's. Commits write there."""
    nifi_listen_port: int = 20782
    nifi_listen_path: str = "blocks"
    nifi_keystore: str = ""
    """PKCS#12 file, as NiFi sees it, of the certificate and key that it takes blocks with."""
    nifi_truststore: str = ""
    """PKCS#12 file, as NiFi sees it, of the CA whose certificates may post blocks."""
    nifi_sender: str = "CN=gateway"
    """Regular expression for the name (DN) in a certificate that may post blocks."""


class GatewaySettings(PostgresSettings, ShardSettings, BlocksSettings):
    udp_host: str = "127.0.0.1"
    """0.0.0.0 for rigs and consoles elsewhere in the network."""
    udp_port: int = 20777
    """Where the game sends to."""
    http_host: str = "127.0.0.1"
    """0.0.0.0 for live pages elsewhere in the network; then set PITLANE_LIVE_TOKEN."""
    http_port: int = 20780
    """Live page, WebSocket and status."""
    nifi_blocks_url: str = "http://127.0.0.1:20782/blocks"
    block_interval_ms: int = 100
    """How long datagrams are gathered into a block, unless it reaches block_bytes before."""
    block_bytes: int = 256 * 1024
    receive_buffer_bytes: int = 8 * 1024 * 1024
    """Asked of the kernel; Linux gives at most net.core.rmem_max."""
    udp_reuse_port: bool = False
    """Several gateways on one UDP port: the kernel gives each source to one of them."""
    allowed_sources: list[IPvAnyNetwork] | None = None
    """Addresses and networks that may send, as ["192.168.1.0/24"]; unset or null is everybody, [] nobody."""
    source_rate: Annotated[int, Field(ge=0)] = 25_000
    """Datagrams a second that one source may send; a rig at 60 Hz sends 415. 0 is no limit."""
    spool: Path = STACK_HOME / "gateway" / "spool"
    """Folder of what waits for NiFi and Postgres; each gateway needs one of its own."""
    spool_bytes: Annotated[int, Field(ge=1024**2)] = 4 * 1024**3
    """What may wait for NiFi, and a sixteenth of it more for Postgres; beyond it the oldest are dropped and counted."""
    spool_sync_ms: Annotated[int, Field(ge=0)] = 100
    """How often the spool is synced to disk, at most; what a failing machine can lose."""
    live_rate_hz: PositiveFloat = 60
    """Most frames a second that a viewer gets."""
    live_viewers: int = 200
    """WebSocket viewers at once."""
    live_token: SecretStr = SecretStr("")
    """Needed for live data, status and metrics when set: `?token=…` or `Authorization: Bearer …`."""
    http_hosts: list[str] = []
    """Names in a Host header that are served beside addresses and localhost, such as a container's."""
    http_origins: list[str] = []
    """Origins of other web pages that may open the live WebSocket."""
    grafana_url: str = ""
    """Grafana that gets the live numbers pushed, such as http://127.0.0.1:3000; empty for none."""
    grafana_token: SecretStr = SecretStr("")
    """Of a service account with the role Admin."""
    grafana_stream: str = "pitlane"
    """Panels find the numbers in the channel stream/NAME/car."""
    grafana_rate_hz: PositiveFloat = 10
    """Most pushes a second; each has the newest frame of every rig."""
    relay: list[str] = []
    """UDP targets that get every datagram as received: ["192.168.1.20:20777", "[::1]:20888"]."""
    rigs: dict[str, str] = {}
    """Source address → rig name; an unnamed source is its address."""
    shutdown_s: float = 5
    """How long a stop waits for NiFi and Postgres to take what is left."""
    log_level: str = "info"


class SparkSettings(KafkaSettings, PostgresSettings):
    spark_master: str = "local[2]"
    """local[2], spark://HOST:PORT, yarn …"""
    spark_trigger_s: float = 1.0
    """Seconds from one micro-batch to the next."""
    spark_jars: Path = HOME / "tools" / "spark-jars"
    spark_checkpoint: Path = STACK_HOME / "spark-checkpoint"
    spark_archive: Annotated[Path | None, BeforeValidator(lambda folder: folder or None)] = STACK_HOME / "spark-archive"
    """Folder of the raw archive, which all workers see; empty for none (docs/rebuild.md)."""
    spark_archive_trigger_s: float = 30.0
    """Seconds from one file of the archive to the next, for each packet."""
    spark_driver_memory: str = "1g"
    spark_max_blocks_per_batch: int = 2000
    """Bounds a micro-batch's memory: a block has up to 256 KiB, mostly far less."""
    spark_options: dict[str, str] = {}
    """Spark's own options, for a cluster: {"spark.executor.memory": "4g", "spark.cores.max": "8"}"""
    spark_host: str = "127.0.0.1"
    spark_port: int = 20788
    """Where the stream answers Prometheus (docs/metrics.md)."""


class SupersetSettings(PostgresSettings):
    superset_port: int = 20786
    superset_admin_password: SecretStr = SecretStr("")
    superset_secret_key: SecretStr = SecretStr("")
    superset_database_password: SecretStr = SecretStr("")


class HistorySettings(PostgresSettings):
    history_trace_days: Annotated[int, Field(ge=1)] | None = None
    """`pitlane history prune` deletes the traces of sessions that ended so many days ago; unset keeps them."""
    history_days: Annotated[int, Field(ge=1)] | None = None
    """It deletes all of sessions that ended so many days ago; unset keeps them."""


class MigrationSettings(SupersetSettings):
    postgres_superuser: SecretStr = SecretStr("host=127.0.0.1 port=20785 user=postgres dbname=postgres")
    """libpq connection string of the superuser, for `python -m postgres.migrate`."""
