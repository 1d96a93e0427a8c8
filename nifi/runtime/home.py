"""NiFi 2.3.0 on disk: installed once for all (`install`), and a home for each NiFi that runs (`lay_out`).

    TOOLS/nifi/lib/               jars and NARs, from Maven Central
    TOOLS/nifi/unpacked/          the same NARs unpacked, as NiFi itself would on its first start
    TOOLS/nifi/python/            what NiFi runs Python processors with
    TOOLS/nifi-extensions/        our NAR, built from nifi/extensions; a change of its source builds only this again
    TOOLS/nifi-python/            the NAR of our Python processors, and unpacked

    HOME/conf/                    from nifi/runtime/conf, with this home's port and its own key for sensitive properties;
                                  NiFi adds its flow, and in users.xml and authorizations.xml who may do what over https
    HOME/lib, HOME/work/nar/…     links into TOOLS: a home takes no megabytes but for its data
    HOME/extensions/              our NARs, and whatever NARs a person drops there
    HOME/python_extensions/       whatever Python processors a person drops there
    HOME/*_repository, state …    NiFi's data

A home belongs to one installed NiFi; both only ever read what they share.
"""

import hashlib
import re
import secrets
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nifi.runtime import python_nar
from pitlane.stack import maven, tools
from pitlane.stack.ports import LOOPBACK
from pitlane.tls import Files

HERE = Path(__file__).resolve().parent
POMS = HERE / "poms"
CONF = HERE / "conf"
EXTENSIONS = HERE.parent / "extensions"

NAME = "nifi"
EXTENSIONS_NAME = "nifi-extensions"
PYTHON_NAME = "nifi-python"

# What NiFi calls the folder of a NAR's jars once it is unpacked.
_PACKED, _UNPACKED = "META-INF/bundled-dependencies", "NAR-INF/bundled-dependencies"
# A value to fill in, in a file of nifi/runtime/conf.
_PLACE = re.compile(r"@([a-z_]+)@")


class Secure(NamedTuple):
    """What NiFi needs to serve its API over https to certificates of the stack's CA."""

    files: Files
    keystore_password: str
    truststore_password: str


def _quiet(_: str) -> None:
    pass


def install(tools_folder: Path, say: Callable[[str], None] = _quiet) -> Path:
    """Installs NiFi and our NARs below `tools_folder` unless they are there; returns NiFi's folder.

    `say` gets a line of text before each long step. Raises `pitlane.stack.errors.Missing` (no JDK, no Maven) and
    `InstallFailed`.
    """
    poms = sorted(path for path in POMS.rglob("*") if path.is_file())
    place = tools_folder / NAME
    stamp = _fingerprint(poms, POMS)
    if not tools.is_installed(place, stamp):
        say("NiFi 2.3.0 from Maven Central (about 500 MB)")
        tools.install(place, stamp, lambda part: _gather(part, tools_folder.parent / "logs" / "install-nifi.log"))
    install_extensions(tools_folder, say)
    install_python(tools_folder, say)
    return place


def install_extensions(tools_folder: Path, say: Callable[[str], None] = _quiet) -> Path:
    """Builds our NAR unless it is built from the same sources; returns the folder that holds it."""
    sources = [path for path in EXTENSIONS.rglob("*") if path.is_file() and _is_source(path)]
    place = tools_folder / EXTENSIONS_NAME
    stamp = _fingerprint(sorted(sources), EXTENSIONS)
    if not tools.is_installed(place, stamp):
        say("Pitlane's NiFi extensions")
        tools.install(
            place, stamp, lambda part: _build(part, tools_folder.parent / "logs" / "install-nifi-extensions.log")
        )
    return place


def install_python(tools_folder: Path, say: Callable[[str], None] = _quiet) -> Path:
    """Packs our Python processors for this Python unless they are packed; returns the folder that holds their NAR."""
    place = tools_folder / PYTHON_NAME
    sources = [*python_nar.sources(), Path(python_nar.__file__)]
    stamp = tools.fingerprint(python_nar.platform_tag(), _fingerprint(sources, python_nar.REPOSITORY))
    if not tools.is_installed(place, stamp):
        say("Pitlane's Python processors")
        tools.install(place, stamp, _pack)
    return place


def _pack(part: Path) -> None:
    unpack(python_nar.build(part), part / "unpacked" / "extensions")


def _is_source(path: Path) -> bool:
    return not {"target", "test"} & set(path.relative_to(EXTENSIONS).parts)


def _fingerprint(paths: list[Path], root: Path) -> str:
    return tools.fingerprint(*(part for path in paths for part in (str(path.relative_to(root)), path)))


