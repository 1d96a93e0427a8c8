"""`pitlane dlq …`: prints the dead letters and sends them again."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console

from f1_packets import FORMATS, HEADER_BYTES, PACKETS, Rejected, identify, read_header
from f1_packets.block import Entry
from pitlane.settings import GatewaySettings, KafkaSettings, NifiSettings

if TYPE_CHECKING:  # Kafka's client takes a third of a second to load: only the verbs do
    from pitlane.dead_letters import DeadLetter

app = typer.Typer(help="Dead letters: blocks that did not reach their topic.", no_args_is_help=True)
console = Console(highlight=False)

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DUMP_WIDTH = 16


def moment(text: str | datetime) -> datetime:
    """Ago ("90s", "10m", "2h", "1d") or a time ("2026-03-01T12:00", in this machine's zone unless it names one)."""
    if ago := re.fullmatch(r"(\d+)([smhd])", str(text)):
        return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(str(text)).astimezone()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: write 10m, 2h, 1d or 2026-03-01T12:00") from None


Reason = Annotated[str, typer.Option(metavar="REASON", help="Only those with this reason, as record_too_large.")]
Since = Annotated[
    datetime | None,
    typer.Option(parser=moment, metavar="TIME", help="Only those since: 10m, 2h, 1d, 2026-03-01T12:00."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_letters(
    reason: Reason = "",
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were sent again.")] = False,
    json: AsJson = False,
) -> None:
    """What is open, the oldest first."""
    from pitlane.dead_letters import DeadLetters

    with DeadLetters(KafkaSettings()) as letters:
        found = [each for each in letters.letters(since) if reason in ("", each.reason)]
    chosen = [each for each in found if everything or each.redriven is None]
    parked, unknown = _parked()
    redriven = sum(each.redriven is not None for each in found)
    if json:
        counts = {"open": len(found) - redriven, "redriven": redriven, "parked": parked}
        return _print_json({"dead_letters": [_summary(each) for each in chosen[-limit:]], **counts})
    for line in _aligned([_cells(each) for each in chosen[-limit:]]):
        _say(line)
    if len(chosen) > limit:
        console.print(f"{len(chosen) - limit:,} older ones are not shown (--limit)")
    console.print(f"{len(found) - redriven:,} open, {redriven:,} sent again")
    if unknown:
        _say(unknown, style="yellow")
    elif parked:
        console.print(f"[red]{parked:,} refused even as dead letters[/]; they wait in NiFi: pitlane flow status")


@app.command()
def show(
    where: Annotated[str, typer.Argument(metavar="WHERE", help="As list shows it: 0:17.")],
    limit: Annotated[int, typer.Option(min=0, help="At most so many datagrams.")] = 3,
    raw: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the block's bytes to this file.")] = None,
    json: AsJson = False,
) -> None:
    """Everything about one: its headers, and of each datagram where it came from, what is wrong, and its bytes."""
    from pitlane.dead_letters import DeadLetters, Where, datagrams_of

    with DeadLetters(KafkaSettings()) as letters:
        letter = letters.letter(Where.parse(where))
        content = letters.content(letter.where)
    entries = datagrams_of(letter.headers, content)
    if raw is not None:
        raw.write_bytes(content)
    if json:
        datagrams = [_told(entry) | {"datagram": entry.datagram.hex()} for entry in entries[:limit]]
        return _print_json(_summary(letter) | {"headers": letter.headers, "entries": datagrams})
    redriven = f", sent again {_shown(letter.redriven)}" if letter.redriven else ""
    _say(f"{letter.where}  {letter.reason}, {_shown(letter.time)}{redriven}", style="bold")
    for name, value in sorted(letter.headers.items()):
        _say(f"  {name:<24} {value}")
    if not entries:
        console.print(f"  no block: {len(content):,} bytes")
        _dump(content[:4096])
    for number, entry in enumerate(entries[:limit], 1):
        told = _told(entry)
        console.print()
        _say(f"datagram {number} of {len(entries):,}  {told['arrival']}  rig {told['rig']}", style="bold")
        _say(f"  {told['problem']}")
        if header := told.get("header"):
            _say("  " + ", ".join(f"{name} {value}" for name, value in header.items()))
        _dump(entry.datagram)
    if len(entries) > limit:
        console.print(f"\n{len(entries) - limit:,} more datagrams are not shown (--limit)")


@app.command()
def redrive(
    where: Annotated[list[str] | None, typer.Argument(metavar="WHERE…", help="As list shows them: 0:17 1:4.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    reason: Reason = "",
    since: Since = None,
    json: AsJson = False,
) -> None:
    """Send blocks again through NiFi, once what held them up is mended. Exit code 1 when one stays as it is.

    What is refused again comes back as a new dead letter.
    """
    from pitlane.dead_letters import DeadLetters, Where
    from pitlane.redrive import redrive as send_again

    if bool(where) == (everything or bool(reason)):
        raise typer.BadParameter("name dead letters, or choose with --all or --reason")
    gateway = GatewaySettings()
    with DeadLetters(KafkaSettings()) as letters:
        if where:
            chosen = [letters.letter(each) for each in dict.fromkeys(map(Where.parse, where))]
        else:
            open_ones = [each for each in letters.letters(since) if each.redriven is None]
            chosen = [each for each in open_ones if reason in ("", each.reason)]
        outcomes = []
        for outcome in send_again(letters, chosen, gateway.nifi_blocks_url, gateway.blocks_context()):
            outcomes.append(outcome)
            if not json:
                console.print("[yellow]–[/]" if outcome.problem else "[green]✓[/]", end=" ")
                _say(f"{outcome.letter.where}  {outcome.problem or outcome.letter.packet}")
    sent = sum(not outcome.problem for outcome in outcomes)
    if json:
        left = {str(outcome.letter.where): outcome.problem for outcome in outcomes if outcome.problem}
        _print_json({"sent": [str(each.letter.where) for each in outcomes if not each.problem], "left": left})
    else:
        console.print(f"{sent:,} sent again, {len(outcomes) - sent:,} left as they are")
    if any(outcome.problem and outcome.letter.redriven is None for outcome in outcomes):
        raise typer.Exit(1)


def _cells(letter: "DeadLetter") -> tuple[str, ...]:
    again = f"sent again {_shown(letter.redriven)}" if letter.redriven else ""
    shown = str(letter.where), _shown(letter.time), letter.reason, letter.packet, ", ".join(letter.rigs)
    return *shown, f"{letter.datagrams:,}", f"{letter.bytes:,}", again


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines and no table, which cuts a name to fit a narrow terminal."""
    if not rows:
        return []
    rows = [("where", "time", "reason", "packet", "rig", "datagrams", "bytes", ""), *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    # Numbers to the right.
    sides = "<<<<<>><"
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in rows
    ]


def _parked() -> tuple[int | None, str]:
    """How many blocks wait at the flow's dead end, None and why where NiFi does not say."""
    from nifi.errors import FlowError  # loads nipyapi, which takes a second
    from nifi.parked import parked

    try:
        return parked(NifiSettings()), ""
    except FlowError as error:
        return None, f"what waits in NiFi is not known: {error}"


def _summary(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "where": str(letter.where),
        "time": letter.time,
        "reason": letter.reason,
        "packet": letter.packet,
        "topic": letter.headers.get("reject.topic"),
        "rigs": letter.rigs,
        "datagrams": letter.datagrams,
        "bytes": letter.bytes,
        "redriven": letter.redriven,
    }


def _told(entry: Entry) -> dict[str, Any]:
    """A datagram as far as it can be read."""
    arrival = datetime.fromtimestamp(entry.arrival_ns / 1e9, UTC)
    told: dict[str, Any] = {"arrival": _shown(arrival), "rig": entry.rig, "problem": problem(entry.datagram)}
    if len(entry.datagram) >= HEADER_BYTES and _format(entry.datagram) >= FORMATS[0]:
        told["header"] = read_header(entry.datagram)._asdict()
    return told


def problem(datagram: bytes) -> str:
    """What is wrong with it, as the gateway sees it today."""
    try:
        packet = identify(datagram)
    except Rejected as rejected:
        return f"{rejected.reason}: {_why(rejected.reason, datagram)}"
    return f"nothing is wrong with it: {packet.name} of format {packet.format}"


def _why(reason: str, datagram: bytes) -> str:
    if reason == "too_short":
        return f"{len(datagram)} bytes, and a header alone has {HEADER_BYTES}"
    packet_format, packet_id = _format(datagram), datagram[6]
    if reason == "unknown_format":
        return f"format {packet_format}, and known are {FORMATS[0]} to {FORMATS[-1]}"
    if reason == "unknown_packet":
        return f"packet ID {packet_id} of format {packet_format}"
    packet = PACKETS[packet_format, packet_id]
    return f"{len(datagram):,} bytes, and {packet.name} of format {packet.format} has {packet.size:,}"


def _format(datagram: bytes) -> int:
    return int.from_bytes(datagram[:2], "little")


def _dump(raw: bytes) -> None:
    """As `hexdump -C` prints it: a line that repeats the one before is left out."""
    before, left_out = b"", False
    for start in range(0, len(raw), DUMP_WIDTH):
        line = raw[start : start + DUMP_WIDTH]
        if line == before:
            if not left_out:
                console.print("  *")
            left_out = True
            continue
        before, left_out = line, False
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
        _say(f"  {start:08x}  {line.hex(' '):<{DUMP_WIDTH * 3}} |{text}|")
    console.print(f"  {len(raw):08x}")


def _say(line: str, style: str = "") -> None:
    """A line with what somebody may have sent in it."""
    console.print(_printable(line), style=style, markup=False, soft_wrap=True)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _shown(when: datetime) -> str:
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}"


def _print_json(result: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2))
