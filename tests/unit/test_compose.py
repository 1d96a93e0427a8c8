"""docker-compose.yml, which cannot be run here: valid, of the same versions as the native run, and closed.

tests/integration/test_compose_kafka.py puts its Kafka settings through the image's own launcher.
"""

import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
from dataclasses import asdict
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import typer.main
import yaml
from pydantic_settings import BaseSettings

from nifi import repository
from nifi.runtime import python_nar
from pitlane import certificates, compose_env, settings
from pitlane.stack import broker, maven
from pitlane.stack.ports import Ports, variable

ROOT = settings.REPOSITORY
TEXT = compose_env.COMPOSE_FILE.read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "tests/data/compose-spec/compose-spec.json").read_text(encoding="utf-8"))
POM = "{http://maven.apache.org/POM/4.0.0}"

HOST_PORTS = {"gateway": "PITLANE_HTTP_PORT", "grafana": "PITLANE_GRAFANA_PORT"}
LOCAL = re.compile(r"127\.0\.0\.1:\$\{(\w+):-(\d+)\}:(\d+)")
RIGS = "${PITLANE_UDP_BIND:-127.0.0.1}:${PITLANE_UDP_PORT:-20777}:20777/udp"
SECRET = re.compile(r"PASSWORD|SECRET|(?<!_BLOCKS)_KEY$|SUPERUSER")
STORES = {"PITLANE_NIFI_KEYSTORE_PASSWORD", "PITLANE_NIFI_TRUSTSTORE_PASSWORD"}
TLS = "/opt/pitlane/tls"
REQUIRED = re.compile(r"\$\{\w+:\?run make compose-env\}")


def environments():
    return {name: service.get("environment", {}) for name, service in SERVICES.items()}


def version(pom: Path, artifact: str) -> str:
    for dependency in ElementTree.parse(pom).iter(f"{POM}dependency"):
        if (dependency.findtext(f"{POM}artifactId") or "").startswith(artifact):
            return dependency.findtext(f"{POM}version")
    raise LookupError(artifact)


def tag(service: str) -> str:
    return SERVICES[service]["image"].rpartition(":")[2]


class TestSchema:
    def test_it_is_a_compose_file(self):
        jsonschema.Draft7Validator(SCHEMA).validate(COMPOSE)

    def test_the_schema_tells(self):
        broken = {**COMPOSE, "services": {**SERVICES, "kafka": {**SERVICES["kafka"], "helthcheck": {}}}}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(SCHEMA).validate(broken)


@cache
def docker_compose() -> bool:
    return bool(
        shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    )