def _gather(part: Path, log: Path) -> None:
    # Built in a copy: the sources may lie in a folder that is not ours to write to.
    build = part / "build"
    shutil.copytree(POMS, build)
    maven.run(build / "pom.xml", "package", "-Dmaven.test.skip", log=log)
    (build / "lib" / "target" / "python").replace(part / "python")
    lib = part / "lib"
    lib.mkdir()
    for pattern in ("lib/target/*.jar", "lib/target/*.nar", "*-nar/target/*.nar"):
        for file in build.glob(pattern):
            file.replace(lib / file.name)
    shutil.rmtree(build)
    for nar in lib.glob("*.nar"):
        unpack(nar, part / "unpacked" / _working_folder(nar))


def _build(part: Path, log: Path) -> None:
    build = part / "build"
    shutil.copytree(EXTENSIONS, build, ignore=shutil.ignore_patterns("target", "test"))
    maven.run(build / "pom.xml", "package", "-DskipTests", "-Dmaven.test.skip", log=log)
    for nar in build.glob("nar/target/*.nar"):
        nar.replace(part / nar.name)
    shutil.rmtree(build)


def unpack(nar: Path, into: Path) -> Path:
    """Unpacks a NAR the way NiFi does on its first start; returns the folder that NiFi then takes as it is.

    NiFi compares `nar-digest` with the SHA-256 of the NAR and unpacks again only when they differ.
    """
    folder = into / f"{nar.name}-unpacked"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(nar) as packed:
        for entry in packed.infolist():
            entry.filename = entry.filename.replace(_PACKED, _UNPACKED)
            packed.extract(entry, folder)
    with nar.open("rb") as content:
        (folder / "nar-digest").write_bytes(hashlib.file_digest(content, "sha256").digest())
    return folder


def _working_folder(nar: Path) -> str:
    """Below work/nar: NiFi keeps the framework apart from everything else."""
    return "framework" if nar.name.startswith("nifi-framework-nar-") else "extensions"


def lay_out(home: Path, tools_folder: Path, port: int, secure: Secure | None = None) -> None:
    """Makes or refreshes a home for the NiFi in `tools_folder`, which `install` made. Data and keys in it stay.

    The API is served on `port` of this machine, to everybody there or, `secure`, to who has a certificate. Refreshing
    takes what changed in nifi/runtime/conf and in our NARs; call it while the home's NiFi is stopped.
    """
    for folder in ("conf", "extensions", "python_extensions", "work/nar/framework", "work/nar/extensions"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    installed = tools_folder / NAME
    _link(home / "lib", installed / "lib")
    _link(home / "python", installed / "python")
    for tool in (installed, tools_folder / PYTHON_NAME):
        for unpacked in sorted(tool.glob("unpacked/*/*")):
            _link(home / "work" / "nar" / unpacked.relative_to(tool / "unpacked"), unpacked)
    for nar in (tools_folder / EXTENSIONS_NAME).glob("*.nar"):
        # A copy, as NiFi watches the files of this folder and deletes what is taken out on the canvas.
        shutil.copyfile(nar, home / "extensions" / nar.name)
    for nar in (tools_folder / PYTHON_NAME).glob("*.nar"):
        _link(home / "extensions" / nar.name, nar)
    values = {"sensitive_key": _sensitive_key(home), "python": sys.executable, **_web(port, secure)}
    for template in CONF.iterdir():
        target = home / "conf" / template.name
        target.touch(mode=0o600)
        target.write_text(_PLACE.sub(lambda match: values[match.group(1)], template.read_text()))


def _web(port: int, secure: Secure | None) -> dict[str, str]:
    """The places in nifi.properties that say how the API is served; one that is not used is empty."""
    plain = {"http_host": "", "http_port": ""} if secure else {"http_host": LOOPBACK, "http_port": str(port)}
    if secure is None:
        names = ("https_host", "https_port", "keystore", "keystore_password", "truststore", "truststore_password")
        return plain | dict.fromkeys((*names, "authorizer"), "")
    return plain | {
        "https_host": LOOPBACK,
        "https_port": str(port),
        "keystore": str(secure.files.keystore),
        "keystore_password": secure.keystore_password,
        "truststore": str(secure.files.truststore),
        "truststore_password": secure.truststore_password,
        "authorizer": "managed-authorizer",
    }


def _sensitive_key(home: Path) -> str:
    """The key of this home's encrypted properties: made once, as what it encrypted stays in the home's flow."""
    properties = home / "conf" / "nifi.properties"
    before = properties.read_text() if properties.exists() else ""
    match = re.search(r"^nifi\.sensitive\.props\.key=(\S+)$", before, re.MULTILINE)
    return match.group(1) if match else secrets.token_urlsafe(32)


def _link(link: Path, target: Path) -> None:
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    elif link.exists():  # NiFi unpacked it here itself, before the install did
        shutil.rmtree(link)
    link.symlink_to(target)
