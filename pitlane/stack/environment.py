"""The file `env` of a stack's home: every address and every generated password, for all programs of that stack.

Written 0600 by `pitlane up`. What is in it stays from start to start, passwords and ports included; a PITLANE_…
variable in the environment of `pitlane up` overrides a line, and stays too. Deleting a stack's data deletes it.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import psycopg
from dotenv import dotenv_values
from pydantic import TypeAdapter

from pitlane import private_file
from pitlane.settings import HOME
from pitlane.stack.ports import LOOPBACK, Ports, variable
from pitlane.stack.postgres import SUPERUSER
from pitlane.tls import GATEWAY, OPERATOR, Files

PREFIX = "PITLANE_"
FOLDERS = ("PITLANE_HOME", "PITLANE_STACK_HOME", "PITLANE_ENV_FILE")
"""Say where things are; they are no settings of a stack."""

PASSWORDS = (
    "PITLANE_POSTGRES_SUPERUSER_PASSWORD",
    "PITLANE_POSTGRES_OWNER_PASSWORD",
    "PITLANE_POSTGRES_GATEWAY_PASSWORD",
    "PITLANE_POSTGRES_SPARK_PASSWORD",
    "PITLANE_POSTGRES_READER_PASSWORD",
    "PITLANE_SUPERSET_DATABASE_PASSWORD",
    "PITLANE_SUPERSET_ADMIN_PASSWORD",
    "PITLANE_SUPERSET_SECRET_KEY",
    "PITLANE_NIFI_KEYSTORE_PASSWORD",
    "PITLANE_NIFI_TRUSTSTORE_PASSWORD",
    "PITLANE_OPERATOR_PASSWORD",
)


def overrides() -> dict[str, str]:
    """The settings in this process's environment."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and name not in FOLDERS}


def read(path: Path) -> dict[str, str]:
    """The lines of an `env` file; empty when there is none."""
    return {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}


def ports(values: Mapping[str, str]) -> Ports:
    """The ports that `values` name, the demo's where they name none."""
    named = {name: values.get(variable(name)) for name in asdict(Ports())}
    return Ports(**{name: int(number) for name, number in named.items() if number})


def is_secure(values: Mapping[str, str]) -> bool:
    """Whether NiFi's API is to be served over https."""
    return TypeAdapter(bool).validate_python(values.get("PITLANE_NIFI_SECURE", "0"))


def complete(values: Mapping[str, str], home: Path) -> dict[str, str]:
    """`values` with a password wherever one is missing, and all that follows from ports and home."""
    made = {name: secrets.token_urlsafe(24) for name in PASSWORDS if not values.get(name)}
    chosen = ports(values)
    path = values.get("PITLANE_NIFI_LISTEN_PATH", "blocks")
    result = {**values, **made, **{variable(name): str(number) for name, number in asdict(chosen).items()}}
    tls = Files(home / "tls")
    operator = {
        "PITLANE_NIFI_CERTIFICATE": str(tls.ca),
        "PITLANE_NIFI_CLIENT_CERTIFICATE": str(tls.certificate(OPERATOR)),
        "PITLANE_NIFI_CLIENT_KEY": str(tls.key(OPERATOR)),
    }
    secure = is_secure(values)
    for name in operator:
        result.pop(name, None)
    result |= {
        "PITLANE_KAFKA_BOOTSTRAP": f"{LOOPBACK}:{chosen.kafka}",
        "PITLANE_NIFI_URL": f"{'https' if secure else 'http'}://{LOOPBACK}:{chosen.nifi}/nifi-api",
        **(operator if secure else {}),
        "PITLANE_NIFI_BLOCKS_URL": f"https://{LOOPBACK}:{chosen.nifi_listen}/{path}",
        "PITLANE_NIFI_BLOCKS_CA": str(tls.ca),
        "PITLANE_NIFI_BLOCKS_CERTIFICATE": str(tls.certificate(GATEWAY)),
        "PITLANE_NIFI_BLOCKS_KEY": str(tls.key(GATEWAY)),
        "PITLANE_NIFI_KEYSTORE": str(tls.keystore),
        "PITLANE_NIFI_TRUSTSTORE": str(tls.truststore),
        "PITLANE_TLS": str(tls.folder),
        "PITLANE_POSTGRES_SUPERUSER": psycopg.conninfo.make_conninfo(
            host=LOOPBACK,
            port=chosen.postgres,
            user=SUPERUSER,
            password=result["PITLANE_POSTGRES_SUPERUSER_PASSWORD"],
            dbname="postgres",
        ),
        "PITLANE_SPARK_JARS": str(HOME / "tools" / "spark-jars"),
        "PITLANE_SPARK_CHECKPOINT": str(home / "spark" / "checkpoint"),
        "PITLANE_SPARK_ARCHIVE": values.get("PITLANE_SPARK_ARCHIVE", str(home / "spark" / "archive")),
    }
    return result


def write(path: Path, values: Mapping[str, str]) -> None:
    """Replaces the file in one step, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["# Written by `pitlane up`: this stack's addresses and generated passwords."]
    for name, value in sorted(values.items()):
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"{name}='{quoted}'")
    private_file.write(path, "\n".join(lines) + "\n")


def for_child(env_file: Path, home: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A child's environment: this process's without its settings, since those of the stack stand in the file."""
    kept = {name: value for name, value in environment.items() if not name.startswith(PREFIX)}
    folders = {"PITLANE_HOME": str(HOME), "PITLANE_STACK_HOME": str(home), "PITLANE_ENV_FILE": str(env_file)}
    return kept | folders
