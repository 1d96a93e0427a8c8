"""What the verbs return, for people at a terminal."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nifi.difference import Change

if TYPE_CHECKING:  # its module loads NiFi's client and Kafka's
    from nifi.check import Finding

Result = dict[str, Any]

BAR = 20
SIGNS = {"added": ("+", "green"), "removed": ("−", "red"), "changed": ("~", "yellow"), "moved": ("↔", "dim")}
LEVELS = {"ERROR": "red", "WARNING": "yellow", "WARN": "yellow"}
STATES = {
    "UP_TO_DATE": ("up to date", "green"),
    "LOCALLY_MODIFIED": ("changed on the canvas", "yellow"),
    "STALE": ("behind", "yellow"),
    "LOCALLY_MODIFIED_AND_STALE": ("changed on the canvas, and behind", "yellow"),
    "SYNC_FAILURE": ("not compared", "red"),
}
DONE = {
    "created": "is new in NiFi",
    "upgraded": "replaces an older one",
    "downgraded": "replaces a newer one",
    "reverted": "is back: what was changed on the canvas is undone",
    "kept": "stays on the canvas with what was changed there and is in no version: pitlane flow diff",
    "unchanged": "was there already",
}


def deployed(console: Console, result: Result) -> None:
    mark, style = ("!", "yellow") if result["flow"] == "kept" else ("✓", "green")
    _line(console, mark, style, f"version {result['version']} ", DONE[result["flow"]])
    if result["parameters"]:
        _detail(console, f"parameters set: {', '.join(result['parameters'])}")
    if result["blocks_url"]:
        _detail(console, _running(result))
    else:
        _detail(console, "nothing was started: pitlane flow start")


def started(console: Console, result: Result) -> None:
    _line(console, "✓", "green", "", _running(result))


def _running(result: Result) -> str:
    return f"{result['processors']} processors run; blocks are received at {result['blocks_url']}"


def compared(console: Console, result: Result) -> None:
    new = "the canvas" if result["new"] is None else f"version {result['new']}"
    state, style = STATES.get(result["state"], ("", ""))
    line = Text.assemble(("version ", "dim"), str(result["old"]), (" → ", "dim"), new)
    console.print(line.append(f"  {state}", style) if state else line)
    changes(console, result["changes"])
    count = len(result["changes"])
    if count:
        console.print(f"{count} difference{'s' if count > 1 else ''}", style="bold")
    else:
        _line(console, "✓", "green", "", "no difference")


def changes(console: Console, told: Iterable[Change]) -> None:
    """A line for what came, went or moved; a component's changes below its name."""
    for (group, name, kind), members in groupby(told, lambda each: (each["group"], each["component"], each["kind"])):
        title = Text.assemble((name, "bold"), (f"  {kind}", "dim"), (f" in {group}" if group else "", "dim"))
        settings = []
        for each in members:
            if each["change"] == "changed":
                settings.append(each)
                continue
            sign, style = SIGNS[each["change"]]
            what = each["new"] or each["old"] if each["change"] in ("added", "removed") else each["property"]
            line = Text.assemble((f"  {sign} ", style), title, (f"  {each['change']}", style))
            console.print(line.append(f"  {what}", "dim") if what else line, soft_wrap=True)
        if settings:
            console.print(Text.assemble(("  ~ ", "yellow"), title), soft_wrap=True)
            console.print(_settings(settings))


def _settings(told: list[Change]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=2)
    table.add_column(style="dim", ratio=1, max_width=34)
    table.add_column(ratio=3)
    for each in told:
        value = Text.assemble(_value(each["old"], "red"), (" → ", "dim"), _value(each["new"], "green"))
        table.add_row("", each["property"], value)
    return table


def _value(value: str | None, style: str) -> tuple[str, str]:
    return ("none", "dim") if value is None else (value, style)


def committed(console: Console, result: Result) -> None:
    if result["changed"]:
        _line(console, "✓", "green", f"version {result['version']} ", "is committed")
        _detail(console, result["file"])
    else:
        _line(console, "✓", "green", "", f"nothing to commit: the canvas is version {result['version']}")


def reverted(console: Console, result: Result) -> None:
    if result["undone"]:
        _line(console, "✓", "green", "", f"back to version {result['version']}; undone:")
        changes(console, result["undone"])
    else:
        _line(console, "✓", "green", "", f"nothing to undo: the canvas is version {result['version']}")


