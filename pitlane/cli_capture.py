"""The commands that send datagrams, `simulate`, `replay` and `samples`, and the one that takes them, `record`."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from pitlane import capture, impairment
from pitlane import replay as replaying
from pitlane import samples as recordings
from pitlane.errors import PitlaneError
from pitlane.settings import GatewaySettings
from pitlane.simulator import Race, RaceConfig
from udp_gateway.raw import of_rig

console = Console()

Host = Annotated[str, typer.Option(help="Where to send to.")]
Port = Annotated[int | None, typer.Option(help="UDP port to send to; by default the one the gateway listens on.")]
Speed = Annotated[float, typer.Option(min=0.01, help="1 is real time, 20 twenty times as fast.")]


class ReplayError(PitlaneError):
    """`no_rig`: the recording has nothing of that rig."""

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


def simulate(
    packet_format: Annotated[int, typer.Option("--format", help="Format of the packets: 2023 to 2026.")] = 2025,
    laps: Annotated[int, typer.Option(help="Laps of the race.")] = 5,
    cars: Annotated[int, typer.Option(help="Cars; 0 is the format's full grid.")] = 0,
    track: Annotated[str, typer.Option(help="catalunya, melbourne or monza.")] = "catalunya",
    seed: Annotated[int, typer.Option(help="The same seed gives the same race.")] = 1,
    rate: Annotated[int, typer.Option(help="Send rate in Hz: 10, 20, 30 or 60.")] = 20,
    restricted: Annotated[list[int] | None, typer.Option(help="A car that keeps its telemetry to itself.")] = None,
    speed: Speed = 1.0,
    host: Host = "127.0.0.1",
    port: Port = None,
    manifest: Annotated[Path | None, typer.Option(help="Write the truth about the race to this file.")] = None,
    pcap: Annotated[Path | None, typer.Option(help="Write the race to this file instead of sending it.")] = None,
) -> None:
    """Send a simulated race as the game would."""
    config = RaceConfig(
        packet_format=packet_format,
        laps=laps,
        cars=cars,
        track=track,
        seed=seed,
        rate_hz=rate,
        restricted=tuple(restricted or ()),
    )
    race = Race(config)
    if manifest:
        race.manifest().save(manifest)
    if pcap:
        console.print(f"{capture.write(pcap, recorded(race.datagrams()))} datagrams written to {pcap}")
    else:
        title = f"{config.laps} laps, {config.cars} cars"
        port = port or GatewaySettings().udp_port
        show(send(race.datagrams(), race.duration_s, title, host, port, speed))


def seconds(text: str | float) -> float:
    """Seconds of "90", "90.5", "1:30" and "1:02:03.5"; typer also asks about defaults."""
    try:
        parts = [float(part) for part in str(text).split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(0 <= part < math.inf for part in parts) or any(p >= 60 for p in parts[1:]):
        raise typer.BadParameter(f"{text!r} is no time: write 90 (seconds), 1:30 or 1:02:03")
    return sum((part * 60.0**power for power, part in enumerate(reversed(parts))), 0.0)


def chance(text: str | float) -> float:
    try:
        return impairment.ratio(str(text))
    except impairment.NoRatio as error:
        raise typer.BadParameter(str(error)) from None


def replay(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A pcap file, or one of the samples: time-trial, race.")],
    speed: Speed = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Again and again, until stopped.")] = False,
    begin_s: Annotated[
        float, typer.Option("--from", parser=seconds, metavar="TIME", help="Start here: seconds, or 1:30.")
    ] = 0.0,
    end_s: Annotated[
        float | None, typer.Option("--to", parser=seconds, metavar="TIME", help="End before this moment.")
    ] = None,
    rig: Annotated[str, typer.Option(help="Only what this rig sent: its address, or its name in PITLANE_RIGS.")] = "",
    one_source: Annotated[
        bool, typer.Option("--one-source", help="All from one address, which makes one rig of several.")
    ] = False,
    loss: Annotated[float, typer.Option(parser=chance, metavar="RATIO", help="Lose so many, such as 1%.")] = 0.0,
    reorder: Annotated[float, typer.Option(parser=chance, metavar="RATIO", help="Send so many late.")] = 0.0,
    duplicate: Annotated[float, typer.Option(parser=chance, metavar="RATIO", help="Send so many twice.")] = 0.0,
    within: Annotated[int, typer.Option(min=1, help="At most how many datagrams late, or later the second time.")] = 16,
    seed: Annotated[int, typer.Option(help="The same seed loses, delays and doubles the same ones.")] = 1,
    host: Host = "127.0.0.1",
    port: Port = None,
) -> None:
    """Send a recording at the pace it was made, each rig of it from an address of its own."""
    path = recordings.sample(file) if file in recordings.SOURCES else Path(file)
    settings = GatewaySettings()
    port = port or settings.udp_port
    wanted = of_rig(rig, settings.rigs)
    there = replaying.survey(path)
    sources = [source for source in there.sources if wanted(source)]
    if there.sources and not sources:
        raise ReplayError("no_rig", f"{rig} sent nothing of {path.name}", f"there is {', '.join(there.sources)}")
    if end_s is not None and end_s <= begin_s:
        raise typer.BadParameter("--to must come after --from")
    if begin_s > there.seconds:
        raise typer.BadParameter(f"--from: {path.name} has only {there.seconds:.1f} s")
    addresses = {} if one_source else replaying.addresses_of(sources, host)
    if len(sources) > 1 and not addresses:
        console.print(f"[yellow]{len(sources)} rigs of the recording are sent as one.")

    suffered = impairment.Suffered()
    harm = impairment.Impairment(loss, reorder, duplicate, within, seed)
    datagrams = replaying.sourced(path, 0 if loop else 1, wanted, begin_s, end_s)
    total_s = None if loop else min(there.seconds, there.seconds if end_s is None else end_s) - begin_s
    with sending(total_s, path.name, host, port) as progress:
        impaired = impairment.suffer(datagrams, impairment.fates(harm), suffered)
        sent = replaying.send_apart(impaired, addresses, host, port, speed, progress)
    warn(sent, host, port)
    show(sent)
    if loss or reorder or duplicate:
        console.print(f"{suffered.lost:,} lost, {suffered.moved:,} moved, {suffered.doubled:,} doubled (seed {seed})")


def record(
    file: Annotated[Path, typer.Argument(metavar="FILE.pcap", help="Where to write to.")],
    for_s: Annotated[
        float | None, typer.Option("--for", parser=seconds, metavar="TIME", help="End after so many seconds, or 1:30.")
    ] = None,
    rig: Annotated[str, typer.Option(help="Only this rig: its name or address.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Record what the rigs send into a pcap file, beside a running gateway or without one, until Ctrl-C."""
    from pitlane import record as recording

    settings = GatewaySettings()
    with console.status("") as line:
        begun = False

        def progress(state: recording.Recorded) -> None:
            nonlocal begun
            if not begun:
                console.print(f"Recording from {state.origin} to {file}; Ctrl-C ends it", soft_wrap=True)
            begun = True
            line.update(
                f"{state.seconds:.0f} s, {state.datagrams:,} datagrams of {_rigs(len(state.sources))}, "
                f"{state.bytes / 1e6:.1f} MB" + (f", [red]{state.lost:,} lost[/]" if state.lost else "")
            )

        state = recording.record(file, settings, progress, rig, for_s, force)
    console.print(
        f"{state.datagrams:,} datagrams of {_rigs(len(state.sources))} in {state.seconds:.0f} s, "
        f"{state.bytes / 1e6:.1f} MB in {file}",
        soft_wrap=True,
    )
    for source, count in state.sources.most_common() if len(state.sources) > 1 else ():
        console.print(f"  {settings.rigs.get(source, source)}: {count:,}", markup=False)
    console.print(f"[red]{state.lost:,} lost on the way[/]" if state.lost else "none lost on the way")
    if state.absences:
        console.print(f"[yellow]The gateway was away ({state.absences}×): what was sent meanwhile is not in the file.")
    if not state.datagrams:
        console.print("[yellow]Nothing arrived: `pitlane doctor` names the usual reasons.")