def config(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess:
    """`docker compose config` with a fresh .env and nothing of Pitlane's in the environment."""
    if not docker_compose():
        pytest.skip("needs the docker client with its compose plugin")
    env_file = tmp_path / "env"
    env_file.touch()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PITLANE_")}
    command = ["docker", "compose", "--env-file", str(env_file), "-f", str(compose_env.COMPOSE_FILE)]
    return subprocess.run([*command, "config", *arguments], env=inherited, capture_output=True, text=True, check=False)


def test_no_default_holds_a_brace():
    """compose-go ends a default at its first closing brace and puts the second one behind whatever is set."""
    assert re.findall(r"\$\{\w+:?-[^}]*\{", TEXT) == []


class TestDockersOwnParser:
    def test_takes_it_with_generated_passwords(self, tmp_path):
        compose_env.complete(tmp_path / "env", compose_env.required(TEXT))
        ended = config(tmp_path, "--format", "json")
        assert ended.returncode == 0, ended.stderr
        assert not ended.stderr
        rendered = json.loads(ended.stdout)["services"]
        assert set(rendered) == set(SERVICES)
        assert {port["host_ip"] for service in rendered.values() for port in service.get("ports", [])} == {"127.0.0.1"}
        assert "$" not in json.dumps([service.get("environment") for service in rendered.values()])

    def test_says_what_to_do_without_them(self, tmp_path):
        ended = config(tmp_path)
        assert ended.returncode != 0
        assert "run make compose-env" in ended.stderr


class TestVersions:
    """The same as those of the native run, wherever that has them written."""

    def test_postgres(self):
        native = version(maven.POMS / "postgres.xml", "embedded-postgres-binaries")
        assert native == f"{tag('postgres').partition('-')[0]}.0"

    def test_kafka(self):
        assert tag("kafka") == version(maven.POMS / "broker.xml", "kafka_2.13")

    def test_nifi(self):
        standard = {
            each["bundle"]["version"]
            for each in repository.read(repository.newest())["flowContents"]["processors"]
            if each["bundle"]["group"] == "org.apache.nifi"
        }
        assert {tag("nifi")} == standard
        poms = [path.read_text(encoding="utf-8") for path in (ROOT / "nifi").rglob("pom.xml")]
        assert any(f"<nifi.version>{tag('nifi')}</nifi.version>" in pom for pom in poms)
        assert f"FROM {SERVICES['nifi']['image']} AS python-nar" in DOCKERFILE, "of the Python that runs the processors"

    def test_superset(self):
        pins = dict(
            re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "superset/requirements.in").read_text(encoding="utf-8"), re.M)
        )
        assert f"FROM apache/superset:{pins['apache-superset']} AS superset" in DOCKERFILE
        assert f"psycopg2-binary=={pins['psycopg2-binary']}" in DOCKERFILE
        assert tag("superset") == pins["apache-superset"]

    def test_grafana_is_the_one_that_the_dashboard_is_made_for(self):
        (made_for,) = re.findall(r"grafana-foundation-sdk==\d+!([\d.]+)", (ROOT / "pyproject.toml").read_text())
        assert tag("grafana") == made_for

    def test_pitlane(self):
        (own,) = re.findall(r'^version = "([\d.]+)"', (ROOT / "pyproject.toml").read_text(), re.M)
        assert {service["image"] for service in SERVICES.values() if service["image"].startswith("pitlane:")} == {
            f"pitlane:{own}"
        }

    def test_the_python_processors_get_the_libraries_of_the_lock(self):
        (wanted,) = re.findall(r"sed -nE '/\^\(([\w|]+)\)==", DOCKERFILE)
        assert tuple(wanted.split("|")) == python_nar.LIBRARIES
        chosen = subprocess.run(
            ["sed", "-nE", re.search(r"sed -nE '([^']+)'", DOCKERFILE)[1], str(ROOT / "requirements.lock")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert {line.partition("==")[0] for line in chosen.splitlines() if "==" in line} == set(python_nar.LIBRARIES)
        assert chosen.count("--hash=sha256:") > 10

    def test_jars_come_by_the_plugin_of_the_native_run(self):
        assert maven.COPY_DEPENDENCIES in DOCKERFILE

    def test_every_image_is_pinned_by_a_tag(self):
        built = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
        for image in [*built, *(service["image"] for service in SERVICES.values())]:
            assert re.search(r":.*\d", image), image


class TestClosed:
    def test_every_port_is_published_on_this_machine_only(self):
        published = [port for service in SERVICES.values() for port in service.get("ports", [])]
        assert RIGS in published
        assert all(LOCAL.fullmatch(port) for port in published if port != RIGS), published

    def test_ports_are_those_of_the_native_run(self):
        native = {name: str(number) for name, number in asdict(Ports()).items()}
        for service, parts in SERVICES.items():
            for port in parts.get("ports", []):
                if found := LOCAL.fullmatch(port):
                    assert found[1] == HOST_PORTS.get(service, variable(service))
                    assert found[2] == native.get(service, found[2])

    def test_no_secret_stands_in_it(self):
        for name, environment in environments().items():
            for key, value in environment.items():
                if SECRET.search(key):
                    assert REQUIRED.search(value), (name, key)
                    rest = REQUIRED.sub("", value)
                    assert not re.search(r"[0-9a-f]{8}", rest), (name, key)
        assert set(re.findall(r"\$\{(\w+):-", TEXT)).isdisjoint(compose_env.required(TEXT))

    def test_the_file_of_passwords_stays_out_of_git_and_images(self):
        assert ".env" in (ROOT / ".gitignore").read_text().split()
        ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
        assert ignored[0] == "*"  # all is out that is not let in
        assert "!.env" not in ignored

    @pytest.mark.parametrize(
        ("service", "passwords"),
        [
            ("gateway", {"PITLANE_POSTGRES_GATEWAY_PASSWORD"}),
            ("spark", {"PITLANE_POSTGRES_SPARK_PASSWORD"}),
            ("flow", {"PITLANE_NIFI_PASSWORD", *STORES}),
            ("certificates", STORES),
            ("topics", set()),
            ("superset", {"PITLANE_SUPERSET_DATABASE_PASSWORD", "PITLANE_SUPERSET_SECRET_KEY"}),
            ("grafana", {"PITLANE_POSTGRES_READER_PASSWORD", "GF_SECURITY_ADMIN_PASSWORD"}),
        ],
    )
    def test_a_program_gets_its_own_passwords_only(self, service, passwords):
        assert {key for key in environments()[service] if SECRET.search(key)} == passwords


SETTINGS_OF = {
    "gateway": settings.GatewaySettings,
    "spark": settings.SparkSettings,
    "migrate": settings.MigrationSettings,
    "topics": settings.KafkaSettings,
    "flow": settings.NifiSettings,
    "certificates": settings.CertificateSettings,
    "superset": settings.SupersetSettings,
    "superset-setup": settings.SupersetSettings,
}


class TestSettings:
    @pytest.mark.parametrize("service", SETTINGS_OF)
    def test_names_are_the_programs_own(self, service):
        known = {f"PITLANE_{name.upper()}" for name in SETTINGS_OF[service].model_fields}
        assert {key for key in environments()[service] if key.startswith("PITLANE_")} <= known

    @pytest.mark.parametrize("service", SETTINGS_OF)
    def test_values_are_what_the_program_reads(self, service, monkeypatch, tmp_path):
        for name in os.environ:
            if name.startswith("PITLANE_"):
                monkeypatch.delenv(name)
        for key, value in environments()[service].items():
            if value is not None:  # what .env does not have is not set
                value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", REQUIRED.sub("ab" * 12, value))
                monkeypatch.setenv(key, value)
        read: BaseSettings = SETTINGS_OF[service](_env_file=tmp_path / "none")
        if isinstance(read, settings.PostgresSettings):
            assert (read.postgres_host, read.postgres_port) == ("postgres", 5432)
        if isinstance(read, settings.KafkaSettings):
            assert read.kafka_bootstrap == "kafka:9092"
        if isinstance(read, settings.GatewaySettings):
            assert (read.udp_port, read.http_hosts, read.rigs) == (20777, ["gateway"], {})

    def test_addresses_lead_to_where_the_services_listen(self):
        flow = settings.NifiSettings.model_construct()
        blocks = environments()["gateway"]["PITLANE_NIFI_BLOCKS_URL"]
        assert blocks == f"https://nifi:{flow.nifi_listen_port}/{flow.nifi_listen_path}"
        assert "PLAINTEXT://kafka:9092" in environments()["kafka"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
        assert environments()["grafana"]["PITLANE_HTTP_HOST"] in environments()["gateway"]["PITLANE_HTTP_HOSTS"]

    def test_kafka_is_set_up_as_the_native_broker(self):
        native = dict(
            line.split("=", 1) for line in broker._PROPERTIES.splitlines() if "=" in line and not line.startswith("#")
        )
        native |= {
            "message.max.bytes": str(broker.MAX_MESSAGE_BYTES),
            "log.retention.bytes": str(broker.RETENTION_BYTES),
        }
        theirs = {
            key.removeprefix("KAFKA_").lower().replace("_", "."): value
            for key, value in environments()["kafka"].items()
            if key.startswith("KAFKA_") and key != "KAFKA_HEAP_OPTS"
        }
        places = {"listeners", "advertised.listeners", "listener.security.protocol.map", "log.dirs"}
        only_there = {"controller.quorum.bootstrap.servers"}
        only_here = {"controller.quorum.voters", "inter.broker.listener.name"}
        assert set(theirs) - only_here == set(native) - only_there
        assert all(theirs[key] == native[key] for key in set(theirs) & set(native) - places)

    def test_superset_is_served_as_the_native_one(self):
        from pitlane.stack.superset import SupersetServer

        native = SupersetServer(Path("/home"), 1, Path("/env")).command()
        here = SERVICES["superset"]["command"]
        where = here.index("--bind") + 1
        assert here[1:where] + here[where + 1 :] == [*native[1:where], *native[where + 1 :]]


class TestCertificates:
    """The one service that makes them, and who mounts them."""

    @pytest.fixture
    def owners(self, tmp_path) -> dict[str, tuple[int, int]]:
        """File → user that it belongs to and mode, as the service's own commands leave them."""
        folder = tmp_path / "tls"
        given = settings.CertificateSettings(
            _env_file=None, tls=folder, **{name.removeprefix("PITLANE_").lower(): "ab" * 12 for name in STORES}
        )
        certificates.ensure(given)
        script = SERVICES["certificates"]["command"][-1]
        users = dict.fromkeys((path.name for path in folder.iterdir()), 0)
        for user, patterns in re.findall(r"^chown (\d+) (.+)$", script, re.M):
            for pattern in patterns.split():
                found = [name for name in users if fnmatch(name, pattern)]
                assert found, pattern
                users |= dict.fromkeys(found, int(user))
        return {name: (user, stat.S_IMODE((folder / name).stat().st_mode)) for name, user in users.items()}

    def test_they_are_made_where_the_others_look(self):
        assert environments()["certificates"]["PITLANE_TLS"] == TLS
        mounts = {
            name: mount for name, s in SERVICES.items() for mount in s.get("volumes", []) if mount.startswith("tls:")
        }
        assert mounts.pop("certificates") == f"tls:{TLS}"
        assert set(mounts) == {"nifi", "flow", "gateway"}
        assert set(mounts.values()) == {f"tls:{TLS}:ro"}
        for name in ("nifi", "flow", "gateway"):
            needs, waited = {name}, set()
            while needs:  # through those that wait themselves
                each = needs.pop()
                waited.add(each)
                needs |= set(SERVICES[each].get("depends_on", {})) - waited
            assert "certificates" in waited

    def test_each_program_can_read_what_it_is_told_of_and_no_key_of_others(self, owners):
        pitlane = int(re.search(r"useradd .*--uid (\d+)", DOCKERFILE)[1])
        users = {"gateway": pitlane, "flow": int(SERVICES["flow"]["user"].partition(":")[0])}
        nifi = users["flow"]  # the image's own user, as flow's comment says
        for name, user in users.items():
            told = [value for value in environments()[name].values() if str(value).startswith(f"{TLS}/")]
            assert len(told) >= 3
            for path in told:
                owner, mode = owners[path.removeprefix(f"{TLS}/")]
                reader = nifi if path.endswith(".p12") else user
                assert owner == reader or mode & 0o004, (name, path)
        secret = {name for name, (_, mode) in owners.items() if not mode & 0o004}
        assert {name for name in secret if owners[name][0] == pitlane} == {"gateway.key"}
        assert owners["ca.key"] == (0, 0o600)

    def test_the_name_in_nifis_certificate_stays_the_same(self):
        """A container without one gets a random name at each start."""
        assert SERVICES["certificates"]["hostname"]
        assert "nifi" in certificates.nifi_names()


class TestWiring:
    def test_who_waits_for_health_waits_for_something_that_has_one(self):
        for name, service in SERVICES.items():
            for other, wait in service.get("depends_on", {}).items():
                if wait["condition"] == "service_healthy":
                    assert "healthcheck" in SERVICES[other], (name, other)
                else:
                    assert wait["condition"] == "service_completed_successfully"
                    assert SERVICES[other]["restart"] == "no", (name, other)

    def test_what_stays_up_is_watched_and_comes_back(self):
        for name, service in SERVICES.items():
            assert (service["restart"] == "unless-stopped") == ("healthcheck" in service), name

    def test_volumes_are_declared_and_used(self):
        used = {
            mount.partition(":")[0]
            for service in SERVICES.values()
            for mount in service.get("volumes", [])
            if not mount.startswith(".")
        }
        assert used == set(COMPOSE["volumes"])

    def test_what_is_mounted_is_there(self):
        mounts = {m.partition(":")[0] for s in SERVICES.values() for m in s.get("volumes", []) if m.startswith(".")}
        ours = {"./docker/nifi_start.sh", "./nifi/flow"}
        assert mounts == {"./superset", "./grafana/provisioning", "./grafana/dashboards", *ours}
        assert all((ROOT / mount).exists() for mount in mounts)

    def test_nifi_sees_the_versions_of_the_flow(self):
        mounts = dict(mount.split(":")[:2] for mount in SERVICES["nifi"]["volumes"])
        assert ROOT / "nifi" / "flow" == repository.FOLDER
        assert mounts["./nifi/flow"] == environments()["flow"]["PITLANE_NIFI_FLOWS"]

    def test_supersets_files_are_where_it_looks(self):
        for path in re.findall(r"/opt/pitlane/(superset/[\w.]+\.py)", json.dumps(SERVICES)):
            assert (ROOT / path).is_file(), path

    def test_modules_that_are_started_exist(self):
        for service in SERVICES.values():
            for module in re.findall(r"python,? -m,? ([\w.]+)", ", ".join(map(str, service.get("command", [])))):
                assert importlib.util.find_spec(module), module

    def test_the_verb_that_deploys_the_flow_exists(self):
        from pitlane.cli import app

        assert "pitlane.cli flow deploy" in SERVICES["flow"]["command"][-1]
        assert "deploy" in typer.main.get_command(app).commands["flow"].commands

    def test_files_in_the_images_exist_and_are_let_in(self):
        let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
        copied = [source for source in re.findall(r"^COPY (?!--)(\S+) ", DOCKERFILE, re.M) if source != "."]
        inside = "/opt/pitlane/repository/"
        run = re.findall(rf"{inside}(\S+)", json.dumps(SERVICES))
        for source in (*copied, *run):
            assert (ROOT / source).exists(), source
            assert any(Path(source).match(f"{wanted}") or source.startswith(f"{wanted}/") for wanted in let_in), source
        packages = {"f1_packets", "nifi", "pitlane", "postgres", "spark", "udp_gateway"}
        assert packages <= set(let_in)
        assert inside.rstrip("/") in re.search(r"PYTHONPATH=(\S+)", DOCKERFILE)[1]

    def test_grafana_finds_its_folders(self):
        provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/pitlane.yaml").read_text())["providers"][0]
        targets = {mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]}
        assert provider["options"]["path"] in targets
        home = environments()["grafana"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        assert (ROOT / "grafana/dashboards" / Path(home).name).exists()


class TestPasswords:
    def test_a_new_file_has_all_of_them_and_is_private(self, tmp_path):
        names = compose_env.required(TEXT)
        path = tmp_path / ".env"
        assert compose_env.complete(path, names) == names
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        values = dict(line.split("=", 1) for line in path.read_text().splitlines() if not line.startswith("#"))
        assert set(values) == set(names)
        assert len(set(values.values())) == len(names)
        assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in values.values())

    def test_what_is_there_stays(self, tmp_path):
        path = tmp_path / ".env"
        path.write_text("# mine\nPITLANE_UDP_BIND=0.0.0.0\nB=\nA=kept")
        assert compose_env.complete(path, ["A", "B", "C"]) == ["B", "C"]
        before = path.read_text()
        assert before.startswith("# mine\nPITLANE_UDP_BIND=0.0.0.0\nB=\nA=kept\nB=")
        assert compose_env.complete(path, ["A", "B", "C"]) == []
        assert path.read_text() == before
