"""The stack's certificates, looked at by others: the openssl command line, and the keytool of the JDK that runs NiFi."""

import os
import re
import socket
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitlane import certificates
from pitlane.certificates import CaUnusable, ensure
from pitlane.keystores import PasswordMissing
from pitlane.settings import CertificateSettings
from pitlane.stack import jdks

KEYSTORE, TRUSTSTORE, BROWSER = "keystore-password", "truststore-password", "browser-password"
NOW = datetime.now(UTC)


def settings(folder: Path, **changed: object) -> CertificateSettings:
    values: dict[str, object] = {
        "tls": folder,
        "nifi_keystore_password": KEYSTORE,
        "nifi_truststore_password": TRUSTSTORE,
        "operator_password": BROWSER,
        **changed,
    }
    return CertificateSettings(_env_file=None, **values)


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    folder = tmp_path / "tls"
    ensure(settings(folder))
    return folder


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)


def verify(folder: Path, role: str, purpose: str, at: datetime = NOW, ca: Path | None = None) -> bool:
    """`openssl verify`, by the letter of RFC 5280."""
    when = ("-x509_strict", "-attime", str(int(at.timestamp())))
    return not run(
        "openssl", "verify", "-CAfile", ca or folder / "ca.pem", "-purpose", purpose, *when, folder / f"{role}.pem"
    ).returncode


def keytool(store: Path, password: str) -> subprocess.CompletedProcess[str]:
    program = jdks.jdk("NiFi").home / "bin" / "keytool"
    return run(program, "-J-Duser.language=en", "-list", "-v", "-keystore", store, "-storepass", password)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def changed(before: dict[str, bytes], folder: Path) -> set[str]:
    after = contents(folder)
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


ROLE_FILES = {
    "nifi.pem",
    "nifi.key",
    "nifi.p12",
    "gateway.pem",
    "gateway.key",
    "operator.pem",
    "operator.key",
    "operator.p12",
}


def test_each_certificate_is_good_for_its_purpose_and_no_other(tls: Path) -> None:
    assert verify(tls, "nifi", "sslserver")
    assert not verify(tls, "nifi", "sslclient")
    for role in ("gateway", "operator"):
        assert verify(tls, role, "sslclient")
        assert not verify(tls, role, "sslserver")
    subjects = [
        run("openssl", "x509", "-noout", "-subject", "-in", tls / f"{role}.pem").stdout
        for role in ("gateway", "operator")
    ]
    assert subjects == ["subject=CN = gateway\n", "subject=CN = operator\n"]


def test_another_ca_is_not_the_same(tls: Path, tmp_path: Path) -> None:
    ensure(settings(tmp_path / "other"))
    assert not verify(tls, "gateway", "sslclient", ca=tmp_path / "other" / "ca.pem")


def test_no_role_can_sign(tls: Path, tmp_path: Path) -> None:
    request, forged = tmp_path / "request", tmp_path / "forged.pem"
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=gateway",
        "-keyout", tmp_path / "key", "-out", request)  # fmt: skip
    signed = run("openssl", "x509", "-req", "-in", request, "-CA", tls / "operator.pem", "-CAkey", tls / "operator.key",
                 "-days", "1", "-out", forged)  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    chain = ("-untrusted", tls / "operator.pem")
    assert run("openssl", "verify", "-CAfile", tls / "ca.pem", *chain, forged).returncode != 0


@pytest.mark.parametrize(
    ("kind", "name", "matches"),
    [
        ("ip", "127.0.0.1", True),
        ("ip", "::1", True),
        ("ip", "192.0.2.1", False),
        ("host", "localhost", True),
        ("host", "nifi", True),
        ("host", socket.gethostname(), True),
        ("host", "example.org", False),
    ],
)
def test_nifi_is_known_by_its_names(tls: Path, kind: str, name: str, matches: bool) -> None:
    told = run("openssl", "x509", "-noout", f"-check{kind}", name, "-in", tls / "nifi.pem").stdout
    assert ("does match" in told) == matches, told


def test_java_reads_both_stores(tls: Path) -> None:
    keystore, truststore = keytool(tls / "nifi.p12", KEYSTORE), keytool(tls / "trusted.p12", TRUSTSTORE)
    assert "Entry type: PrivateKeyEntry" in keystore.stdout, keystore.stdout
    assert "Certificate chain length: 2" in keystore.stdout
    assert re.findall(r"^Owner: (.*)", keystore.stdout, re.MULTILINE)[0] == "CN=nifi"
    assert "Entry type: trustedCertEntry" in truststore.stdout, truststore.stdout
    assert "PrivateKeyEntry" not in truststore.stdout
    for store in ("nifi.p12", "trusted.p12"):
        assert keytool(tls / store, "another-password").returncode != 0


def test_the_operators_store_is_what_a_browser_imports(tls: Path) -> None:
    opened = run("openssl", "pkcs12", "-in", tls / "operator.p12", "-passin", f"pass:{BROWSER}", "-nodes")
    assert opened.returncode == 0, opened.stderr
    assert (tls / "operator.key").read_text() in opened.stdout
    assert (tls / "operator.pem").read_text() in opened.stdout


def test_keys_and_stores_are_for_the_owners_eyes(tls: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tls.iterdir()}
    secret = {name for name in modes if name.endswith((".key", ".p12"))}
    assert len(secret) == 7
    assert {modes[name] for name in secret} == {0o600}