def _rigs(count: int) -> str:
    return "1 rig" if count == 1 else f"{count} rigs"


def samples() -> None:
    """Fetch real recordings: a time trial (F1 25) and a race of the 2026 pack."""
    for name, source in recordings.SOURCES.items():
        path = recordings.sample(name)
        seconds = replaying.duration(path)
        console.print(f"{name}: {path}, {seconds:.0f} s, from f1-packets {source.version} (MIT)")


def recorded(datagrams: Iterable[replaying.Timed]) -> Iterable[capture.Datagram]:
    """Simulated datagrams as a capture holds them, from a fixed moment on."""
    for offset_s, datagram in datagrams:
        arrival_ns = recordings.RECORDED_NS + round(offset_s * capture.NANOSECONDS)
        yield capture.Datagram(arrival_ns, "127.0.0.1", datagram)


def send(
    datagrams: Iterable[replaying.Timed], total_s: float | None, title: str, host: str, port: int, speed: float
) -> replaying.Sent:
    """Send with a progress bar; `total_s` None is for ever."""
    with sending(total_s, title, host, port) as progress:
        sent = replaying.send(datagrams, host, port, speed, progress)
    warn(sent, host, port)
    return sent


@contextmanager
def sending(total_s: float | None, title: str, host: str, port: int) -> Iterator[replaying.Progress]:
    """A progress bar for what is sent in the body."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[count]:,} datagrams"), console=console) as bar:
        task = bar.add_task(f"{title} → {host}:{port}", total=total_s, count=0)

        def advance(sent: replaying.Sent, offset_s: float) -> None:
            bar.update(task, completed=offset_s, count=sent.datagrams)

        yield advance


def warn(sent: replaying.Sent, host: str, port: int) -> None:
    """Say so when nobody listens."""
    if sent.refused:
        console.print(f"[yellow]Nothing listens on {host}:{port} (refused {sent.refused} times): is the gateway up?")


def show(sent: replaying.Sent) -> None:
    """Say what went out."""
    table = Table("packet", "datagrams", title=f"{sent.datagrams:,} datagrams, {sent.bytes / 1e6:.1f} MB")
    for name, count in sent.by_name.most_common():
        table.add_row(name, f"{count:,}")
    console.print(table)
