"""The terminal view of the gateway, drawn into text of a given width."""

import io
from typing import Any

import pytest
from rich.console import Console

from pitlane.watch import away, view, watch
from tests.statuses import neighbour, rig, status

CLOCK_S = 1_795_352_000.0 + 90


def drawn(before: dict[str, Any] | None, now: dict[str, Any], width: int = 80, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(view(before, now, CLOCK_S, height))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in text.splitlines()]


def row(lines: list[str], start: str) -> list[str]:
    """The words of the line that begins with `start`, without the frame."""
    (found,) = [line for line in lines if line.strip("│ ").startswith(start)]
    return found.strip("│ ").split()


def later(seconds: float = 2.0, **changes: Any) -> dict[str, Any]:
    now = status()
    return now | {"uptime_s": now["uptime_s"] + seconds, **changes}


def test_rates_are_differences_by_the_gateways_own_clock() -> None:
    now = later(2.0, received=20_500, forwarded=19_300, stored=403, rejected={"too_short": 41}, dropped={"crash": 11})
    lines = drawn(status(), now)
    at = next(number for number, line in enumerate(lines) if "received" in line)
    assert lines[at].strip("│ ").split() == [
        "received",
        "to",
        "NiFi",
        "to",
        "Postgres",
        "rejected",
        "dropped",
        "viewers",
    ]
    assert lines[at + 1].strip("│ ").split() == ["250/s", "150/s", "1/s", "-1/s", "2/s", "3"]
    assert lines[at + 2].strip("│ ").split() == ["20,500", "19,300", "403", "41", "11"]
    assert row(lines, "rejected  ")[1:] == ["too_short", "41"]
    assert row(lines, "dropped  ")[1:] == ["crash", "11"]


def test_a_first_look_and_a_gateway_started_again_have_no_rates_yet() -> None:
    for before in (None, later(600.0, received=10**6)):
        lines = drawn(before, status())
        at = next(number for number, line in enumerate(lines) if "received" in line)
        assert lines[at + 1].strip("│ ").split() == ["–"] * 5 + ["3"]
        assert not [line for line in lines if "▲" in line or "▼" in line]


def test_each_rig_has_a_line() -> None:
    lines = drawn(
        None, status(rigs={"left": rig(), "menus": rig(session="0" * 16, frame_gaps=0), "off": rig(silent_s=75.0)})
    )
    # 13 of 3,513 frames are 0.37 %.
    assert row(lines, "left") == ["left", "59.9/s", "2025", "85db0a0f77ec492a", "13", "(0.4%)", "–", "2"]
    assert row(lines, "menus") == ["menus", "59.9/s", "2025", "none", "(menus)", "0", "–", "2"]
    assert row(lines, "off")[-3:] == ["1", "min", "2"]


def test_spools_say_whether_they_grow_or_drain() -> None:
    spool = {
        "nifi": {"bytes": 700_000 + 2 * 51_200, "datagrams": 600, "oldest_s": 6.5, "limit_bytes": 1_000_000},
        "postgres": {"bytes": 1024, "datagrams": 5, "oldest_s": 0.2, "limit_bytes": 62_500},
    }
    lines = drawn(status(), later(2.0, spool=spool))
    assert " ".join(row(lines, "spool NiFi")) == "spool NiFi ██████░░ 784 KiB · 600 packets · 6.5 s ▲ 50.0 KiB/s"
    # 276 bytes less in 2 s: at 138 a second the other 1,024 are gone in 7.4 s.
    assert " ".join(row(lines, "spool Postgres")).endswith("1.0 KiB · 5 packets · 0.2 s ▼ 138 B/s, 7.4 s left")


def test_what_stands_around_it_is_named() -> None:
    lines = drawn(None, status(grafana=neighbour("unknown")))
    assert row(lines, "NiFi") == ["NiFi", "●", "down", "for", "1", "min", "ClientConnectorError:", "refused"]
    assert row(lines, "Postgres") == ["Postgres", "●", "up", "for", "1", "min"]
    assert row(lines, "Grafana") == ["Grafana", "●", "unknown"]
    assert row(lines, "relay") == ["relay", "10.0.0.9:20778", "19,999", "sent,", "6", "failed"]
    assert row(lines, "kernel")[1] == "3"
    assert row(lines, "buffer")[1:8] == ["208", "KiB", "of", "8.0", "MiB", "asked", "for:"]


@pytest.mark.parametrize("height", [24, 40])
@pytest.mark.parametrize("rigs", [0, 1, 20, 1000])
@pytest.mark.parametrize("error", ["refused", "a long story " * 30])
def test_it_fits_a_terminal(height: int, rigs: int, error: str) -> None:
    now = status(
        rigs={f"192.168.100.{n}": rig(silent_s=60.0 if n % 2 else 0.0) for n in range(rigs)},
        nifi=neighbour("down", 1, error), kernel={"drops": 0, "buffer_bytes": 1, "buffer_wanted_bytes": 1, "errors": 0},
        rejected={}, dropped={}, relay=[],
    )  # fmt: skip
    lines = drawn(None, now, height=height)
    assert max(map(len, lines)) == 80
    assert len(lines) < height
    assert row(lines, "NiFi")[:5] == ["NiFi", "●", "down", "for", "1"]
    shown = [line for line in lines if "192.168" in line]
    if hidden := rigs - len(shown):
        assert row(lines, "…") == ["…", f"{hidden:,}", "more"]
        assert len(shown) >= 3
        assert "60 s" not in shown[0] and "1 min" not in shown[0], "who sends stands first"  # noqa: PT018


def test_a_gateway_that_is_away_is_said_and_asked_again() -> None:
    answers: list[Any] = [OSError("<urlopen error [Errno 111] Connection refused>"), status(), KeyboardInterrupt()]
    console = Console(file=io.StringIO(), width=80, height=40, force_terminal=True)

    def read() -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    watch(read, console, every_s=0.0)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.index("The gateway does not answer") < text.index("85db0a0f77ec492a")
    assert answers == []
    plain = Console(file=io.StringIO(), width=80)
    plain.print(away(ValueError("no JSON")))
    assert "no JSON" in plain.file.getvalue()  # type: ignore[attr-defined]


def test_into_a_file_goes_one_view() -> None:
    console = Console(file=io.StringIO(), width=80)
    watch(status, console)
    assert console.file.getvalue().count("Pitlane gateway") == 1  # type: ignore[attr-defined]