def listed(console: Console, versions: list[Result]) -> None:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("version", justify="right")
    for title in ("committed", "by", "message"):
        table.add_column(title)
    table.add_column("")
    for each in versions:
        time = datetime.fromisoformat(each["time"]).astimezone().strftime("%Y-%m-%d %H:%M") if each["time"] else ""
        mark = Text("● in NiFi", "green") if each["deployed"] else Text()
        table.add_row(Text(str(each["version"]), "bold"), time, Text(each["author"]), Text(each["comment"]), mark)
    console.print(table)
    if any(each["deployed"] is None for each in versions):
        console.print("no NiFi answers, so which one it has is not known", style="dim")


def state(console: Console, result: Result) -> None:
    version = result["version"]
    if version is None:
        line = Text("under no version control", "yellow")
    else:
        words, style = STATES[version["state"]]
        line = Text.assemble(f"version {version['number']}", (f"  {words}", style))
        if version["newest"] is not None and version["newest"] > version["number"]:
            line.append(f", {version['newest']} is the newest", "yellow")
        if version["state"] == "SYNC_FAILURE":
            line.append(f"  {version['told']}", "red")
    told = Table.grid(padding=(0, 2))
    told.add_row(Text("flow", "dim"), line)
    told.add_row(Text("NiFi", "dim"), result["nifi"])
    told.add_row(Text("processors", "dim"), _processors(result))
    held = f"{result['queued']:,} FlowFiles, {_bytes(result['queued_bytes'])}" if result["queued"] else "nothing"
    told.add_row(Text("queued", "dim"), held)
    console.print(told)
    queues(console, result["queues"])
    if result["parked"]:
        _line(console, "✗", "red", "", f"{result['parked']:,} refused even as dead letters, for a person to look at")
    for error in result["errors"]:
        _line(console, "✗", "red", "", error)
    for each in result["bulletins"]:
        level = Text.assemble((f"  {each['time']} ", "dim"), (each["level"], LEVELS.get(each["level"], "")))
        console.print(level.append(f" {each['source']}: {each['message']}"), soft_wrap=True)


def _processors(result: Result) -> Text:
    styles = {"running": "green", "stopped": "yellow", "invalid": "red", "disabled": "dim"}
    told = [Text(f"{result[name]} {name}", style) for name, style in styles.items() if result[name]]
    return Text(", ").join([*told, Text(f"{result['threads']} threads", "dim")])


def queues(console: Console, told: list[Result]) -> None:
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "right", "left"):
        table.add_column(justify=justify)
    for each in told:
        share = min(each["percent"] / 100, 1)
        full = Text("█" * round(share * BAR), "red" if share >= 1 else "yellow" if share > 0.5 else "green")
        table.add_row(
            f"  {each['name']}",
            full + Text("░" * (BAR - len(full)), "dim"),
            f"{each['percent']} %",
            f"{each['queued']:,} FlowFiles, {_bytes(each['bytes'])}",
        )
    if told:
        console.print(table)


def verified(console: Console, result: Result) -> None:
    for each in result["failed"]:
        _line(console, "✗", "red", each["component"], f"  {each['kind']}")
        for problem in each["problems"]:
            _detail(console, problem)
    passed = result["verified"] - len(result["failed"])
    running = f"; {result['running']} run already" if result["running"] else ""
    _line(console, "✗" if result["failed"] else "✓", "red" if result["failed"] else "green", "",
          f"{passed} passed, {len(result['failed'])} failed{running}")  # fmt: skip


def drained(console: Console, result: Result) -> None:
    for name in result["stopped"]:
        _detail(console, f"{name} is stopped")
    if result["drained"]:
        _line(console, "✓", "green", "", "every queue is empty; pitlane flow start takes blocks again")
    else:
        _line(console, "✗", "yellow", "", "left in the queues:")
        queues(console, result["left"])


def stopped(console: Console, result: Result) -> None:
    _line(console, "✓", "green", "", f"stopped; {result['queued']:,} FlowFiles stay queued")


def exported(console: Console, result: Result) -> None:
    _line(console, "✓", "green", result["file"], " written" if result["changed"] else " is the same as before")


def checked(console: Console, finding: "Finding") -> None:
    mark, style = ("✗", "red") if finding.problems else ("✓", "green")
    _line(console, mark, style, f"{finding.step:<10} ", finding.told)
    for problem in finding.problems:
        console.print(Text(f"      {problem}", "red"), soft_wrap=True)


def _line(console: Console, mark: str, style: str, strong: str, text: str) -> None:
    console.print(Text.assemble((f"{mark} ", style), (strong, "bold"), text), soft_wrap=True)


def _detail(console: Console, text: str) -> None:
    console.print(Text(f"  {text}"), soft_wrap=True)


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
