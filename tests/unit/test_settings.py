"""Settings that somebody sets must do something."""

import re
from pathlib import Path

import pytest

from pitlane import settings
from pitlane.env_example import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted({name for kind in PROGRAMS.values() for name in kind.model_fields})


def sources() -> str:
    """All of the project's Python but the settings themselves."""
    parts = ("pitlane", "udp_gateway", "nifi", "spark", "postgres", "superset", "grafana")
    files = [path for part in parts for path in (ROOT / part).rglob("*.py")]
    return "\n".join(path.read_text("utf-8") for path in files if path != Path(settings.__file__))


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_read(name: str) -> None:
    in_conninfo = {"postgres_host", *(f"postgres_{role}_password" for role in ("owner", "gateway", "spark", "reader"))}
    assert name in in_conninfo or re.search(rf"\b{name}\b|PITLANE_{name.upper()}\b", sources())
