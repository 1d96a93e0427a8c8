import stat
from pathlib import Path

import psycopg
import pytest

from pitlane.certificates import ensure
from pitlane.settings import CertificateSettings, GatewaySettings, MigrationSettings, NifiSettings, SupersetSettings
from pitlane.stack import environment
from pitlane.stack.ports import Ports
from pitlane.stack.superset import SupersetServer


@pytest.fixture
def file(tmp_path):
    return tmp_path / "home" / "env"


def test_programs_read_the_ports_and_passwords_of_their_stack(file):
    values = environment.complete({"PITLANE_UDP_PORT": "31000", "PITLANE_POSTGRES_PORT": "31001"}, file.parent)
    environment.write(file, values)
    gateway = GatewaySettings(_env_file=file)
    assert (gateway.udp_port, gateway.postgres_port) == (31000, 31001)
    assert gateway.nifi_blocks_url == "https://127.0.0.1:20782/blocks"
    superuser = MigrationSettings(_env_file=file).postgres_superuser.get_secret_value()
    assert psycopg.conninfo.conninfo_to_dict(superuser) == {
        "host": "127.0.0.1",
        "port": "31001",
        "user": "postgres",
        "dbname": "postgres",
        "password": values["PITLANE_POSTGRES_SUPERUSER_PASSWORD"],
    }


def test_the_gateway_posts_to_where_the_flow_listens(file):
    values = environment.complete({"PITLANE_NIFI_LISTEN_PATH": "here", "PITLANE_NIFI_LISTEN_PORT": "31002"}, file)
    environment.write(file, values)
    nifi = NifiSettings(_env_file=file)
    where = f"https://127.0.0.1:{nifi.nifi_listen_port}/{nifi.nifi_listen_path}"
    assert GatewaySettings(_env_file=file).nifi_blocks_url == where == "https://127.0.0.1:31002/here"


def test_every_program_finds_the_certificates_of_its_stack(file):
    environment.write(file, environment.complete({}, file.parent))
    ensure(CertificateSettings(_env_file=file))
    flow, gateway = NifiSettings(_env_file=file), GatewaySettings(_env_file=file)
    assert flow.blocks_context().cert_store_stats()["x509_ca"] == 1
    assert gateway.blocks_context().cert_store_stats()["x509_ca"] == 1
    assert gateway.nifi_blocks_certificate == file.parent / "tls" / "gateway.pem"
    for store in (flow.nifi_keystore, flow.nifi_truststore):
        assert Path(store).is_file()


@pytest.mark.parametrize(("told", "secure"), [("1", True), ("true", True), ("0", False), ("False", False)])
def test_nifi_over_https_is_reached_with_the_operators_certificate(file, told, secure):
    before = environment.complete({"PITLANE_NIFI_SECURE": "0" if secure else "1"}, file.parent)
    environment.write(file, environment.complete(before | {"PITLANE_NIFI_SECURE": told}, file.parent))
    nifi = NifiSettings(_env_file=file)
    tls = file.parent / "tls"
    wanted = (tls / "ca.pem", tls / "operator.pem", tls / "operator.key") if secure else (None, None, None)
    assert (nifi.nifi_certificate, nifi.nifi_client_certificate, nifi.nifi_client_key) == wanted
    assert nifi.nifi_url == f"http{'s' if secure else ''}://127.0.0.1:20781/nifi-api"


def test_every_password_is_made_once_and_kept(file):
    first = environment.complete({}, file.parent)
    passwords = [first[name] for name in environment.PASSWORDS]
    assert len(set(passwords)) == len(passwords)
    assert min(map(len, passwords)) >= 32
    assert environment.complete(first, file.parent) == first


def test_only_the_owner_can_read_the_file(file):
    environment.write(file, {"PITLANE_SUPERSET_ADMIN_PASSWORD": "x"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "value", ["plain", "with 'quotes' and \"more\"", "back\\slash", "$HOME #no comment", '{"a": "b"}']
)
def test_values_come_back_as_they_were(file, value):
    environment.write(file, {"PITLANE_SUPERSET_ADMIN_PASSWORD": value})
    assert environment.read(file) == {"PITLANE_SUPERSET_ADMIN_PASSWORD": value}
    assert SupersetSettings(_env_file=file).superset_admin_password.get_secret_value() == value


def test_a_childs_settings_come_from_its_stacks_file_alone(file):
    child = environment.for_child(file, file.parent, {"PITLANE_UDP_PORT": "1", "PATH": "/bin"})
    assert "PITLANE_UDP_PORT" not in child
    assert child["PATH"] == "/bin"
    assert child["PITLANE_ENV_FILE"] == str(file)


def test_superset_gets_no_password_of_others(file):
    environment.write(file, environment.complete({}, file.parent))
    given = SupersetServer(file.parent, 1, file).environment()
    secret = {name for name in given if name.startswith("PITLANE_") and ("PASSWORD" in name or "KEY" in name)}
    assert secret == {"PITLANE_SUPERSET_DATABASE_PASSWORD", "PITLANE_SUPERSET_SECRET_KEY"}
    assert "PITLANE_POSTGRES_SUPERUSER" not in given, "its connection string holds the password"
    assert given["PITLANE_POSTGRES_PORT"] == "20785"


def test_ports_can_be_chosen_by_the_environment(monkeypatch):
    monkeypatch.setenv("PITLANE_HTTP_PORT", "4000")
    monkeypatch.setenv("PITLANE_NIFI_LISTEN_PORT", "4001")
    assert Ports.chosen() == Ports(gateway=4000, nifi_listen=4001)
