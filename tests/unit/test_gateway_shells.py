"""The thin shells, each against the real thing it talks to: sockets, an HTTP endpoint, waiting without Postgres."""

import asyncio
import os
import random
import socket
from datetime import timedelta

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from f1_packets import PACKETS, read_header
from tests.datagrams import session
from udp_gateway import gateway, receive
from udp_gateway.admission import host_allowed, origin_allowed
from udp_gateway.backoff import Backoff
from udp_gateway.blocks import Block, BlockKey
from udp_gateway.ledger import Ledger
from udp_gateway.outbox import Outbox
from udp_gateway.post import Poster
from udp_gateway.receive import PortTaken, Receiver, kernel_drops
from udp_gateway.session_row import read_session
from udp_gateway.sessions import SessionStore

NOW = 1_795_352_725_126_000_000
KEY = BlockKey(2025, 0, "motion", 0, 4)


# --- receiving ----------------------------------------------------------------------------------------------------


@pytest.fixture
def sender():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        yield out


def receiver(taken: list, buffer_bytes: int = 65_536) -> Receiver:
    return Receiver("127.0.0.1", 0, buffer_bytes, lambda *datagram: taken.append(datagram))


async def test_datagrams_are_taken_as_sent_and_stamped(sender):
    taken: list = []
    listening = receiver(taken)
    listening.start()
    sent = [b"", b"x", bytes(1470), bytes(60_000)]
    for raw in sent:
        sender.sendto(raw, listening.address)
        await asyncio.sleep(0.01)
    listening.close()
    assert [raw for raw, _, _ in taken] == sent
    assert {source for _, source, _ in taken} == {"127.0.0.1"}
    stamps = [arrival_ns for _, _, arrival_ns in taken]
    assert stamps == sorted(stamps)
    assert stamps[-1] - stamps[0] > 20_000_000


async def test_a_turn_takes_a_bounded_number_and_closing_takes_the_rest(sender):
    taken: list = []
    listening = receiver(taken)
    for number in range(20):
        sender.sendto(bytes([number]), listening.address)
    assert listening.drain(limit=7) == 7
    assert len(taken) == 7
    listening.close()
    assert [raw[0] for raw, _, _ in taken] == list(range(20))


async def test_what_the_kernel_drops_is_known(sender):
    taken: list = []
    listening = receiver(taken, buffer_bytes=8192)
    if listening.kernel_drops() is None:
        pytest.skip("needs Linux's /proc/net/udp")
    assert listening.kernel_drops() == 0
    for _ in range(200):
        sender.sendto(bytes(1400), listening.address)
    listening.drain()
    assert listening.kernel_drops() == 200 - len(taken) > 0
    listening.close()


def test_drops_are_read_from_the_line_of_the_socket(tmp_path):
    table = tmp_path / "udp"
    table.write_text(
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
        " 1401: 0100007F:5129 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 17\n"
        " 1402: 0100007F:512A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 3\n"
    )
    tables = (str(tmp_path / "absent"), str(table))
    assert kernel_drops(4712, tables) == 3
    assert kernel_drops(1, tables) is None


def test_a_taken_port_says_what_to_do():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(PortTaken, match="cannot be had") as caught:
            Receiver("127.0.0.1", other.getsockname()[1], 1, lambda *_: None)
    assert "PITLANE_UDP_PORT" in caught.value.hint


async def test_a_smaller_buffer_than_asked_for_is_warned_about(capsys):
    listening = receiver([], buffer_bytes=2**30)
    listening.close()
    assert listening.buffer_bytes < 2**30
    assert "receive buffer smaller than asked for" in capsys.readouterr().out


async def test_a_failing_socket_is_counted_and_survived(sender):
    listening = receiver([])
    descriptor = os.dup(listening._socket.fileno())
    listening._socket.close()
    assert listening.drain() == 0
    assert listening.errors == 1
    os.close(descriptor)


def test_a_drain_is_small_beside_a_frame():
    assert receive.DRAIN <= 512


# --- posting ------------------------------------------------------------------------------------------------------


class Endpoint:
    """A local HTTP server that answers what it is told, and keeps what it was sent."""

    def __init__(self, *answers: int) -> None:
        self.bodies: list[bytes] = []
        self._answers = list(answers)
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/blocks", self._take)
        app.router.add_get("/elsewhere", self._elsewhere)
        self._runner = web.AppRunner(app)

    async def _take(self, request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/flowfile-v3"
        self.bodies.append(await request.read())
        status = self._answers.pop(0) if self._answers else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else None)

    async def _elsewhere(self, request: web.Request) -> web.Response:
        return web.Response(text="a page, not NiFi")

    async def start(self, port: int = 0) -> str:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/blocks"

    async def stop(self) -> None:
        await self._runner.cleanup()


def block(number: int) -> Block:
    return Block(KEY, f"id-{number}", 1, number, b"content-%d" % number)


def poster(url: str, arrived: list[Block]) -> tuple[Poster, Outbox]:
    outbox = Outbox(10**6, on_drop=pytest.fail)
    posting = Poster(url, outbox, arrived.append)
    posting._backoff = Backoff(0.01, 0.05)
    return posting, outbox


