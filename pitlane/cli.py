"""The `pitlane` command. Each verb is thin: it reads its arguments, calls one function of a part, and prints.

Errors that a person can act on (`PitlaneError`) end in one line with a hint and exit code 1.
"""

import functools
import os
import sys
from collections import deque
from datetime import UTC, datetime
from time import sleep
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from nifi.cli import app as flow
from pitlane import cli_capture
from pitlane.cli_dead_letters import app as dead_letters
from pitlane.cli_history import app as history
from pitlane.errors import PitlaneError
from spark.cli import app as spark
from spark.cli import rebuild as make_again

app = typer.Typer(
    help="F1 game telemetry from UDP to a dashboard.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console(highlight=False)
complaints = Console(stderr=True, highlight=False)

MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
STATES = {"running": "green", "unhealthy": "yellow", "stopped": "dim"}


@app.command()
def up() -> None:
    """Start everything that does not run, and wait until it is healthy."""
    from pitlane.stack.stack import Stack  # here and below: only the verbs that need the servers load them

    stack = Stack.demo()
    console.print("[bold]Starting[/]")
    stack.up(console)
    _print_addresses()


@app.command()
def down() -> None:
    """Stop everything. Data stays."""
    from pitlane.stack.stack import Stack

    console.print("[bold]Stopping[/]")
    Stack.demo().down(console)


@app.command()
def status(
    logins: Annotated[bool, typer.Option("--logins", help="Also print addresses and generated passwords.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show the gateway's numbers until Ctrl-C.")] = False,
) -> None:
    """Which parts run, where, since when and with how much memory; or, watched, what the gateway does right now."""
    from pitlane.stack.stack import Stack

    if watch:
        from pitlane.watch import watch as draw

        return draw(Stack.demo().gateway.status, console)
    table = Table("part", "state", "pid", "address", "memory", "since", "says", box=None, header_style="bold")
    states = Stack.demo().states()
    for state in states:
        running = state.pid is not None
        table.add_row(
            state.name,
            f"[{STATES[state.state]}]{state.state}[/]",
            str(state.pid) if running else "",
            state.address,
            f"{state.memory_bytes / 2**20:,.0f} MB" if running else "",
            _ago(state.since) if state.since else "",
            state.detail,
        )
    console.print(table)
    if logins:
        _print_addresses()
    if any(state.state != "running" for state in states):
        raise typer.Exit(1)


@app.command()
def certificates() -> None:
    """Make the certificates of the stack, renew those that end soon, and show them all. `pitlane up` does it too."""
    from pitlane.certificates import ensure
    from pitlane.settings import CertificateSettings
    from pitlane.stack.stack import Stack

    stack = Stack.demo()
    with stack.locked():
        stack.write_environment()
        found = ensure(stack.settings(CertificateSettings))
    table = Table("for", "name", "valid until", "file", "", box=None, header_style="bold")
    for each in found:
        new = "[green]new[/]" if each.is_new else ""
        table.add_row(each.role, each.subject, f"{each.ends:%Y-%m-%d}", str(each.path), new)
    console.print(table)
    if any(each.is_new for each in found) and stack.nifi.process() is not None:
        console.print("NiFi reads them when it starts: pitlane down, then pitlane up")


@app.command()
def doctor() -> None:
    """Say in one line why no data arrives, or that it does."""
    from pitlane.doctor import diagnose
    from pitlane.stack.stack import Stack

    finding = diagnose(Stack.demo())
    mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
    console.print(mark, end=" ")
    console.print(finding.text, markup=False, soft_wrap=True)
    if not finding.ok:
        raise typer.Exit(1)


@app.command()
def reconcile(
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds that what is on its way may take.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Whether every datagram is where it belongs. Exit code 1 when a sum does not close, 3 when that cannot be told."""
    from pitlane import reconcile as sums
    from pitlane.stack.stack import Stack

    with complaints.status("") as line:
        found, ledger = sums.reconcile(Stack.demo(), wait, line.update)
    if json:
        typer.echo(orjson.dumps(sums.as_dict(found, ledger), option=orjson.OPT_INDENT_2))
    for equation in () if json else found:
        console.print(MARKS[equation.closes], f"[bold]{equation.name:<12}[/] {equation}", soft_wrap=True)
        for remark in equation.remarks:
            console.print(f"  {'':<12} {remark}", style="dim" if equation.closes else "", markup=False, soft_wrap=True)
    if code := sums.exit_code(found):
        raise typer.Exit(code)


@app.command()
def logs(
    part: Annotated[str, typer.Argument(help="postgres, kafka, nifi, gateway, spark or superset; none: all.")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
) -> None:
    """The end of a part's log."""
    from pitlane.stack.stack import Stack

    stack = Stack.demo()
    chosen = [stack.server(part)] if part else list(reversed(stack.servers))
    files = {path: server.name for server in chosen for path in server.logs() if path.exists()}
    width = max(map(len, files.values()), default=0)
    positions = {}
    for path, name in files.items():
        with path.open("rb") as file:
            for line in deque(file, maxlen=lines):
                _print_line(name.ljust(width) if not part else "", line)
            positions[path] = file.tell()
    while follow:
        for path, name in files.items():
            size = path.stat().st_size if path.exists() else 0
            with path.open("rb") as file:
                file.seek(positions[path] if size >= positions[path] else 0)  # shorter: it was rotated
                for line in file:
                    _print_line(name.ljust(width) if not part else "", line)
                positions[path] = file.tell()
        sleep(0.5)


@app.command()
def tap(
    topic: Annotated[str, typer.Argument(help="f1.lap_data, or lap_data for short.")],
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many datagrams.")] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning/--from-now", help="From the first record, or from what comes now.")
    ] = True,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on when the end is reached.")] = False,
    at: Annotated[
        str,
        typer.Option(metavar="SHARD:OFFSET[:DATAGRAM]", help="One record, or one datagram of it, and nothing else."),
    ] = "",
) -> None:
    """Print a topic as lines of JSON, one a datagram, decoded."""
    from pitlane.settings import KafkaSettings
    from pitlane.tap import Place
    from pitlane.tap import tap as read

    try:
        place = Place.of(at) if at else None
    except ValueError:
        raise typer.BadParameter("two or three numbers: SHARD:OFFSET[:DATAGRAM]", param_hint="--at") from None
    datagrams = read(
        topic, KafkaSettings(), from_beginning=from_beginning, follow=follow or not from_beginning, at=place
    )
    for count, datagram in enumerate(datagrams, 1):
        sys.stdout.buffer.write(orjson.dumps(datagram, option=orjson.OPT_APPEND_NEWLINE))
        if follow:
            sys.stdout.buffer.flush()
        if count == limit:
            break


