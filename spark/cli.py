"""`pitlane spark …`: thin verbs over the functions of this part."""

from typing import Annotated

import orjson
import typer
from rich.progress import Progress

from pitlane.settings import SparkSettings
from spark import progress

app = typer.Typer(help="The history: from Kafka to Postgres.", no_args_is_help=True)


@app.command()
def run() -> None:
    """Run the stream until Ctrl-C, as `pitlane up` does in the background."""
    from spark import stream  # here and below: Spark takes seconds to import, `--help` should not

    stream.run(SparkSettings())


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """How the stream stands: its last micro-batch, and how far it is behind. Exit code 1 when it does not run."""
    said = progress.read(SparkSettings().spark_checkpoint)
    if as_json:
        typer.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2))
    else:
        typer.echo("\n".join(progress.in_words(said)))
    if said["state"] != "running":
        raise typer.Exit(1)


@app.command()
def batch() -> None:
    """Make the facts again from everything that Kafka holds; nothing counts twice."""
    from spark import backfill

    with Progress() as progress:
        bar = progress.add_task("blocks", total=None)
        total = backfill.run(SparkSettings(), lambda done, all_: progress.update(bar, completed=done, total=all_))
    typer.echo(f"{total:,} blocks read")


def rebuild(
    force: Annotated[
        list[str] | None,
        typer.Option(
            help="A session (16 hex digits) to make as the raw data has it, even where that is less or nothing."
        ),
    ] = None,
) -> None:
    """Make all facts again from the raw archive and Kafka, beside the history that is there, and put them in its place."""
    from spark import rebuild

    with Progress() as progress:
        bar = progress.add_task("blocks", total=None)
        report = lambda done, all_: progress.update(bar, completed=done, total=all_)  # noqa: E731
        outcome = rebuild.run(SparkSettings(), [each.lower() for each in force or ()], report)
    typer.echo(f"{outcome.blocks:,} blocks read")
    for kept in outcome.kept:
        has = "nothing" if kept.is_gone else "only a part"
        typer.echo(f"session {kept.session} of {kept.rig} is as before: of its raw data {has} is left")
    if outcome.kept:
        typer.echo("pitlane rebuild --force SESSION makes one as its raw data has it all the same")
