"""`pitlane flow …`: prints what the verbs return.

Exit codes, for scripts:

    0   done, or nothing to do
    1   an error in one line; verify: something failed; status: something does not run
    2   the command is used wrongly
    3   diff: there are differences; drain: something is left
"""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from nifi import report
from nifi.repository import FLOW as NAME
from pitlane.settings import NifiSettings

EXIT_CODES = """
[bold]Exit codes[/]

0  done, or nothing to do

1  an error in one line; verify: something failed; status: something does not run

2  the command is used wrongly

3  diff: there are differences; drain: something is left
"""

app = typer.Typer(
    help="The NiFi flow: from the repository into NiFi, changed there, and back as a new version.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog=EXIT_CODES,
)
console = Console(highlight=False)

NOT_RUNNING, DIFFERENT, LEFT = 1, 3, 3

Group = Annotated[str, typer.Option("--group", metavar="NAME", help="The process group on NiFi's outermost canvas.")]
Profile = Annotated[
    str, typer.Option("--profile", metavar="NAME", help="A profile of nipyapi: another NiFi. [PITLANE_NIFI_PROFILE]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# The verbs load nipyapi, which takes a second: only when one is called.


def _settings(profile: str) -> NifiSettings:
    return NifiSettings(nifi_profile=profile) if profile else NifiSettings()


def _print_json(result: Any) -> None:
    typer.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2))


@app.command()
def deploy(
    version: Annotated[int | None, typer.Option("--version", min=1, help="Which; the newest by default.")] = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Run it, or only verify it.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Undo changes on the canvas that are in no version.")] = False,
    keep: Annotated[bool, typer.Option("--keep-changes", help="Leave a changed canvas as it is and run it.")] = False,
    group: Group = NAME,
    profile: Profile = "",
    json: AsJson = False,
) -> None:
    """Make NiFi run a version of the flow. Queued blocks stay. A second run changes nothing."""
    from nifi.deploy import deploy as verb

    if force and keep:
        raise typer.BadParameter("--force undoes what --keep-changes keeps")
    result = verb(_settings(profile), version, group, start=start, force=force, keep_changes=keep)
    _print_json(result) if json else report.deployed(console, result)


@app.command()
def diff(
    version: Annotated[int | None, typer.Argument(min=1, help="Instead of the one the canvas is based on.")] = None,
    other: Annotated[int | None, typer.Argument(min=1, help="Instead of the canvas: two versions, no NiFi.")] = None,
    group: Group = NAME,
    profile: Profile = "",
    json: AsJson = False,
) -> None:
    """What differs between the canvas and a version, or between two versions. Exit code 3 when something does."""
    from nifi.diff import diff as verb

    result = verb(_settings(profile), version, other, group)
    _print_json(result) if json else report.compared(console, result)
    if result["changes"]:
        raise typer.Exit(DIFFERENT)


@app.command()
def commit(
    message: Annotated[str, typer.Option("--message", "-m", help="What was changed and why.")],
    group: Group = NAME,
    profile: Profile = "",
    json: AsJson = False,
) -> None:
    """Make what was changed on the canvas the next version: a new file in the repository, for git to commit."""
    from nifi.commit import commit as verb

    result = verb(_settings(profile), message, group)
    _print_json(result) if json else report.committed(console, result)


@app.command()
def revert(group: Group = NAME, profile: Profile = "", json: AsJson = False) -> None:
    """Undo what was changed on the canvas since its version."""
    from nifi.revert import revert as verb

    result = verb(_settings(profile), group)
    _print_json(result) if json else report.reverted(console, result)


@app.command()
def versions(group: Group = NAME, profile: Profile = "", json: AsJson = False) -> None:
    """The flow's versions in the repository, and which one NiFi has."""
    from nifi.versions import versions as verb

    result = verb(_settings(profile), group)
    _print_json(result) if json else report.listed(console, result)


@app.command()
def status(group: Group = NAME, profile: Profile = "", json: AsJson = False) -> None:
    """Version, queues, errors, threads and bulletins. Exit code 1 when something does not run."""
    from nifi.status import status as verb

    result = verb(_settings(profile), group)
    _print_json(result) if json else report.state(console, result)
    if result["stopped"] or result["invalid"]:
        raise typer.Exit(NOT_RUNNING)


@app.command()
def verify(group: Group = NAME, profile: Profile = "", json: AsJson = False) -> None:
    """Have NiFi verify every processor and service that does not run. Exit code 1 when something fails."""
    from nifi.verify import verify as verb

    result = verb(_settings(profile), group)
    _print_json(result) if json else report.verified(console, result)
    if result["failed"]:
        raise typer.Exit(NOT_RUNNING)


@app.command()
def start(group: Group = NAME, profile: Profile = "", json: AsJson = False) -> None:
    """Verify and start what does not run, and wait until blocks are received."""
    from nifi.start import start as verb

    result = verb(_settings(profile), group)
    _print_json(result) if json else report.started(console, result)


@app.command()
def stop(group: Group = NAME, profile: Profile = "", json: AsJson = False) -> None:
    """Stop the flow. What is queued stays queued."""
    from nifi.stop import stop as verb

    result = verb(_settings(profile), group)
    _print_json(result) if json else report.stopped(console, result)


@app.command()
def drain(
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait.")] = 60,
    group: Group = NAME,
    profile: Profile = "",
    json: AsJson = False,
) -> None:
    """Stop what receives and wait until every queue is empty. Exit code 3 when something is left."""
    from nifi.drain import drain as verb

    result = verb(_settings(profile), group, timeout)
    _print_json(result) if json else report.drained(console, result)
    if not result["drained"]:
        raise typer.Exit(LEFT)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where to.")] = Path(f"{NAME}.json"),
    group: Group = NAME,
    profile: Profile = "",
    json: AsJson = False,
) -> None:
    """Write the flow as it is on the canvas to a file that any NiFi imports, committed or not."""
    from nifi.export import export as verb

    result = verb(_settings(profile), file, group)
    _print_json(result) if json else report.exported(console, result)
