"""Logging in to a NiFi of the official image, which serves https with a certificate that it made for itself.

No such NiFi can be had here (its log-in is in no public jar), so one call of its API stands in: the token that NiFi's
REST documentation describes, and a version that is told only to who brings it. TLS, keytool and the truststore are real.
"""

import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import nipyapi
import pytest

from nifi import group
from nifi.errors import LoginRefused, Unreachable
from pitlane.settings import REPOSITORY, NifiSettings

pytestmark = pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("keytool")), reason="needs openssl and keytool"
)

SCRIPT = REPOSITORY / "docker" / "nifi_certificate.py"
PASSWORD, TOKEN, STORE_PASSWORD = "a-good-password", "header.body.signature", "0123456789abcdef"


class Nifi(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = self.path == "/nifi-api/access/token" and form == {"username": ["pitlane"], "password": [PASSWORD]}
        self._answer(201, TOKEN, "text/plain") if known else self._answer(400, "no such user", "text/plain")

    def do_GET(self) -> None:
        if self.path == "/nifi-api/flow/about" and self.headers["Authorization"] == f"Bearer {TOKEN}":
            self._answer(200, json.dumps({"about": {"version": "2.3.0"}}), "application/json")
        else:
            self._answer(401, "Unauthorized", "text/plain")

    def _answer(self, status: int, body: str, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


@pytest.fixture(scope="module")
def conf(tmp_path_factory) -> Path:
    """NiFi's conf folder as its first start leaves it: a certificate for its host name, signed by itself."""
    folder = tmp_path_factory.mktemp("conf")
    run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "60", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem",
    )  # fmt: skip
    run(
        "keytool", "-importcert", "-noprompt", "-alias", "generated", "-file", folder / "certificate.pem",
        "-keystore", folder / "truststore.p12", "-storetype", "PKCS12", "-storepass", STORE_PASSWORD,
    )  # fmt: skip
    (folder / "nifi.properties").write_text(
        "# Security\nnifi.security.truststore=./conf/truststore.p12\nnifi.security.truststoreType=PKCS12\n"
        f"nifi.security.truststorePasswd={STORE_PASSWORD}\n"
    )
    return folder


@pytest.fixture(scope="module")
def url(conf) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Nifi)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(conf / "certificate.pem", conf / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}/nifi-api"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def certificate(conf, tmp_path_factory) -> Path:
    """What the script gets out of the truststore."""
    target = tmp_path_factory.mktemp("pem") / "nifi.pem"
    run(sys.executable, SCRIPT, conf, target)
    return target


@pytest.fixture(autouse=True)
def _nipyapi_as_before() -> Iterator[None]:
    config = nipyapi.config.nifi_config
    names = ("host", "ssl_ca_cert", "cert_file", "key_file")
    before = {name: getattr(config, name) for name in names}
    yield
    for name, value in before.items():
        setattr(config, name, value)
    config.api_client = None
    config.api_key.clear()


def settings(url: str, certificate: Path | None, tmp_path: Path, **changed: str) -> NifiSettings:
    values = {"nifi_username": "pitlane", "nifi_password": PASSWORD, **changed}
    return NifiSettings(_env_file=tmp_path / "none", nifi_url=url, nifi_certificate=certificate, **values)


def test_the_script_gives_nifis_own_certificate(conf, certificate):
    assert certificate.read_text() == (conf / "certificate.pem").read_text()


def test_the_script_says_what_is_wrong(conf, tmp_path):
    shutil.copy(conf / "truststore.p12", tmp_path)
    (tmp_path / "nifi.properties").write_text(
        "nifi.security.truststore=./conf/truststore.p12\nnifi.security.truststorePasswd=wrong-password\n"
    )
    ended = subprocess.run(
        [sys.executable, SCRIPT, tmp_path, tmp_path / "nifi.pem"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "truststore.p12" in ended.stderr
    assert "wrong-password" not in ended.stderr
    assert not (tmp_path / "nifi.pem").exists()


def test_logs_in(url, certificate, tmp_path):
    assert group.connect(settings(url, certificate, tmp_path)) == "2.3.0"


def test_a_wrong_password_is_named_and_not_shown(url, certificate, tmp_path):
    with pytest.raises(LoginRefused, match="pitlane") as refused:
        group.connect(settings(url, certificate, tmp_path, nifi_password="another-password"))
    assert "another-password" not in str(refused.value) + refused.value.hint


def test_another_certificate_is_not_trusted(url, tmp_path):
    with pytest.raises(Unreachable):
        group.connect(settings(url, None, tmp_path))


def test_a_token_is_not_taken_to_the_next_nifi(url, certificate, tmp_path):
    group.connect(settings(url, certificate, tmp_path))
    with pytest.raises(Unreachable):
        group.connect(settings(url, certificate, tmp_path, nifi_username=""))


def test_no_password_goes_over_plain_http(url, tmp_path):
    with pytest.raises(LoginRefused, match="takes no log-in"):
        group.connect(settings(url.replace("https", "http"), None, tmp_path))


@pytest.mark.parametrize(("days", "renewed"), [(0, False), (29, False), (32, True)])
def test_an_old_certificate_is_renewed_at_the_next_start(conf, tmp_path, days, renewed):
    home = tmp_path / "nifi-current"
    (home / "conf").mkdir(parents=True)
    properties = (conf / "nifi.properties").read_text() + "nifi.security.keystorePasswd=abc\nnifi.web.https.port=8443\n"
    (home / "conf" / "nifi.properties").write_text(properties)
    made = time.time() - days * 86_400
    for store in ("keystore.p12", "truststore.p12"):
        (home / "conf" / store).write_bytes(b"store")
        os.utime(home / "conf" / store, (made, made))
    start = ["sh", str(REPOSITORY / "docker" / "nifi_start.sh")]
    subprocess.run(start, cwd=home, env={"PATH": os.environ["PATH"], "NIFI_START": "true"}, check=True)
    after = (home / "conf" / "nifi.properties").read_text()
    if renewed:
        assert [path.name for path in (home / "conf").iterdir()] == ["nifi.properties"]
        assert after == properties.replace(STORE_PASSWORD, "").replace("=abc", "=")
    else:
        assert len(list((home / "conf").iterdir())) == 3
        assert after == properties


def test_the_first_start_has_nothing_to_renew(tmp_path):
    (tmp_path / "conf").mkdir()
    start = ["sh", str(REPOSITORY / "docker" / "nifi_start.sh")]
    subprocess.run(start, cwd=tmp_path, env={"PATH": os.environ["PATH"], "NIFI_START": "true"}, check=True)
