"""PostgreSQL as a child process, from the embedded binaries on Maven Central.

The server refuses to run as root. Root therefore runs it as `nobody`, which must be able to reach its programs and
data: below a folder that only root may enter (a clone in /root) both go to a folder of their own in /var/tmp.
"""

import functools
import hashlib
import os
import platform
import pwd
import shutil
import signal
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import psycopg

from pitlane.stack import bootstrap, maven, tools
from pitlane.stack.errors import InstallFailed, Missing, StackError, StartFailed
from pitlane.stack.ports import LOOPBACK, Port
from pitlane.stack.server import Health, Server

POM = maven.POMS / "postgres.xml"
SUPERUSER = "postgres"
UNPRIVILEGED = "nobody"

_PLATFORMS = {
    ("Linux", "x86_64"): "linux-amd64",
    ("Linux", "aarch64"): "linux-arm64v8",
    ("Darwin", "x86_64"): "darwin-amd64",
    ("Darwin", "arm64"): "darwin-arm64v8",
}


def install(tools_folder: Path) -> Path:
    """Puts `bin`, `lib` and `share` into `tools_folder/postgres`; a second call returns at once."""
    machine = platform.system(), platform.machine()
    if machine not in _PLATFORMS:
        raise Missing(f"there is no embedded PostgreSQL for {' '.join(machine)}", "docker compose up runs anywhere")

    def build(place: Path) -> None:
        jars = place / "jars"
        arguments = f"-Dplatform={_PLATFORMS[machine]}"
        log = tools_folder.parent / "logs" / "install-postgres.log"
        (jar,) = maven.copy_dependencies(POM, jars, arguments, log=log)
        with zipfile.ZipFile(jar) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".txz"))
            try:
                with archive.open(name) as packed, tarfile.open(fileobj=packed, mode="r:xz") as programs:
                    programs.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later
                    wanted = (m for m in programs if not m.name.endswith((".a", ".pc")))  # 20 MB for linking
                    programs.extractall(place, members=wanted)  # noqa: S202 (filtered above)
            except tarfile.CompressionError as error:
                raise InstallFailed(
                    f"cannot unpack PostgreSQL: {error}", "this Python lacks the lzma module"
                ) from error
        shutil.rmtree(jars)

    return tools.install(tools_folder / "postgres", tools.fingerprint(POM, *machine), build)


class PostgresServer(Server):
    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "PostgreSQL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    """Fast shutdown: open connections are cut, nothing committed is lost."""

    def __init__(self, home: Path, programs: Path, port: int, password: str) -> None:
        """`programs` is what `install` returned; `password` becomes the superuser's when the data folder is made."""
        super().__init__(home)
        self.port = port
        self._installed = programs
        self._password = password

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def conninfo(self, database: str = "postgres") -> str:
        """libpq connection string of the superuser."""
        return psycopg.conninfo.make_conninfo(
            host=LOOPBACK, port=self.port, dbname=database, user=SUPERUSER, password=self._password, connect_timeout=2
        )

    @functools.cached_property
    def place(self) -> Path:
        """The folder of the data, and of a copy of the programs where the server's user cannot reach the installed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._as_user or (_reaches(self._as_user, self.folder) and _reaches(self._as_user, self._installed)):
            return self.folder
        digest = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:12]
        return Path("/var/tmp") / f"pitlane-postgres-{digest}"  # noqa: S108 (see _make_private_place)

    @property
    def working_folder(self) -> Path:
        return self.place

    @property
    def data(self) -> Path:
        return self.place / "data"

    @functools.cached_property
    def _as_user(self) -> list[str]:
        """What goes before a command so that it does not run as root; nothing for an ordinary user."""
        if os.geteuid() != 0:
            return []
        account = pwd.getpwnam(UNPRIVILEGED)
        return [bootstrap.setpriv(), f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--"]

    @property
    def _bin(self) -> Path:
        return (self._installed if self.place == self.folder else self.place / "programs") / "bin"

    def command(self) -> Sequence[str]:
        options = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 80,
            "shared_buffers": "128MB",
            "max_wal_size": "512MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [*self._as_user, str(self._bin / "postgres"), "-D", str(self.data), *flags]

    def ports(self) -> Sequence[Port]:
        return [Port(self.port)]

    def prepare(self) -> None:
        if self.place != self.folder:
            self._make_private_place()
        if not self.data.exists():
            self._initdb()

    def health(self) -> Health:
        try:
            with psycopg.connect(self.conninfo()) as connection:
                version = connection.info.server_version
        except psycopg.Error as error:
            return Health(False, str(error).strip().splitlines()[0])
        return Health(True, f"PostgreSQL {version // 10000}.{version % 10000}")

    def remove(self) -> None:
        """Deletes the data of the stopped server, wherever it lies."""
        for folder in {self.folder, self.place}:
            shutil.rmtree(folder, ignore_errors=True)

    def _make_private_place(self) -> None:
        # Its name can be guessed and /var/tmp is everybody's, so a folder that is there must be root's own.
        self.place.mkdir(mode=0o755, exist_ok=True)
        found = self.place.lstat()
        if self.place.is_symlink() or found.st_uid != 0 or found.st_mode & 0o022:
            raise StackError(f"{self.place} is not root's own", "delete it, or clone to a folder that others may enter")

        def copy(part: Path) -> None:
            shutil.copytree(self._installed, part, symlinks=True, dirs_exist_ok=True)

        tools.install(self.place / "programs", (self._installed / tools.STAMP).read_text(), copy)

    def _initdb(self) -> None:
        """Into a folder beside its place, renamed when complete, so a killed initdb is no data folder."""
        part = self.place / "data.part"
        password = self.place / "password"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        password.unlink(missing_ok=True)
        with os.fdopen(os.open(password, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as secret:
            secret.write(self._password)
        if self._as_user:
            account = pwd.getpwnam(UNPRIVILEGED)
            for path in (part, password):
                os.chown(path, account.pw_uid, account.pw_gid)
        initdb = [str(self._bin / "initdb"), "-D", str(part), "-U", SUPERUSER, f"--pwfile={password}"]
        # The collation compares bytes on every system alike, and the server's own locale provider needs no library.
        layout = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            made = subprocess.run(
                [*self._as_user, *initdb, *layout, "--locale=C"],
                cwd=self.place,
                env={"PATH": os.environ.get("PATH", os.defpath)},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            password.unlink()
        if made.returncode:
            raise StartFailed(f"initdb failed: {made.stderr.strip()}")
        part.rename(self.data)


def _reaches(as_user: Sequence[str], folder: Path) -> bool:
    """Whether that user may enter the folder, every parent included."""
    asked = subprocess.run([*as_user, "test", "-x", str(folder)], cwd="/", capture_output=True, check=False)
    return asked.returncode == 0
