"""Logging in to other NiFis: that of the official image, which serves https with a certificate that it made for itself,
and one that asks for a client certificate or a token.

The official image's log-in is in no public jar, so one call of its API stands in: the token that NiFi's REST
documentation describes, and a version that is told only to who brings it or a certificate of the right authority.
TLS, keytool and the truststore are real.
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
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import nipyapi
import pytest
import yaml

from nifi import connection
from nifi.errors import BadSettings, LoginRefused, Unreachable
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
        known = self.headers["Authorization"] == f"Bearer {TOKEN}" or self.connection.getpeercert()
        if self.path == "/nifi-api/flow/about" and known:
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


@contextmanager
def serving(conf: Path, clients: Path | None = None) -> Iterator[str]:
    """A NiFi's address; `clients`: the authority whose client certificates it asks for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Nifi)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(conf / "certificate.pem", conf / "key.pem")
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}/nifi-api"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def url(conf) -> Iterator[str]:
    with serving(conf) as address:
        yield address


def client(folder: Path) -> tuple[Path, Path]:
    """A client certificate that is its own authority, and its key."""
    folder.mkdir()
    run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "60", "-subj", "/CN=deployer",
        "-keyout", folder / "key.pem", "-out", folder / "certificate.pem",
    )  # fmt: skip
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def known_client(tmp_path_factory) -> tuple[Path, Path]:
    return client(tmp_path_factory.mktemp("clients") / "known")


@pytest.fixture(scope="module")
def mutual(conf, known_client) -> Iterator[str]:
    with serving(conf, known_client[0]) as address:
        yield address


@pytest.fixture(scope="module")
def certificate(conf, tmp_path_factory) -> Path:
    """What the script gets out of the truststore."""
    target = tmp_path_factory.mktemp("pem") / "nifi.pem"
    run(sys.executable, SCRIPT, conf, target)
    return target


@pytest.fixture(autouse=True)
def _nipyapi_as_before() -> Iterator[None]:
    config = nipyapi.config.nifi_config
    before = dict(vars(config))
    yield
    vars(config).update(before, api_client=None, api_key={})


def settings(url: str, certificate: Path | None, tmp_path: Path, **changed: object) -> NifiSettings:
    return NifiSettings(_env_file=tmp_path / "none", nifi_url=url, nifi_certificate=certificate, **changed)


def user(password: str = PASSWORD) -> dict[str, str]:
    return {"nifi_username": "pitlane", "nifi_password": password}


def version(chosen: NifiSettings) -> str:
    with connection.to(chosen) as nifi:
        return nifi.version


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
    with connection.to(settings(url, certificate, tmp_path, **user())) as nifi:
        assert nifi == ("2.3.0", "localhost")


def test_a_wrong_password_is_named_and_not_shown(url, certificate, tmp_path):
    with pytest.raises(LoginRefused, match="pitlane") as refused:
        version(settings(url, certificate, tmp_path, **user("another-password")))
    assert "another-password" not in str(refused.value) + refused.value.hint


def test_another_certificate_is_not_trusted(url, tmp_path):
    with pytest.raises(Unreachable, match="not to be trusted"):
        version(settings(url, None, tmp_path, **user()))


def test_a_token_is_taken_and_not_to_the_next_nifi(url, certificate, tmp_path):
    assert version(settings(url, certificate, tmp_path, nifi_token=TOKEN)) == "2.3.0"
    with pytest.raises(LoginRefused, match="401"):
        version(settings(url, certificate, tmp_path))
    with pytest.raises(LoginRefused, match="401") as refused:
        version(settings(url, certificate, tmp_path, nifi_token="another-token"))
    assert "another-token" not in str(refused.value) + refused.value.hint


