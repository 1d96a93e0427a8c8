"""The commands that send datagrams: `simulate`, `replay` and `samples`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from pitlane import capture
from pitlane import replay as replaying
from pitlane import samples as recordings
from pitlane.simulator import Race, RaceConfig

console = Console()

Host = Annotated[str, typer.Option(help="Where to send to.")]
Port = Annotated[int, typer.Option(help="UDP port to send to.")]
Speed = Annotated[float, typer.Option(min=0.01, help="1 is real time, 20 twenty times as fast.")]


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
    port: Port = capture.GAME_PORT,
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
        show(send(race.datagrams(), race.duration_s, f"{config.laps} laps, {config.cars} cars", host, port, speed))


def replay(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A pcap file, or one of the samples: time-trial, race.")],
    speed: Speed = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Again and again, until stopped.")] = False,
    host: Host = "127.0.0.1",
    port: Port = capture.GAME_PORT,
) -> None:
    """Send a recording at the pace it was made."""
    path = recordings.sample(file) if file in recordings.SOURCES else Path(file)
    total_s = None if loop else replaying.duration(path)
    show(send(replaying.recorded(path, rounds=0 if loop else 1), total_s, path.name, host, port, speed))


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
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[count]:,} datagrams"), console=console) as bar:
        task = bar.add_task(f"{title} → {host}:{port}", total=total_s, count=0)

        def advance(sent: replaying.Sent, offset_s: float) -> None:
            bar.update(task, completed=offset_s, count=sent.datagrams)

        sent = replaying.send(datagrams, host, port, speed, advance)
    if sent.refused:
        console.print(f"[yellow]Nothing listens on {host}:{port} (refused {sent.refused} times): is the gateway up?")
    return sent


def show(sent: replaying.Sent) -> None:
    """Say what went out."""
    table = Table("packet", "datagrams", title=f"{sent.datagrams:,} datagrams, {sent.bytes / 1e6:.1f} MB")
    for name, count in sent.by_name.most_common():
        table.add_row(name, f"{count:,}")
    console.print(table)
