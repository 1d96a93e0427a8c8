"""`pitlane history …`: how much of it is kept."""

from typing import Annotated

import psycopg
import typer

from pitlane.settings import HistorySettings

app = typer.Typer(help="The history in Postgres.", no_args_is_help=True)


@app.command()
def prune(
    trace_days: Annotated[
        int | None,
        typer.Option(min=1, help="Delete traces this old. Default: PITLANE_HISTORY_TRACE_DAYS.", show_default=False),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Delete sessions this old. Default: PITLANE_HISTORY_DAYS.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete the traces, or all, of sessions that ended so many days ago. Without a number of days nothing goes."""
    from postgres import retention

    settings = HistorySettings()
    chosen = (
        ("session", retention.WHOLE, days or settings.history_days),
        ("traces", retention.TRACES, trace_days or settings.history_trace_days),
    )
    if not any(age for _, _, age in chosen):
        typer.echo("everything is kept: neither PITLANE_HISTORY_DAYS nor PITLANE_HISTORY_TRACE_DAYS is set")
        return
    choose = retention.due if dry_run else retention.prune
    verb = "would go" if dry_run else "deleted"
    with psycopg.connect(settings.conninfo("owner"), autocommit=True) as owner:
        for what, parts, age in chosen:
            sessions = rows = 0
            for gone in choose(owner, parts, age) if age else ():
                typer.echo(f"{gone.last_seen_at:%Y-%m-%d}  {gone.label}: {what}, {gone.rows:,} rows {verb}")
                sessions += 1
                rows += gone.rows
            if age:
                typer.echo(f"{what} older than {age} days: {sessions:,} sessions, {rows:,} rows {verb}")