async def test_blocks_are_forgotten_only_when_nifi_says_200():
    endpoint, arrived = Endpoint(503, 302, 500, 404), []
    posting, outbox = poster(await endpoint.start(), arrived)
    running = asyncio.create_task(posting.run())
    outbox.append([block(0), block(1)])
    posting.wake()
    await asyncio.sleep(0.01)
    outbox.append([block(2)])
    await posting.drain(5)
    running.cancel()
    assert len(endpoint.bodies) >= 6, "four refusals, the batch, what came meanwhile"
    assert len(set(endpoint.bodies[:5])) == 1, "a retry posts what was posted before"
    assert [b.block_id for b in arrived] == ["id-0", "id-1", "id-2"]
    assert posting.nifi.state == "up"
    assert posting.nifi.failures == 4
    assert "404" in posting.nifi.last_error
    await endpoint.stop()


async def test_a_refused_connection_is_tried_again_and_logged_once(capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint, arrived = Endpoint(), []
    posting, outbox = poster(f"http://127.0.0.1:{port}/blocks", arrived)
    running = asyncio.create_task(posting.run())
    outbox.append([block(0)])
    posting.wake()
    await posting.drain(0.3)
    assert arrived == []
    assert posting.nifi.state == "down"
    assert posting.nifi.failures > 2
    await endpoint.start(port)
    await posting.drain(5)
    running.cancel()
    assert arrived == [block(0)]
    printed = capsys.readouterr().out
    assert printed.count("neighbour down") == 1
    assert printed.count("neighbour up") == 1
    await endpoint.stop()


def test_waits_grow_to_a_ceiling_and_differ():
    backoff = Backoff(0.2, 5.0, random.Random(7))
    waits = [backoff.wait() for _ in range(50)]
    for number, wait in enumerate(waits):
        ceiling = min(5.0, 0.2 * 2**number)
        assert ceiling / 2 <= wait <= ceiling
    assert len(set(waits)) == 50
    backoff.reset()
    assert backoff.wait() <= 0.2


# --- sessions while Postgres is away --------------------------------------------------------------------------------


def rows(raw: bytes, now_ns: int = NOW, rig: str = "a"):
    return read_session(PACKETS[2025, 1], read_header(raw), raw, rig, now_ns)


def store() -> tuple[SessionStore, Ledger]:
    ledger = Ledger()
    return SessionStore("host=127.0.0.1 port=1 dbname=none connect_timeout=1", ledger), ledger


def test_the_newest_state_waits_and_stands_for_all_packets():
    waiting, _ = store()
    for number in range(5):
        waiting.put(*rows(session({32: ("B", number)}, overall_frame=100 - number), NOW + number * 10**9))
    assert waiting.waiting == 5
    ((row, packets),) = waiting._rows.values()
    assert (packets, row.total_laps, row.overall_frame) == (5, 0, 100)
    assert row.last_seen_at - row.started_at == timedelta(seconds=4)


def test_what_waits_is_bounded_and_the_rest_counted(monkeypatch):
    monkeypatch.setattr("udp_gateway.sessions.MAX_SESSIONS", 3)
    monkeypatch.setattr("udp_gateway.sessions.MAX_SAMPLES", 4)
    waiting, ledger = store()
    for uid in range(1, 6):
        waiting.put(*rows(session(uid=uid), NOW + uid * 10**9))
        waiting.put(*rows(session(uid=uid, overall_frame=751), NOW + uid * 10**9 + 1))
    assert waiting.waiting == 6
    assert ledger.dropped == {"sessions_full": 4}
    assert {row.session_uid for row, _ in waiting._rows.values()} == {3, 4, 5}
    assert waiting.samples_dropped == 6


async def test_postgres_away_loses_nothing_and_is_logged_once(capsys):
    waiting, ledger = store()
    waiting._backoff = Backoff(0.01, 0.02)
    running = asyncio.create_task(waiting.run())
    waiting.put(*rows(session()))
    await waiting.drain(0.4)
    running.cancel()
    assert waiting.waiting == 1
    assert ledger.stored == 0
    assert waiting.postgres.failures > 1
    assert capsys.readouterr().out.count("neighbour down") == 1


# --- admission ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:20780", True), ("localhost:20780", True), ("LOCALHOST", True), ("[::1]:20780", True),
        ("192.168.1.9:20780", True), ("gateway:20780", True), ("evil.example", False), ("localhost.evil.example", False),
        ("", False), ("127.0.0.1.evil.example:20780", False), ("[::1", False), ("other:20780", False),
    ],
)  # fmt: skip
def test_a_domain_pointed_at_this_machine_is_not_served(host, allowed):
    assert host_allowed(host, ["gateway"]) is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True), ("http://127.0.0.1:20780", True), ("https://grafana.example", True), ("http://evil.example", False),
        ("null", False), ("", False), ("http://127.0.0.1:20781", False), ("http://[", False),
    ],
)  # fmt: skip
def test_a_foreign_page_may_not_open_the_stream(origin, allowed):
    assert origin_allowed(origin, "127.0.0.1:20780", ["https://grafana.example"]) is allowed


# --- faults ---------------------------------------------------------------------------------------------------------


async def test_a_part_with_a_fault_starts_again(monkeypatch):
    monkeypatch.setattr(gateway, "AFTER_FAULT_S", 0)
    attempts = []

    async def work() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise RuntimeError("a fault of ours")
        await asyncio.sleep(3600)

    with capture_logs() as logged:
        running = asyncio.create_task(gateway._for_ever(work))
        await asyncio.sleep(0.05)
        running.cancel()
    assert len(attempts) == 3
    assert [entry["event"] for entry in logged] == ["starting again after a fault"] * 2
