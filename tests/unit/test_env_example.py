from pathlib import Path

from pitlane.env_example import env_example
from pitlane.settings import REPOSITORY, GatewaySettings

FILE = Path(__file__).resolve().parents[2] / ".env.example"


def test_the_file_is_current() -> None:
    """If this fails, run `python -m pitlane.env_example > .env.example`."""
    assert FILE.read_text() == env_example()


def test_no_password_and_no_path_of_a_machine_stands_in_it() -> None:
    text = FILE.read_text()
    passwords = [line for line in text.splitlines() if line.startswith("#PITLANE_") and "PASSWORD" in line]
    assert passwords
    assert all(line.endswith("=") for line in passwords)
    assert str(REPOSITORY) not in text


def test_its_names_are_those_that_programs_read(monkeypatch) -> None:
    """A line without its # is a setting: the name is taken from the file, not from the class."""
    (line,) = [line for line in FILE.read_text().splitlines() if "LIVE_RATE" in line]
    monkeypatch.setenv(line.lstrip("#").split("=")[0], "12.5")
    assert GatewaySettings(_env_file=None).live_rate_hz == 12.5  # type: ignore[call-arg]
