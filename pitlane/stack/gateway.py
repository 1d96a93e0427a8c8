"""The gateway as a child process."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pitlane.settings import REPOSITORY
from pitlane.stack import environment
from pitlane.stack.ports import LOOPBACK, Port, Ports
from pitlane.stack.server import Health, Server, fetch


class GatewayServer(Server):
    name: ClassVar[str] = "gateway"
    title: ClassVar[str] = "Gateway"

    def __init__(self, home: Path, ports: Ports, udp_host: str, env_file: Path) -> None:
        super().__init__(home)
        self._ports = ports
        self._udp_host = udp_host
        self._env_file = env_file

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._ports.gateway}"

    @property
    def address(self) -> str:
        return f"UDP {self._udp_host}:{self._ports.udp}, {self.url}"

    def ports(self) -> Sequence[Port]:
        return Port(self._ports.udp, "udp", self._udp_host), Port(self._ports.gateway)

    def command(self) -> Sequence[str]:
        return sys.executable, "-m", "udp_gateway"

    def environment(self) -> Mapping[str, str]:
        return environment.for_child(self._env_file, self.home) | {"PYTHONPATH": str(REPOSITORY)}

    def status(self) -> dict[str, Any]:
        """What its `/status` says; OSError when it does not answer."""
        token = environment.read(self._env_file).get("PITLANE_LIVE_TOKEN", "")
        status: dict[str, Any] = json.loads(fetch(f"{self.url}/status", token=token))
        return status

    def health(self) -> Health:
        try:
            status = self.status()
        except (OSError, ValueError) as error:
            return Health(False, str(error))
        return Health(True, f"{status['received']:,} datagrams")
