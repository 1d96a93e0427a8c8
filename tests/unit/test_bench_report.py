"""Results as tables, files and exit codes, against texts written by hand."""

import json
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from benchmarks import __main__ as harness
from benchmarks import report
from benchmarks.report import Circumstances, Result, Row

RESULT = Result(
    "made_up",
    "Made up",
    [
        Row("faster", 2.0, "µs", "other 1.0", 50.0, aim="at least 20 ×", met=True),
        Row("slower", 3.0, "/s", "other 1.0", 6.0, less_is_better=False, aim="ahead of it", met=False),
        Row("alone", 0.0, "lost", aim="0 lost", met=True, note="of 2,131,320"),
        Row("no peer", 12.5, "ms", "other 2.0", None, aim="ahead of it", met=None),
        Row("to know", 12345.6, "/s"),
    ],
    ["on a desk"],
)
MADE = Circumstances("2025-11-24 08:00 UTC", "abc1234", "a machine", quick=False)


def test_cells_say_numbers_ratios_and_verdicts() -> None:
    assert [row.cells() for row in RESULT.rows] == [
        ("faster", "2 µs", "other 1.0", "50 µs", "25 ×", "at least 20 ×", "yes"),
        ("slower", "3 /s", "other 1.0", "6 /s", "0.50 ×", "ahead of it", "NO"),
        ("alone", "0 lost", "", "", "", "0 lost", "yes"),
        ("no peer", "12.50 ms", "other 2.0", "not run", "", "ahead of it", "not judged"),
        ("to know", "12,346 /s", "", "", "", "", ""),
    ]
    assert [row.what for row in RESULT.missed] == ["slower"]


def test_a_table_shows_every_cell_and_note() -> None:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(report.table(RESULT))
    text = captured.get()
    for row in RESULT.rows:
        line = next(line for line in text.splitlines() if line.strip().startswith(row.what))
        assert all(cell in line for cell in row.cells())
    assert "on a desk" in text
    assert "alone: of 2,131,320" in text


def test_json_says_all_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "results" / "made_up.json"
    report.save(path, RESULT, MADE)
    said = json.loads(path.read_text())
    assert said["commit"] == "abc1234"
    assert said["machine"] == "a machine"
    assert [row["ratio"] for row in said["rows"]] == [25.0, 0.5, None, None, None]
    assert report.load(path) == (RESULT, MADE)


def test_markdown_is_a_table() -> None:
    page = report.markdown([(RESULT, MADE)])
    assert "## Made up" in page
    assert "2025-11-24 08:00 UTC, commit abc1234, a machine." in page
    assert "| faster | 2 µs | other 1.0 | 50 µs | 25 × | at least 20 × | yes |" in page
    assert "- alone: of 2,131,320" in page


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two benchmarks: one that works and misses an aim, one that cannot run."""
    good, broken = ModuleType("benchmarks.decoding"), ModuleType("benchmarks.rigs")
    good.run = lambda quick: RESULT  # type: ignore[attr-defined]

    def fail(quick: bool) -> Result:
        raise RuntimeError("the machine is on fire")

    broken.run = fail  # type: ignore[attr-defined]
    monkeypatch.setitem(harness.sys.modules, "benchmarks.decoding", good)
    monkeypatch.setitem(harness.sys.modules, "benchmarks.rigs", broken)
    monkeypatch.setattr(harness, "RESULTS", tmp_path)


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["decoding"], 0), (["decoding", "--strict"], 1), (["rigs"], 1), (["rigs", "decoding", "--quick"], 1)],
)
def test_exit_codes(arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(harness.sys, "argv", ["benchmarks", *arguments])
    monkeypatch.setattr(harness.signal, "signal", lambda *_: None)
    assert harness.main() == code
    folder = tmp_path / "quick" if "--quick" in arguments else tmp_path
    assert (folder / "decoding.json").exists() == ("decoding" in arguments)


@pytest.mark.parametrize("arguments", [["no_such"], ["--quick", "--publish"]])
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        harness.arguments(arguments)
