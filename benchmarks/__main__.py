"""`python -m benchmarks [NAME …]`: runs them one after another, prints a table for each and writes JSON.

Ends with 1 when a benchmark could not run, and with --strict also when an aim is not met.
"""

import argparse
import importlib
import shutil
import signal
import sys
import traceback
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from benchmarks import report
from pitlane.errors import PitlaneError
from pitlane.settings import HOME, REPOSITORY

BENCHMARKS = (
    "decoding",
    "live_latency",
    "marts",
    "decode_processor",
    "archive_size",
    "nifi_throughput",
    "rigs",
    "flood",
    "outage",
    "crash",
    "kafka_to_postgres",
    "lap_latency",
    "chain",
    "rebuild",
    "kafka_outage",
    "kills",
)
"""In the order that they run in: the short ones first."""

RESULTS = HOME / "benchmarks"
PUBLISHED = REPOSITORY / "benchmarks" / "results"


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures, and says what it found.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="a smoke run: short, its numbers mean little")
    parser.add_argument("--strict", action="store_true", help="an aim not met ends with 1")
    parser.add_argument("--publish", action="store_true", help="also into benchmarks/results and RESULTS.md")
    chosen = parser.parse_args(given)
    if unknown := set(chosen.names) - set(BENCHMARKS):
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if chosen.publish and chosen.quick:
        parser.error("a smoke run's numbers are not published")
    return chosen


def run(name: str, quick: bool, console: Console) -> report.Result | None:
    """One benchmark; None, after saying why, when it could not run."""
    console.rule(f"[bold]{name}[/]", align="left")
    try:
        result: report.Result = importlib.import_module(f"benchmarks.{name}").run(quick)
    except PitlaneError as error:
        console.print(f"[red]{name} could not run:[/] {escape(str(error))}\n{escape(error.hint)}", highlight=False)
        return None
    except Exception:
        console.print(f"[red]{name} could not run:[/]\n{escape(traceback.format_exc())}", highlight=False)
        return None
    console.print(report.table(result))
    return result


def publish(saved: Path) -> None:
    """Beside the code, with what was published before."""
    PUBLISHED.mkdir(exist_ok=True)
    shutil.copy(saved, PUBLISHED)
    known = [PUBLISHED / f"{name}.json" for name in BENCHMARKS]
    page = report.markdown(report.load(path) for path in known if path.exists())
    (PUBLISHED.parent / "RESULTS.md").write_text(page, encoding="utf-8")


def main() -> int:
    chosen = arguments(sys.argv[1:])
    console = Console(width=None if sys.stdout.isatty() else 160)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # servers are stopped as if by Ctrl-C
    failed, missed = [], []
    for name in chosen.names or BENCHMARKS:
        made = report.Circumstances.now(chosen.quick)
        result = run(name, chosen.quick, console)
        if result is None:
            failed.append(name)
            continue
        saved = (RESULTS / "quick" if chosen.quick else RESULTS) / f"{name}.json"
        report.save(saved, result, made)
        console.print(f"[dim]{saved}[/]", highlight=False)
        if chosen.publish:
            publish(saved)
        missed += [f"{name}: {row.what} ({row.aim})" for row in result.missed]
    for line in missed:
        console.print(f"[bold red]aim not met[/] {escape(line)}", highlight=False)
    if failed:
        console.print(f"[bold red]could not run[/] {', '.join(failed)}", highlight=False)
    return 1 if failed or (chosen.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
