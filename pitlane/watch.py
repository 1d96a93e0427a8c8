"""`pitlane status --watch`: the gateway's numbers in a terminal, refreshed each second.

`view` is pure: two statuses in, what to draw out; rates and trends are the differences between the two, by the
gateway's own clock. `watch` asks, draws and sleeps until Ctrl-C; a gateway that is away is said and asked again.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

Status = Mapping[str, Any]

EVERY_S = 1.0
SILENT_S = 2.0
"""As the gateway's own feed: after so long a rig is no longer shown as sending."""
BAR = 8
NEIGHBOURS = {"nifi": "NiFi", "postgres": "Postgres", "grafana": "Grafana"}
STATES = {"up": "green", "down": "red", "unknown": "dim"}
LOSS_WARN, LOSS_BAD = 0.001, 0.01
"""Share of frames missing from which it is shown in yellow, and in red."""
FEWEST_RIGS = 3
"""Shown however low the terminal is."""


def watch(read: Callable[[], Status], console: Console, every_s: float = EVERY_S) -> None:
    """Draws until Ctrl-C what `read` says (OSError or ValueError: the gateway is away); into a file, one view."""
    before: Status | None = None
    with suppress(KeyboardInterrupt), Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            try:
                now = read()
            except (OSError, ValueError) as error:
                shown, before = away(error), None
            else:
                shown, before = view(before, now, time.time(), console.height), now
            live.update(shown, refresh=True)
            if not console.is_terminal:
                return
            time.sleep(every_s)


def away(error: Exception) -> RenderableType:
    reason = str(error).removeprefix("<urlopen error ").removesuffix(">")
    text = Text.assemble(("The gateway does not answer", "bold red"), f"\n{reason}\n\n", ("asking again; ", "dim"))
    return _panel(text.append("pitlane up starts it, pitlane doctor says more", "dim"), "")


def view(before: Status | None, now: Status, clock_s: float, height: int = 24) -> RenderableType:
    """The status `now`; rates and trends need the one `before` (None: the first).

    `clock_s` is the time since the epoch, `height` the terminal's lines.
    """
    elapsed_s = now["uptime_s"] - before["uptime_s"] if before else 0.0
    if before is None or elapsed_s <= 0:  # the first look, or the gateway was started again
        before, elapsed_s = now, 0.0
    above = [_flow(before, now, elapsed_s), _trouble(before, now)]
    below = [_waiting(before, now, elapsed_s), _others(now, clock_s)]
    # A blank line before each part, the heads of two tables, the frame, and the line that the cursor is in.
    others = sum(part.row_count + 1 for part in (*above, *below) if part.row_count) + 5
    parts = [*above, _rigs(now, max(FEWEST_RIGS, height - others)), *below]
    spaced = [each for part in parts if part.row_count for each in (Text(), part)][1:]
    return _panel(Group(*spaced), f"up {_duration(now['uptime_s'])}")


def _panel(body: RenderableType, right: str) -> Panel:
    title = Text.assemble(("Pitlane gateway", "bold"), (f" · {right}" if right else "", "dim"))
    return Panel(
        body, title=title, title_align="left", subtitle=Text("Ctrl-C ends", "dim"), subtitle_align="right",
        box=box.ROUNDED, border_style="dim", padding=(0, 1),
    )  # fmt: skip


def _flow(before: Status, now: Status, elapsed_s: float) -> Table:
    """Big numbers: what comes in and where it goes, a second and altogether."""
    table = Table(box=None, expand=True, header_style="dim", padding=(0, 1, 0, 0))
    columns = {
        "received": (before["received"], now["received"]),
        "to NiFi": (before["forwarded"], now["forwarded"]),
        "to Postgres": (before["stored"], now["stored"]),
        "rejected": (_total(before["rejected"]), _total(now["rejected"])),
        "dropped": (_total(before["dropped"]), _total(now["dropped"])),
    }
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True, ratio=1)
    table.add_column("viewers", justify="right", no_wrap=True, ratio=1)

    def rate(name: str) -> Text:
        first, last = columns[name]
        if not elapsed_s:
            return Text("–", "dim")
        style = "bold red" if name in ("rejected", "dropped") and last > first else "bold"
        return Text(f"{(last - first) / elapsed_s:,.0f}/s", style)

    table.add_row(*map(rate, columns), Text(str(now["viewers"]), "bold"))
    table.add_row(*(Text(f"{last:,}", "dim") for _, last in columns.values()), "")
    return table


