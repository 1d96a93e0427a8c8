"""Writes `.env` for `docker compose`: a password wherever docker-compose.yml asks for one.

    python -m pitlane.compose_env        (make compose-env)

Standard library only: who runs Pitlane with Docker needs no environment of Pitlane's.

What stands in the file stays: a second run adds what is missing. Passwords are hexadecimal, since they pass through
Compose's interpolation, connection strings and sed in an image's start script, none of which must see a special sign.
"""

import re
import secrets
from pathlib import Path

from pitlane import private_file

REPOSITORY = Path(__file__).resolve().parent.parent
COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
ENV_FILE = REPOSITORY / ".env"
PASSWORD_BYTES = 24

REQUIRED = re.compile(r"\$\{(\w+):\?")
GIVEN = re.compile(r"^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*\S", re.MULTILINE)


def required(compose_text: str) -> list[str]:
    """Names of the variables that a compose file does not start without."""
    return sorted(set(REQUIRED.findall(compose_text)))


def complete(path: Path, names: list[str]) -> list[str]:
    """Appends a new password for each of `names` that `path` does not have, in one step; returns the names added.

    The file is readable by its owner alone.
    """
    before = path.read_text() if path.exists() else "# Passwords for docker compose. Made here, known nowhere else.\n"
    there = set(GIVEN.findall(before))
    added = [name for name in names if name not in there]
    if before and not before.endswith("\n"):
        before += "\n"
    lines = "".join(f"{name}={secrets.token_hex(PASSWORD_BYTES)}\n" for name in added)
    private_file.write(path, before + lines)
    return added


def main() -> None:
    added = complete(ENV_FILE, required(COMPOSE_FILE.read_text()))
    print(f"{ENV_FILE}: {len(added)} passwords made" if added else f"{ENV_FILE} has every password")


if __name__ == "__main__":
    main()
