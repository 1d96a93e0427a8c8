"""A running NiFi as a part of a stack."""

import json
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import ClassVar

from nifi.runtime import home as nifi_home
from pitlane import tls
from pitlane.stack import jdks
from pitlane.stack.ports import LOOPBACK, Port
from pitlane.stack.server import BEHIND_LIVE, Health, Server

SAVED_S = 1.0
"""NiFi looks every half a second whether its flow has changed, and then writes it."""


class NifiServer(Server):
    """NiFi on 127.0.0.1: REST API and canvas on `http_port`, its management server on `management_port`.

    `listen_port` is where the flow's ListenHTTP will listen once it is deployed. ListenHTTP binds every interface and
    has no property for that: the certificate that it asks for keeps others out. `secure`: API and canvas over https,
    for certificates of the stack's CA only.
    """

    name: ClassVar[str] = "nifi"
    title: ClassVar[str] = "NiFi"
    niceness: ClassVar[int] = BEHIND_LIVE

    def __init__(
        self,
        home: Path,
        tools: Path,
        *,
        http_port: int,
        management_port: int,
        listen_port: int,
        secure: nifi_home.Secure | None = None,
        heap_mb: int = 1024,
    ) -> None:
        super().__init__(home)
        self.tools = tools
        self.http_port = http_port
        self.management_port = management_port
        self.listen_port = listen_port
        self.secure = secure
        self.heap_mb = heap_mb

    @property
    def address(self) -> str:
        return f"{'https' if self.secure else 'http'}://{LOOPBACK}:{self.http_port}/nifi"

    def ports(self) -> Sequence[Port]:
        return (Port(self.http_port), Port(self.management_port), Port(self.listen_port, host=""))

    def prepare(self) -> None:
        nifi_home.lay_out(self.folder, self.tools, self.http_port, self.secure)

    def stop(self, timeout_s: float | None = None) -> None:
        # What it has not written by then NiFi 2.3 writes when it has stopped all processors, and starts with them stopped.
        if self.process() is not None:
            time.sleep(SAVED_S)
        super().stop(timeout_s)

    def command(self) -> Sequence[str]:
        return (
            str(jdks.jdk("NiFi").java),
            f"-Xms{min(512, self.heap_mb)}m",
            f"-Xmx{self.heap_mb}m",
            # a heap this small on two cores: G1 would take 140 MB and its own threads for nothing
            "-XX:+UseSerialGC",
            # JDK 24 and newer would warn of native access by parts of NiFi; a JDK 21 knows the option too
            "--enable-native-access=ALL-UNNAMED",
            f"-Dnifi.properties.file.path={self.folder / 'conf' / 'nifi.properties'}",
            f"-Dorg.apache.nifi.management.server.address={LOOPBACK}:{self.management_port}",
            "-Djava.awt.headless=true",
            "-cp",
            f"{self.folder / 'conf'}:{self.folder / 'lib'}/*",
            "org.apache.nifi.NiFi",
        )

    def environment(self) -> Mapping[str, str]:
        return jdks.jdk("NiFi").environment()

    def health(self) -> Health:
        try:
            connection = self._connection()
        except tls.Unreadable as error:
            return Health(False, str(error))
        try:
            connection.request("GET", "/nifi-api/flow/about")
            return Health(True, f"NiFi {json.load(connection.getresponse())['about']['version']}")
        except (OSError, HTTPException, ValueError, KeyError) as error:
            return Health(False, tls.told(error) or str(error))
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if self.secure is None:
            return HTTPConnection(LOOPBACK, self.http_port, timeout=1)
        files = self.secure.files
        context = tls.client_context(files.ca, files.certificate(tls.OPERATOR), files.key(tls.OPERATOR))
        return HTTPSConnection(LOOPBACK, self.http_port, timeout=1, context=context)