def test_a_client_certificate_is_shown_and_not_to_the_next_nifi(mutual, certificate, known_client, tmp_path):
    pem, key = known_client
    shown = {"nifi_client_certificate": pem, "nifi_client_key": key}
    assert version(settings(mutual, certificate, tmp_path, **shown)) == "2.3.0"
    with pytest.raises(Unreachable):
        version(settings(mutual, certificate, tmp_path))
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + pem.read_text())
    assert version(settings(mutual, certificate, tmp_path, nifi_client_certificate=both)) == "2.3.0"

    pem, key = client(tmp_path / "stranger")
    with pytest.raises(Unreachable):
        version(settings(mutual, certificate, tmp_path, nifi_client_certificate=pem, nifi_client_key=key))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"nifi_client_key": "key.pem"}, "PITLANE_NIFI_CLIENT_CERTIFICATE"),
        ({"nifi_client_certificate": "no.pem"}, "no.pem"),
        ({"nifi_certificate": "no.pem"}, "no.pem"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(url, tmp_path, changed, named):
    with pytest.raises(BadSettings, match=named):
        version(NifiSettings(_env_file=tmp_path / "none", nifi_url=url, **changed))


@pytest.mark.parametrize("secret", [user(), {"nifi_token": TOKEN}])
def test_no_secret_goes_over_plain_http(url, tmp_path, secret):
    with pytest.raises(LoginRefused, match="takes no log-in"):
        version(settings(url.replace("https", "http"), None, tmp_path, **secret))


@pytest.fixture
def profiles(url, mutual, certificate, known_client, tmp_path, monkeypatch) -> Path:
    """A profiles file of nipyapi with every kind of log-in."""
    pem, key = map(str, known_client)
    told = {
        "user": {"nifi_url": url, "nifi_user": "pitlane", "nifi_pass": PASSWORD, "ca_path": str(certificate)},
        "stranger": {"nifi_url": url, "nifi_user": "pitlane", "nifi_pass": "wrong-word", "ca_path": str(certificate)},
        "token": {"nifi_url": url, "nifi_bearer_token": TOKEN, "ca_path": str(certificate)},
        "client": {"nifi_url": mutual, "client_cert": pem, "client_key": key, "ca_path": str(certificate)},
        "untrusted": {"nifi_url": url, "nifi_bearer_token": TOKEN},
        "nowhere": {"nifi_user": "pitlane", "nifi_pass": PASSWORD},
        "plain": {"nifi_url": "http://127.0.0.1:9/nifi-api", "nifi_user": "pitlane", "nifi_pass": PASSWORD},
    }
    file = tmp_path / "profiles.yml"
    file.write_text(yaml.safe_dump(told))
    monkeypatch.setenv("NIPYAPI_PROFILES_FILE", str(file))
    return file


def profile(name: str, tmp_path: Path) -> NifiSettings:
    return NifiSettings(_env_file=tmp_path / "none", nifi_url="https://127.0.0.1:9/nifi-api", nifi_profile=name)


def test_a_profile_says_all_that_settings_say(profiles, tmp_path):
    for name in ("user", "client", "token", "user"):
        with connection.to(profile(name, tmp_path)) as nifi:
            assert nifi == ("2.3.0", "localhost")
    with pytest.raises(Unreachable, match="not to be trusted"):  # the authority of the profile before is gone
        version(profile("untrusted", tmp_path))


@pytest.mark.parametrize(
    ("name", "error"),
    [("stranger", LoginRefused), ("nowhere", BadSettings), ("plain", BadSettings), ("unknown", BadSettings)],
)
def test_a_profile_that_does_not_do_is_named(profiles, tmp_path, name, error):
    with pytest.raises(error, match=name) as refused:
        version(profile(name, tmp_path))
    assert "wrong-word" not in str(refused.value) + refused.value.hint


def test_a_profiles_file_that_cannot_be_read_is_named(profiles, tmp_path):
    profiles.write_text("user: [")
    with pytest.raises(BadSettings, match="user"):
        version(profile("user", tmp_path))
    profiles.unlink()
    with pytest.raises(BadSettings, match=r"profiles\.yml"):
        version(profile("user", tmp_path))


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
