"""Superset as a child process, in an environment of its own."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pitlane.settings import HOME, REPOSITORY
from pitlane.stack import environment, tools
from pitlane.stack.errors import StartFailed
from pitlane.stack.ports import LOOPBACK, Port
from pitlane.stack.server import BEHIND_LIVE, Health, Server, fetch

SOURCES = REPOSITORY / "superset"
PROGRAMS = HOME / "superset-venv" / "bin"

SETTINGS = (
    "PITLANE_POSTGRES_HOST",
    "PITLANE_POSTGRES_PORT",
    "PITLANE_POSTGRES_DATABASE",
    "PITLANE_SUPERSET_PORT",
    "PITLANE_SUPERSET_DATABASE_PASSWORD",
    "PITLANE_SUPERSET_SECRET_KEY",
)
"""What the server reads of the stack's settings: no password of anybody else."""
SETUP_SETTINGS = ("PITLANE_SUPERSET_ADMIN_PASSWORD", "PITLANE_POSTGRES_READER_PASSWORD")
"""What the import of the dashboards needs beside them."""


class SupersetServer(Server):
    name: ClassVar[str] = "superset"
    title: ClassVar[str] = "Superset"
    niceness: ClassVar[int] = BEHIND_LIVE

    def __init__(self, home: Path, port: int, env_file: Path) -> None:
        super().__init__(home)
        self.port = port
        self._env_file = env_file
        self._imported = self.folder / "imported"

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def ports(self) -> Sequence[Port]:
        return [Port(self.port)]

    def command(self) -> Sequence[str]:
        # Never --preload: workers would share one connection to Postgres, and charts fail.
        workers = ["--workers", "2", "--worker-class", "gthread", "--threads", "8", "--timeout", "120"]
        bind = ["--bind", f"{LOOPBACK}:{self.port}"]
        return [str(PROGRAMS / "gunicorn"), *workers, *bind, "superset.app:create_app()"]

    def environment(self) -> Mapping[str, str]:
        return self._environment(SETTINGS)

    def _environment(self, names: Sequence[str]) -> dict[str, str]:
        # Superset's environment has no pydantic-settings: its configuration reads plain variables.
        values = environment.read(self._env_file)
        kept = environment.for_child(self._env_file, self.home) | {n: values[n] for n in names if n in values}
        kept.pop("PYTHONPATH", None)
        return kept | {"SUPERSET_CONFIG_PATH": str(SOURCES / "superset_config.py")}

    def import_assets(self) -> str:
        """Metadata tables, roles, the admin and the dashboards; skipped while nothing of it has changed.

        Skipped also for the sake of those who edit a dashboard in Superset: a mere restart does not undo it.
        """
        sources = sorted(path for path in SOURCES.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        stamp = tools.fingerprint(*sources, self._env_file)
        if self._imported.exists() and self._imported.read_text() == stamp:
            return "unchanged"
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.home / "logs" / "superset-import.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(PROGRAMS / "python"), str(SOURCES / "bootstrap.py")]
        with log.open("wb") as output:
            ended = subprocess.run(
                command,
                cwd=self.folder,
                env=self._environment(SETTINGS + SETUP_SETTINGS),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if ended.returncode:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise StartFailed(f"Superset's assets cannot be imported: {' '.join(last)}", f"its log is {log}")
        self._imported.write_text(stamp)
        return "imported"

    def health(self) -> Health:
        try:
            text = fetch(f"{self.address}/health").decode().strip()
        except OSError as error:
            return Health(False, str(error))
        return Health(text == "OK", "answers" if text == "OK" else text)
