"""`pitlane spark …`: thin verbs over the functions of this part."""

import typer
from rich.progress import Progress

from pitlane.settings import SparkSettings

app = typer.Typer(help="The history: from Kafka to Postgres.", no_args_is_help=True)


@app.command()
def run() -> None:
    """Run the stream until Ctrl-C, as `pitlane up` does in the background."""
    from spark import stream  # here and below: Spark takes seconds to import, `--help` should not

    stream.run(SparkSettings())


@app.command()
def batch() -> None:
    """Make the facts again from everything that Kafka holds; nothing counts twice."""
    from spark import backfill

    with Progress() as progress:
        bar = progress.add_task("blocks", total=None)
        total = backfill.run(SparkSettings(), lambda done, all_: progress.update(bar, completed=done, total=all_))
    typer.echo(f"{total:,} blocks read")
