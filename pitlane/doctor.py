"""Why no data arrives, in one line: the first thing on the way from the game to the tables that explains it."""

import socket
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kafka.errors import KafkaError

from f1_packets import FORMATS
from pitlane.stack.ports import LOOPBACK, Port, listener
from pitlane.stack.stack import Stack

SILENT_S = 10


class Finding(NamedTuple):
    ok: bool
    reason: str
    """Slug: `port_taken`, `gateway_down`, `nothing_received`, `wrong_format` …; `ok` when all is well."""
    text: str


def diagnose(stack: Stack) -> Finding:
    """Looks along the way of the data and returns the first thing that is wrong, or that nothing is."""
    if stack.gateway.process() is None:
        return _gateway_down(stack)
    try:
        status = stack.gateway.status()
    except (OSError, ValueError) as error:
        return Finding(False, "gateway_silent", f"the gateway runs but does not answer ({error}): pitlane logs gateway")
    for server in (stack.postgres, stack.kafka, stack.nifi, stack.spark):
        if server.process() is None:
            return Finding(False, f"{server.name}_down", f"{server.title} does not run: pitlane up starts it")
        health = server.health()
        if not health.ok:
            return Finding(
                False, f"{server.name}_unhealthy", f"{server.title}: {health.detail}: pitlane logs {server.name}"
            )
    udp_host = stack.values.get("PITLANE_UDP_HOST", "127.0.0.1")
    nifi = (LOOPBACK, stack.ports.nifi_listen)
    return judge(status, stack.ports.udp, udp_host) or certificate_ends(*nifi) or _behind_nifi(stack, status)


def _gateway_down(stack: Stack) -> Finding:
    port = Port(stack.ports.udp, "udp", stack.values.get("PITLANE_UDP_HOST", "127.0.0.1"))
    if not port.is_free():
        by = listener(port) or "another program"
        return Finding(
            False,
            "port_taken",
            f"the gateway does not run, and {by} has {port}: end it or move it to another port, then pitlane up",
        )
    return Finding(False, "gateway_down", "the gateway does not run: pitlane up starts it")


def judge(status: dict[str, Any], udp_port: int, udp_host: str) -> Finding | None:
    """What the gateway's `/status` alone tells; None when datagrams come in and go out."""
    if status["received"] == 0:
        return Finding(False, "nothing_received", _how_to_send(udp_port, udp_host))
    rejected = sum(status["rejected"].values())
    known = status["received"] - rejected
    if rejected and known == 0:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(status["rejected"].items()))
        return Finding(
            False,
            "wrong_format",
            f"all {rejected:,} datagrams were refused ({reasons}): set the game's UDP Format to one of "
            f"{', '.join(map(str, FORMATS))}, and see that no other program sends to UDP port {udp_port}",
        )
    if status["nifi"]["state"] == "down":
        return Finding(
            False,
            "nifi_refuses",
            f"the gateway cannot hand over to NiFi: {status['nifi']['last_error']}: pitlane logs nifi",
        )
    if status["postgres"]["state"] == "down":
        return Finding(
            False,
            "postgres_refuses",
            f"the gateway cannot write sessions: {status['postgres']['last_error']}: pitlane logs postgres",
        )
    silent_s = min((rig["silent_s"] for rig in status["rigs"].values()), default=0.0)
    if silent_s > SILENT_S:
        return Finding(
            False,
            "feed_stopped",
            f"{known:,} packets came in, the last {silent_s:.0f} s ago: a paused game and its menus send nothing or little",
        )
    if set(status["rigs"]) and all(int(rig["session"], 16) == 0 for rig in status["rigs"].values()):
        return Finding(False, "no_session", "packets come in, but from menus or a lobby: data begins with a session")
    return None


def certificate_ends(host: str, port: int) -> Finding | None:
    """Whether what NiFi shows the gateway ends so soon that somebody should act; None when not, or when none is shown."""
    from pitlane.certificates import RENEW_BEFORE, served

    try:
        ends = served(host, port).not_valid_after_utc
    except OSError:
        return None
    if ends - datetime.now(UTC) > RENEW_BEFORE / 2:
        return None
    text = f"data arrives, and NiFi's certificate ends on {ends:%Y-%m-%d}: pitlane down, then pitlane up renews it"
    return Finding(False, "certificate_ends", text)


def _behind_nifi(stack: Stack, status: dict[str, Any]) -> Finding:
    try:
        counts = stack.kafka.record_counts()
    except (KafkaError, OSError) as error:
        return Finding(False, "kafka_silent", f"Kafka cannot be asked for its topics ({error}): pitlane logs kafka")
    if status["forwarded"] and not any(counts.values()):
        return Finding(
            False, "flow_stuck", f"NiFi took {status['forwarded']:,} datagrams and Kafka has none: pitlane flow status"
        )
    rigs = ", ".join(f"{name} {rig['rate_hz']:.0f}/s" for name, rig in status["rigs"].items())
    return Finding(True, "ok", f"data arrives: {status['received']:,} datagrams, now {rigs}")


def _how_to_send(port: int, host: str) -> str:
    """What to set in the game, with this machine's address where the gateway listens beyond it."""
    if host in ("127.0.0.1", "localhost", "::1"):
        return (
            f"nothing has arrived on UDP {host}:{port}, which hears this machine only: in the game set UDP Telemetry On, "
            f"IP 127.0.0.1, port {port}; for a game on another machine or a console: pitlane down, then "
            "PITLANE_UDP_HOST=0.0.0.0 pitlane up"
        )
    return (
        f"nothing has arrived on UDP port {port}: in the game set UDP Telemetry On, IP {_own_address()}, port {port}, and "
        f"let UDP {port} through this machine's firewall"
    )


def _own_address() -> str:
    """The address that others reach this machine by: the one it would send from (nothing is sent)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: an address that no network has
        except OSError:
            return "of this machine"
        address: str = probe.getsockname()[0]
    return address
