"""NiFi's home on disk, without a NiFi."""

import hashlib
import re
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nifi.runtime import home
from pitlane.tls import Files


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """As `install` leaves it, with one small NAR."""
    folder = tmp_path / "tools"
    lib = folder / home.NAME / "lib"
    lib.mkdir(parents=True)
    nar = lib / "nifi-standard-nar-2.3.0.nar"
    with zipfile.ZipFile(nar, "w") as packed:
        packed.writestr("META-INF/MANIFEST.MF", "Nar-Id: nifi-standard-nar\n")
        packed.writestr("META-INF/bundled-dependencies/a.jar", "jar")
    home.unpack(nar, folder / home.NAME / "unpacked" / "extensions")
    ours = folder / home.EXTENSIONS_NAME
    ours.mkdir()
    (ours / "pitlane-nifi-nar-0.1.0.nar").write_text("first")
    python = folder / home.PYTHON_NAME
    (python / "unpacked" / "extensions" / "pitlane-python-nar-0.1.0.nar-unpacked").mkdir(parents=True)
    (python / "pitlane-python-nar-0.1.0.nar").write_text("processors")
    return folder


def properties(place: Path) -> dict[str, str]:
    text = (place / "conf" / "nifi.properties").read_text()
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def test_an_unpacked_nar_is_as_nifi_leaves_it(tools: Path) -> None:
    folder = tools / "nifi/unpacked/extensions/nifi-standard-nar-2.3.0.nar-unpacked"
    nar = tools / "nifi/lib/nifi-standard-nar-2.3.0.nar"
    assert (folder / "nar-digest").read_bytes() == hashlib.sha256(nar.read_bytes()).digest()
    assert (folder / "NAR-INF/bundled-dependencies/a.jar").read_text() == "jar"
    assert (folder / "META-INF/MANIFEST.MF").exists()


def test_each_home_has_a_key_of_its_own_and_keeps_it(tools: Path, tmp_path: Path) -> None:
    keys = []
    for name in ("one", "two"):
        home.lay_out(tmp_path / name, tools, 1234)
        keys.append(properties(tmp_path / name)["nifi.sensitive.props.key"])
    assert keys[0] != keys[1]
    assert min(map(len, keys)) >= 32
    home.lay_out(tmp_path / "one", tools, 4321)
    assert properties(tmp_path / "one")["nifi.sensitive.props.key"] == keys[0]
    assert properties(tmp_path / "one")["nifi.web.http.port"] == "4321"
    assert (tmp_path / "one/conf/nifi.properties").stat().st_mode & 0o077 == 0


def test_nothing_is_left_to_fill_in_and_nobody_else_may_reach_the_api(tools: Path, tmp_path: Path) -> None:
    home.lay_out(tmp_path / "home", tools, 1234)
    for file in (tmp_path / "home/conf").iterdir():
        assert not re.search(r"@\w+@", file.read_text()), file
    assert properties(tmp_path / "home")["nifi.web.http.host"] == "127.0.0.1"


def test_over_https_nifi_wants_certificates_and_serves_nothing_else(tools: Path, tmp_path: Path) -> None:
    place, files = tmp_path / "home", Files(tmp_path / "tls")
    home.lay_out(place, tools, 1234)
    key = properties(place)["nifi.sensitive.props.key"]
    home.lay_out(place, tools, 1234, home.Secure(files, "first-password", "second-password"))
    secured = properties(place)
    assert (secured["nifi.web.http.host"], secured["nifi.web.http.port"]) == ("", "")
    assert (secured["nifi.web.https.host"], secured["nifi.web.https.port"]) == ("127.0.0.1", "1234")
    assert (secured["nifi.security.keystore"], secured["nifi.security.keystorePasswd"]) == (
        str(tmp_path / "tls/nifi.p12"),
        "first-password",
    )
    assert secured["nifi.security.truststorePasswd"] == "second-password"
    assert secured["nifi.sensitive.props.key"] == key, "what is encrypted with it stays readable"
    authorizers = ElementTree.parse(place / "conf/authorizers.xml")
    assert secured["nifi.security.user.authorizer"] in [
        each.text for each in authorizers.iterfind("authorizer/identifier")
    ]
    admins = [each.text for each in authorizers.iterfind(".//property[@name='Initial Admin Identity']")]
    assert admins == ["CN=operator"]

    home.lay_out(place, tools, 1234)
    plain = properties(place)
    assert (plain["nifi.web.http.port"], plain["nifi.web.https.port"]) == ("1234", "")
    assert not {plain[f"nifi.security.{name}"] for name in ("keystore", "keystorePasswd", "truststorePasswd")} - {""}


def test_a_home_links_to_what_it_shares_and_takes_the_newest_of_ours(tools: Path, tmp_path: Path) -> None:
    place = tmp_path / "home"
    home.lay_out(place, tools, 1234)
    assert (place / "lib").readlink() == tools / "nifi/lib"
    unpacked = place / "work/nar/extensions/nifi-standard-nar-2.3.0.nar-unpacked"
    assert unpacked.is_symlink()
    assert (unpacked / "nar-digest").exists()
    assert (place / "extensions/pitlane-nifi-nar-0.1.0.nar").read_text() == "first"
    # The Python processors take 65 MB with their libraries.
    python = "pitlane-python-nar-0.1.0.nar"
    assert (place / "extensions" / python).readlink() == tools / "nifi-python" / python
    assert (place / "work/nar/extensions" / f"{python}-unpacked").is_symlink()

    (tools / home.EXTENSIONS_NAME / "pitlane-nifi-nar-0.1.0.nar").write_text("second")
    (place / "extensions/somebody-elses.nar").write_text("stays")
    home.lay_out(place, tools, 1234)
    assert (place / "extensions/pitlane-nifi-nar-0.1.0.nar").read_text() == "second"
    assert (place / "extensions/somebody-elses.nar").exists()


def test_python_processors_run_on_the_python_whose_libraries_they_bring(tools: Path, tmp_path: Path) -> None:
    place = tmp_path / "home"
    home.lay_out(place, tools, 1234)
    assert properties(place)["nifi.python.command"] == sys.executable
    assert (place / "python").readlink() == tools / "nifi/python"
    assert (place / "python_extensions").is_dir()