def _trouble(before: Status, now: Status) -> Table:
    """What was refused or lost, by reason; nothing where there is nothing."""
    table = Table.grid(padding=(0, 2))
    for name, style in (("rejected", "yellow"), ("dropped", "red")):
        if reasons := now[name]:
            text = Text(", ").join(
                Text(f"{reason} {count:,}", style if count > before[name].get(reason, 0) else "")
                for reason, count in sorted(reasons.items())
            )
            table.add_row(Text(name, "dim"), text)
    kernel = now["kernel"]
    if drops := kernel["drops"]:
        more = drops > (before["kernel"]["drops"] or 0)
        table.add_row(
            Text("kernel", "dim"), Text(f"{drops:,} lost in a full receive buffer", "bold red" if more else "red")
        )
    given, wanted = kernel["buffer_bytes"], kernel.get("buffer_wanted_bytes")
    if given and wanted and given < wanted:
        table.add_row(
            Text("buffer", "dim"), Text(f"{_bytes(given)} of {_bytes(wanted)} asked for: raise net.core.rmem_max")
        )
    return table


def _rigs(now: Status, most: int) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("rig", no_wrap=True, overflow="ellipsis", ratio=1, min_width=8)
    for name in ("rate", "format", "session", "missing", "silent", "viewers"):
        table.add_column(name, justify="left" if name == "session" else "right", no_wrap=True)
    # Who sends stands first, so that a low terminal cuts those off who do not.
    rigs = sorted(now["rigs"].items(), key=lambda each: (each[1]["silent_s"] > SILENT_S, each[0]))
    shown = rigs if len(rigs) <= most else rigs[: most - 1]
    for name, rig in shown:
        silent = rig["silent_s"] > SILENT_S
        session = rig["session"]
        table.add_row(
            Text(name, "dim" if silent else "bold"),
            Text(f"{rig['rate_hz']:.1f}/s", "dim" if silent else "green"),
            str(rig["format"]),
            Text(session) if session.strip("0") else Text("none (menus)", "dim"),
            _loss(rig),
            Text(_duration(rig["silent_s"]), "yellow") if silent else Text("–", "dim"),
            str(rig.get("viewers", "")),
        )
    if len(shown) < len(rigs):
        table.add_row(Text(f"… {len(rigs) - len(shown):,} more", "dim"))
    if not rigs:
        table.add_row(Text("nobody has sent anything yet", "dim"))
    return table


def _loss(rig: Mapping[str, Any]) -> Text:
    missing, came = rig["frame_gaps"], rig.get("frames", 0)
    if not missing:
        return Text("0", "dim")
    share = missing / (missing + came) if came else 0.0
    style = "red" if share >= LOSS_BAD else "yellow" if share >= LOSS_WARN else ""
    return Text(f"{missing:,}" + (f" ({share:.1%})" if came else ""), style)


def _waiting(before: Status, now: Status, elapsed_s: float) -> Table:
    """The spools: how full, how old, and whether they grow or drain."""
    table = Table.grid(padding=(0, 1))
    for _ in range(4):
        table.add_column(no_wrap=True, overflow="ellipsis")
    spools = now.get("spool", {})
    for name, spool in spools.items():
        share = spool["bytes"] / spool["limit_bytes"]
        full = Text("█" * round(share * BAR), "red" if share > 0.5 else "yellow" if share > 0.1 else "green")
        bar = full + Text("░" * (BAR - len(full)), "dim")
        what = f"{_bytes(spool['bytes'])} · {spool['datagrams']:,} packets · {_duration(spool['oldest_s'])}"
        earlier = before["spool"][name]["bytes"]
        table.add_row(
            Text(f"spool {NEIGHBOURS.get(name, name)}", "dim"),
            bar,
            Text(what) if spool["bytes"] else Text("empty", "dim"),
            _trend(earlier, spool["bytes"], elapsed_s),
        )
    return table


def _trend(before: int, now: int, elapsed_s: float) -> Text:
    if not elapsed_s or before == now:
        return Text()
    speed = abs(now - before) / elapsed_s
    if now > before:
        return Text(f"▲ {_bytes(speed)}/s", "yellow")
    left = f", {_duration(now / speed)} left" if now else ""
    return Text(f"▼ {_bytes(speed)}/s{left}", "green")


def _others(now: Status, clock_s: float) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)  # an error may be long
    for name, title in NEIGHBOURS.items():
        if neighbour := now.get(name):  # Grafana is none where nothing is pushed
            state = neighbour["state"]
            since = clock_s - neighbour["since"]
            told = neighbour["last_error"] if state == "down" else ""
            word = f"{state} for {_duration(since)}" if state != "unknown" and since > 0 else state
            table.add_row(Text(title, "dim"), Text.assemble(("● ", STATES[state]), word), Text(told, "red"))
    for each in now.get("relay", ()):
        failed = f", {each['failed']:,} failed" if each["failed"] else ""
        table.add_row(
            Text("relay", "dim"), Text(each["target"]), Text.assemble(f"{each['sent']:,} sent", (failed, "red"))
        )
    return table


def _total(by_reason: Mapping[str, int]) -> int:
    return sum(by_reason.values())


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if minutes < 1:
        return f"{seconds:.0f} s"
    if hours < 1:
        return f"{int(minutes)} min"
    return f"{int(hours)} h {int(minutes) % 60} min" if days < 1 else f"{int(days)} d {int(hours) % 24} h"
