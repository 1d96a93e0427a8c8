"""`pitlane flow …`: prints what the verbs return."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from nifi.build import FLOW_FILE
from pitlane.settings import NifiSettings

app = typer.Typer(help="The NiFi flow: from the repo into NiFi and back.", no_args_is_help=True)
console = Console(highlight=False)

FlowFile = Annotated[Path, typer.Option("--file", help="The flow definition.", dir_okay=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

# The verbs load nipyapi, which takes a second: only when one is called.


@app.command()
def deploy(file: FlowFile = FLOW_FILE, json: AsJson = False) -> None:
    """Make NiFi run the flow of the repo. A second run changes nothing."""
    from nifi.deploy import deploy as verb

    result = verb(NifiSettings(), file)
    if json:
        return _print_json(result)
    changed = ", ".join(result["parameters"])
    console.print(
        f"Flow {result['flow']}, {result['processors']} processors run" + (f"; set {changed}" if changed else "")
    )
    console.print(f"Blocks are received at {result['blocks_url']}")


@app.command()
def status(json: AsJson = False) -> None:
    """Queues, errors, threads and bulletins. Exit code 1 when something does not run."""
    from nifi.status import status as verb

    result = verb(NifiSettings())
    if json:
        _print_json(result)
    else:
        console.print(
            f"NiFi {result['nifi']}: {result['running']} running, {result['stopped']} stopped, {result['invalid']} "
            f"invalid; {result['threads']} threads; {result['queued']:,} blocks queued ({result['queued_bytes']:,} bytes)"
        )
        for queue in result["queues"]:
            console.print(f"  {queue['name']:<24} {queue['queued']:>8,} blocks  {queue['percent']:>3} % full")
        if result["parked"]:
            console.print(
                f"  [red]{result['parked']:,} blocks were refused even as dead letters; they wait at the funnel"
            )
        for error in result["errors"]:
            console.print(f"  [red]{error}[/]")
        for bulletin in result["bulletins"]:
            console.print(
                f"  {bulletin['time']} {bulletin['level']} {bulletin['source']}: {bulletin['message']}", markup=False
            )
    if result["stopped"] or result["invalid"]:
        raise typer.Exit(1)


@app.command()
def export(file: FlowFile = FLOW_FILE, json: AsJson = False) -> None:
    """Write the flow as it is on the canvas to a file, the repo's by default."""
    from nifi.export import export as verb

    result = verb(NifiSettings(), file)
    if json:
        return _print_json(result)
    console.print(f"{result['file']} {'changed' if result['changed'] else 'is the same as before'}")


@app.command()
def stop(json: AsJson = False) -> None:
    """Stop the flow. What is queued stays queued."""
    from nifi.stop import stop as verb

    result = verb(NifiSettings())
    if json:
        return _print_json(result)
    console.print(f"Stopped; {result['queued']:,} blocks stay queued")


def _print_json(result: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2))