def test_a_second_run_changes_nothing(tls: Path) -> None:
    before = contents(tls)
    assert not any(each.is_new for each in ensure(settings(tls)))
    assert changed(before, tls) == set()


def test_what_ends_within_a_month_is_renewed_and_the_ca_stays(tls: Path) -> None:
    before = contents(tls)
    ensure(settings(tls), NOW + timedelta(days=334))
    assert changed(before, tls) == set()
    later = NOW + timedelta(days=336)
    assert [each.role for each in ensure(settings(tls), later) if each.is_new] == ["nifi", "gateway", "operator"]
    assert changed(before, tls) == ROLE_FILES
    assert verify(tls, "nifi", "sslserver", at=later + timedelta(days=360))
    assert keytool(tls / "nifi.p12", KEYSTORE).returncode == 0


def test_a_new_name_costs_nifi_a_new_certificate_and_the_others_nothing(tls: Path) -> None:
    before = contents(tls)
    more = settings(tls, nifi_names=["nifi.example.org", "2001:DB8::7"])
    ensure(more)
    assert changed(before, tls) == {"nifi.pem", "nifi.key", "nifi.p12"}
    told = run("openssl", "x509", "-noout", "-checkip", "2001:db8::7", "-in", tls / "nifi.pem").stdout
    assert "does match" in told
    before = contents(tls)
    ensure(more)
    assert changed(before, tls) == set()


def test_another_password_costs_another_store_and_no_certificate(tls: Path) -> None:
    before = contents(tls)
    ensure(settings(tls, nifi_keystore_password="another-password"))
    assert changed(before, tls) == {"nifi.p12"}
    assert keytool(tls / "nifi.p12", "another-password").returncode == 0


def test_the_ca_is_signed_again_with_its_own_key_before_it_ends(tls: Path, tmp_path: Path) -> None:
    old = tmp_path / "old-ca.pem"
    old.write_bytes((tls / "ca.pem").read_bytes())
    key = (tls / "ca.key").read_bytes()
    later = NOW + timedelta(days=3650 - 390)
    assert [each.role for each in ensure(settings(tls), later) if each.is_new] == ["ca", "nifi", "gateway", "operator"]
    assert (tls / "ca.key").read_bytes() == key
    assert old.read_bytes() != (tls / "ca.pem").read_bytes()
    # Who has the old one trusts the new certificates too, until it ends.
    assert verify(tls, "gateway", "sslclient", at=later)
    assert verify(tls, "gateway", "sslclient", at=later, ca=old)


def test_a_ca_whose_key_is_kept_elsewhere_is_missed_only_to_sign(tls: Path) -> None:
    (tls / "ca.key").unlink()
    assert not any(each.is_new for each in ensure(settings(tls)))
    with pytest.raises(CaUnusable, match=r"ca\.key is not there"):
        ensure(settings(tls), NOW + timedelta(days=340))


@pytest.mark.parametrize("name", ["gateway.pem", "gateway.key"])
@pytest.mark.parametrize("content", [None, b"no PEM"])
def test_a_lost_or_damaged_certificate_is_made_again(tls: Path, name: str, content: bytes | None) -> None:
    (tls / name).unlink() if content is None else (tls / name).write_bytes(content)
    assert [each.role for each in ensure(settings(tls)) if each.is_new] == ["gateway"]
    assert verify(tls, "gateway", "sslclient")


@pytest.mark.parametrize("damage", ["ca.pem", "ca.key", "another"])
def test_a_damaged_ca_is_said_and_not_replaced(tls: Path, tmp_path: Path, damage: str) -> None:
    if damage == "another":
        ensure(settings(tmp_path / "other"))
        (tls / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    else:
        (tls / damage).write_bytes(b"no PEM")
    before = contents(tls)
    with pytest.raises(CaUnusable, match="cannot be used") as refused:
        ensure(settings(tls))
    assert str(tls) in refused.value.hint
    assert changed(before, tls) == set()


def test_certificates_of_another_ca_are_made_again(tls: Path, tmp_path: Path) -> None:
    ensure(settings(tmp_path / "other"))
    for name in ("ca.pem", "ca.key"):
        (tls / name).write_bytes((tmp_path / "other" / name).read_bytes())
    assert [each.role for each in ensure(settings(tls)) if each.is_new] == ["nifi", "gateway", "operator"]
    assert verify(tls, "operator", "sslclient")


def test_a_store_without_a_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PasswordMissing, match=r"nifi\.p12"):
        ensure(settings(tmp_path, nifi_keystore_password=""))


def test_as_compose_runs_it(tmp_path: Path) -> None:
    """Passwords and names from the environment, and no store for a browser."""
    given = {"TLS": str(tmp_path / "tls"), "NIFI_KEYSTORE_PASSWORD": KEYSTORE, "NIFI_TRUSTSTORE_PASSWORD": TRUSTSTORE}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PITLANE_")}
    environment |= {f"PITLANE_{name}": value for name, value in given.items()} | {
        "PITLANE_ENV_FILE": str(tmp_path / "none")
    }
    command = (sys.executable, "-m", "pitlane.certificates")
    made = run(*command, env=environment, cwd=Path(certificates.__file__).parents[1])
    assert made.returncode == 0, made.stderr
    assert made.stdout.count(", new") == 4
    assert KEYSTORE not in made.stdout + made.stderr
    assert verify(tmp_path / "tls", "nifi", "sslserver")
    assert not (tmp_path / "tls" / "operator.p12").exists()
