"""What a benchmark found: rows of ours beside a peer's number and the aim, as a table, as JSON and as Markdown."""

import dataclasses
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from pitlane.settings import REPOSITORY

HEADINGS = ("measured", "Pitlane", "peer", "its number", "ratio", "aim", "met")


@dataclass(frozen=True)
class Row:
    """One number. Without `aim` it is there to be known; `met` None says that it could not be judged (a peer is missing)."""

    what: str
    ours: float | None
    unit: str
    peer: str = ""
    """What stands beside it, with its version."""
    theirs: float | None = None
    less_is_better: bool = True
    aim: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than the peer's; below 1 it is worse."""
        if self.ours is None or self.theirs is None or not (self.ours and self.theirs):
            return None
        return self.theirs / self.ours if self.less_is_better else self.ours / self.theirs

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of HEADINGS."""
        ratio = "" if self.ratio is None else f"{_number(self.ratio)} ×"
        theirs = "not run" if self.peer and self.theirs is None else _quantity(self.theirs, self.unit)
        verdict = "" if not self.aim else {True: "yes", False: "NO", None: "not judged"}[self.met]
        return self.what, _quantity(self.ours, self.unit), self.peer, theirs, ratio, self.aim, verdict


def none(what: str, count: int, note: str = "") -> Row:
    """A row of datagrams of which there must be none."""
    return Row(what, count, "datagrams", aim="none", met=count == 0, note=note)


@dataclass(frozen=True)
class Result:
    """What one benchmark found. `notes` say what a reader must know to judge the numbers."""

    name: str
    title: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)

    @property
    def missed(self) -> list[Row]:
        """Rows whose aim is not met."""
        return [row for row in self.rows if row.aim and row.met is False]


@dataclass(frozen=True)
class Circumstances:
    """Where and when a result was made."""

    at: str
    commit: str
    machine: str
    quick: bool

    @classmethod
    def now(cls, quick: bool) -> "Circumstances":
        return cls(datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), _commit(), _machine(), quick)


def table(result: Result) -> Table:
    """For a terminal."""
    drawn = Table(title=result.title, title_justify="left", box=box.SIMPLE_HEAD, caption_justify="left")
    drawn.caption = "\n".join(result.notes + [f"{row.what}: {row.note}" for row in result.rows if row.note])
    for heading in HEADINGS:
        drawn.add_column(heading, justify="right" if heading in ("Pitlane", "its number", "ratio") else "left")
    for row in result.rows:
        style = {True: "green", False: "bold red", None: "yellow"}[row.met] if row.aim else ""
        *cells, verdict = row.cells()
        drawn.add_row(*cells, f"[{style}]{verdict}[/]" if style else verdict)
    return drawn


def save(path: Path, result: Result, circumstances: Circumstances) -> None:
    """Result and circumstances as JSON; each row with its ratio."""
    said: dict[str, Any] = dataclasses.asdict(circumstances) | dataclasses.asdict(result)
    for raw, row in zip(said["rows"], result.rows, strict=True):
        raw["ratio"] = row.ratio
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> tuple[Result, Circumstances]:
    """What `save` wrote."""
    said = json.loads(path.read_text(encoding="utf-8"))
    rows = [Row(**{name: value for name, value in raw.items() if name != "ratio"}) for raw in said["rows"]]
    names = [each.name for each in dataclasses.fields(Circumstances)]
    return Result(said["name"], said["title"], rows, said["notes"]), Circumstances(*(said[name] for name in names))


def markdown(results: Iterable[tuple[Result, Circumstances]]) -> str:
    """A page of results, for people who read and do not run."""
    lines = [
        "<!-- generated: make bench BENCH=--publish -->",
        "# What the benchmarks measured",
        "",
        "What each measures and how: [README](README.md).",
    ]
    for result, made in results:
        lines += ["", f"## {result.title}", "", f"{made.at}, commit {made.commit}, {made.machine}.", ""]
        lines += [_line(HEADINGS), _line("---" for _ in HEADINGS)]
        lines += [_line(row.cells()) for row in result.rows]
        notes = result.notes + [f"{row.what}: {row.note}" for row in result.rows if row.note]
        lines += ["", *(f"- {note}" for note in notes)] if notes else []
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _number(value: float) -> str:
    """Three digits that count, whole numbers whole."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.{2 if abs(value) >= 0.1 else 4}f}"


def _quantity(value: float | None, unit: str) -> str:
    return "" if value is None else f"{_number(value)} {unit}".strip()


def _commit() -> str:
    def git(*arguments: str) -> str:
        ran = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
        return ran.stdout.strip()

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    return commit + (" with changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