@app.command()
def demo(
    capture: Annotated[
        str, typer.Argument(help="A .pcap file, or time-trial or race for a recording; none: a simulated race.")
    ] = "",
) -> None:
    """Start everything, send a race over UDP, wait until all of it is stored, and show what arrived where."""
    from pitlane import demo as show
    from pitlane.stack.stack import Stack

    show.run(Stack.demo(), capture, console)
    _print_addresses()


@app.command()
def clean() -> None:
    """Stop everything and delete the stack's data and passwords; what is installed stays."""
    from pitlane.stack.stack import Stack

    stack = Stack.demo()
    stack.down(console)
    stack.remove()
    console.print(f"  {stack.home} deleted")


def _spark_java() -> None:
    """Spark dies on a JDK that is too new, so it gets one that suits and not the first of the PATH."""
    from pitlane.stack import jdks

    os.environ["JAVA_HOME"] = str(jdks.jdk("Spark").home)


for verb in (cli_capture.simulate, cli_capture.replay, cli_capture.record, cli_capture.samples):
    app.command()(verb)
app.add_typer(flow, name="flow")
app.add_typer(dead_letters, name="dlq")
app.add_typer(history, name="history")
app.add_typer(spark, name="spark", callback=_spark_java)


@app.command()
@functools.wraps(make_again)
def rebuild(**arguments: Any) -> None:
    _spark_java()
    make_again(**arguments)


def _print_addresses() -> None:
    from pitlane.stack.stack import Stack

    for name, address, login in Stack.demo().addresses():
        # Lines and no table: a table cuts passwords to fit a narrow terminal.
        console.print(f"  {name:<15} {address:<34} {login}".rstrip(), markup=False, soft_wrap=True)


def _print_line(name: str, line: bytes) -> None:
    text = line.decode(errors="replace").rstrip("\n")
    console.print(f"{name} {text}" if name else text, markup=False, soft_wrap=True)


def _ago(since: datetime) -> str:
    seconds = int((datetime.now(UTC) - since).total_seconds())
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return f"{hours} h {minutes} min ago" if hours else f"{minutes} min ago" if minutes else f"{seconds} s ago"


def main() -> None:
    try:
        app()
    except PitlaneError as error:
        complaints.print(f"[red]{error.reason.replace('_', ' ')}[/]: ", end="")
        complaints.print(f"{error}{f' ({error.hint})' if error.hint else ''}", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `pitlane tap … | head`
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
