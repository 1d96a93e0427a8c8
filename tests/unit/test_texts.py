"""What texts tell a person to type exists: in documents, hints and comments."""

import re
from pathlib import Path

import pytest
import typer

from pitlane.cli import app

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [ROOT / "README.md", ROOT / "docker-compose.yml", ROOT / "Makefile", *ROOT.glob("*/*.md")]
for part in ("pitlane", "nifi", "spark", "postgres", "superset", "grafana", "udp_gateway"):
    TEXTS += [path for path in (ROOT / part).rglob("*.py") if "target" not in path.parts]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_commands_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    typed = re.findall(r"(?:`|^ *|[:=] )(?:PITLANE_\w+=\S+ )?make ([a-z-]+)(?=`|$| CAPTURE)", text, re.M)
    assert set(typed) <= targets

    known = typer.main.get_command(app)
    for verb, sub in re.findall(r"(?:`|bin/)pitlane ([a-z]+)(?: ([a-z]+))?[^`\n]*`?", text):
        assert verb in known.commands, f"pitlane {verb}"  # type: ignore[attr-defined]
        beneath = getattr(known.commands[verb], "commands", None)  # type: ignore[attr-defined]
        assert not (beneath and sub) or sub in beneath, f"pitlane {verb} {sub}"
