"""The thin shells, each against the real thing it talks to: sockets, an HTTP endpoint, waiting without Postgres."""

import asyncio
import os
import random
import socket
import sys
from collections import Counter
from pathlib import Path

import pytest
import uvloop
from aiohttp import web
from structlog.testing import capture_logs

from tests.datagrams import session
from tests.gateway import unpack
from udp_gateway import gateway, receive
from udp_gateway.admission import host_allowed, origin_allowed
from udp_gateway.backoff import Backoff
from udp_gateway.blocks import Block, BlockKey
from udp_gateway.ledger import Ledger
from udp_gateway.post import Poster
from udp_gateway.receive import PortTaken, Receiver, kernel_drops
from udp_gateway.record import Sums
from udp_gateway.sessions import SessionStore
from udp_gateway.spool import Spool

NOW = 1_795_352_725_126_000_000
KEY = BlockKey(2025, 0, "motion", 0, 4)


# --- receiving ----------------------------------------------------------------------------------------------------


@pytest.fixture
def sender():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        yield out


def receiver(taken: list, buffer_bytes: int = 65_536) -> Receiver:
    return Receiver("127.0.0.1", 0, buffer_bytes, into(taken))


def into(taken: list, is_allowed: bool = True) -> receive.OnDatagram:
    def take(*datagram: object) -> bool:
        taken.append(datagram)
        return is_allowed

    return take


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
    assert kernel_drops([4712], tables) == 3
    assert kernel_drops([4711, 4712], tables) == 20
    assert kernel_drops([1], tables) is None


@pytest.fixture
def sources():
    """Sockets with addresses of their own: a rig, and one that floods."""
    with socket.socket(type=socket.SOCK_DGRAM) as rig, socket.socket(type=socket.SOCK_DGRAM) as flood:
        rig.bind(("127.0.0.2", 0))
        flood.bind(("127.0.0.3", 0))
        yield rig, flood


@pytest.mark.skipif(sys.platform != "linux", reason="sockets of their own are for Linux")
async def test_a_flood_fills_its_own_buffer_and_no_rig_loses_a_datagram(sources):
    rig, flood = sources
    taken: list = []
    listening = receiver(taken, buffer_bytes=2**20)
    listening.start()
    sent = 0
    for _ in range(receive.OWN_AFTER // 10 + 1):
        for number in range(10):
            rig.sendto(b"rig %d" % (sent + number), listening.address)
            flood.sendto(bytes(1400), listening.address)
        sent += 10
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.2)
    assert len(taken) == 2 * sent
    for _ in range(20_000):  # nobody reads meanwhile
        flood.sendto(bytes(1400), listening.address)
    for number in range(100):
        rig.sendto(b"rig %d" % (sent + number), listening.address)
    await asyncio.sleep(0.3)
    assert [raw for raw, source, _ in taken if source == "127.0.0.2"] == [b"rig %d" % n for n in range(sent + 100)]
    assert len(taken) + listening.kernel_drops() == 2 * sent + 20_100
    assert listening.kernel_drops() > 0
    with pytest.raises(PortTaken):
        Receiver("127.0.0.1", listening.address[1], 1, into([]))
    rig.sendto(b"last", listening.address)
    listening.close()
    assert taken[-1][0] == b"last"


@pytest.mark.skipif(sys.platform != "linux", reason="sockets of their own are for Linux")
async def test_no_datagram_counts_for_another_source_while_sockets_are_given_out():
    """Between its bind and its connect a new socket is everybody's: what it then gets keeps its own address."""
    taken: list = []
    listening = receiver(taken, buffer_bytes=2**20)
    listening.start()
    senders = []
    for number in range(2, 42):
        senders.append(socket.socket(type=socket.SOCK_DGRAM))
        senders[-1].bind((f"127.0.0.{number}", 0))
    for turn in range(receive.OWN_AFTER + 20):
        for number, out in enumerate(senders):
            out.sendto(bytes([number + 2]), listening.address)
            if number % 10 == 9:
                await asyncio.sleep(0)
        if turn % 10 == 9:
            await asyncio.sleep(0.002)
    await asyncio.sleep(0.3)
    assert len(listening._own) == len(senders)
    assert {source for raw, source, _ in taken if source != f"127.0.0.{raw[0]}"} == set()
    assert len(taken) == (receive.OWN_AFTER + 20) * len(senders)
    listening.close()
    for out in senders:
        out.close()


@pytest.mark.skipif(sys.platform != "linux", reason="sockets of their own are for Linux")
def test_a_rig_is_heard_on_after_an_error_of_its_socket():
    """On uvloop, which the gateway runs on: it stops watching a socket that had an error."""

    async def scene() -> list:
        taken: list = []
        listening = receiver(taken)
        listening.start()
        rig = socket.socket(type=socket.SOCK_DGRAM)
        rig.bind(("127.0.0.2", 0))
        for _ in range(receive.OWN_AFTER + 5):
            rig.sendto(b"before", listening.address)
            await asyncio.sleep(0.0005)
        address = rig.getsockname()
        rig.close()
        (own,) = listening._own.values()
        own.socket.send(b"to nobody")  # the answer is ECONNREFUSED
        await asyncio.sleep(0.05)
        with socket.socket(type=socket.SOCK_DGRAM) as again:
            again.bind(address)
            again.sendto(b"after 1", listening.address)
            await asyncio.sleep(0.02)
            again.sendto(b"after 2", listening.address)
            await asyncio.sleep(0.05)
        assert listening.errors == 1
        found = [raw for raw, _, _ in taken if raw.startswith(b"after")]
        listening.close()
        return found

    assert uvloop.run(scene()) == [b"after 1", b"after 2"]


async def test_no_address_takes_all_sockets_by_sending_from_many_ports():
    listening = receiver([], buffer_bytes=2**20)
    listening.start()
    for _ in range(2 * receive.OWN_OF_ADDRESS):
        with socket.socket(type=socket.SOCK_DGRAM) as out:
            for _ in range(receive.OWN_AFTER + 1):
                out.sendto(b"x", listening.address)
            await asyncio.sleep(0.005)
    assert len(listening._own) <= receive.OWN_OF_ADDRESS
    listening.close()


async def test_a_source_that_may_not_send_gets_no_socket_of_its_own(sources):
    rig, _ = sources
    listening = Receiver("127.0.0.1", 0, 65_536, into([], is_allowed=False))
    listening.start()
    for _ in range(2 * receive.OWN_AFTER):
        rig.sendto(b"x", listening.address)
        await asyncio.sleep(0.0005)
    assert not listening._own
    listening.close()


async def test_many_sources_do_not_cost_a_rig_its_count(sources, monkeypatch):
    monkeypatch.setattr(receive, "COUNTED_SOURCES", 8)
    rig, _ = sources
    listening = receiver([])
    listening.start()
    for _ in range(receive.OWN_AFTER):
        rig.sendto(b"x", listening.address)
        with socket.socket(type=socket.SOCK_DGRAM) as other:  # a port that nobody had before
            other.sendto(b"x", listening.address)
        await asyncio.sleep(0.0005)
    assert rig.getsockname() in listening._own
    listening.close()


async def test_a_silent_source_gives_its_socket_back(sources, monkeypatch):
    monkeypatch.setattr(receive, "SILENT_S", 0.05)
    rig, _ = sources
    taken: list = []
    listening = receiver(taken)
    listening.start()
    for number in range(receive.OWN_AFTER):
        rig.sendto(bytes([number]), listening.address)
        await asyncio.sleep(0.0005)
    await asyncio.sleep(0.3)
    assert not listening._own
    for number in range(receive.OWN_AFTER + 10):
        rig.sendto(bytes([number]), listening.address)
        await asyncio.sleep(0.0005)
    await asyncio.sleep(0.05)
    listening.close()
    assert len(taken) == 2 * receive.OWN_AFTER + 10


async def test_several_processes_share_a_port_and_a_source_stays_with_one():
    taken: list[list] = [[], []]
    first = Receiver("127.0.0.1", 0, 65_536, into(taken[0]), reuse_port=True)
    second = Receiver("127.0.0.1", first.address[1], 65_536, into(taken[1]), reuse_port=True)
    senders = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(32)]
    for number, out in enumerate(senders):
        for _ in range(3):
            out.sendto(bytes([number]), first.address)
        out.close()
    first.close()
    second.close()
    numbers = [Counter(raw[0] for raw, _, _ in each) for each in taken]
    assert all(numbers), "both get some"
    assert not set(numbers[0]) & set(numbers[1])
    assert set((numbers[0] + numbers[1]).values()) == {3}


def test_a_taken_port_says_what_to_do():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(PortTaken, match="cannot be had") as caught:
            Receiver("127.0.0.1", other.getsockname()[1], 1, into([]))
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

    def __init__(self, *answers: int, refuse: bytes = b"nothing") -> None:
        self.bodies: list[bytes] = []
        self._refuse = refuse
        self._answers = list(answers)
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/blocks", self._take)
        app.router.add_get("/elsewhere", self._elsewhere)
        self._runner = web.AppRunner(app)

    async def _take(self, request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/flowfile-v3"
        self.bodies.append(await request.read())
        status = self._answers.pop(0) if self._answers else 400 if self._refuse in self.bodies[-1] else 200
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
    return Block(KEY, 1, number, b"content-%d" % number)


class Posting:
    """A poster with a spool of its own, in front of `endpoint`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.ledger = Ledger()
        self.spool = Spool(folder / "spool", 2**30, pytest.fail)
        self.poster = Poster(url, self.spool, self.ledger, folder / "refused")
        self.poster._backoff = Backoff(0.01, 0.05)
        self._running = asyncio.create_task(self.poster.run())

    def put(self, *blocks: Block) -> None:
        self.spool.append(blocks, self.ledger.note)
        self.spool.sync()
        self.poster.wake()

    async def settled(self) -> None:
        async with asyncio.timeout(5):
            while not self.spool.is_empty:
                await asyncio.sleep(0.01)

    def end(self) -> None:
        self._running.cancel()


async def test_blocks_are_forgotten_only_when_nifi_says_200(tmp_path):
    endpoint = Endpoint(503, 302, 500, 404)
    posting = Posting(tmp_path, await endpoint.start())
    posting.put(block(0), block(1))
    await asyncio.sleep(0.01)
    posting.put(block(2))
    await posting.settled()
    posting.end()
    assert len(endpoint.bodies) >= 6, "four refusals, the batch, what came meanwhile"
    assert len(set(endpoint.bodies[:5])) == 1, "a retry posts what was posted before"
    posted = [flowfile for body in endpoint.bodies[4:] for flowfile in unpack(body)]
    assert [content for _, content in posted] == [b"content-0", b"content-1", b"content-2"]
    assert [said["block.id"] for said, _ in posted] == [posting.spool.block_id(n) for n in range(3)]
    assert posting.ledger.forwarded == 3
    assert posting.poster.nifi.state == "up"
    assert posting.poster.nifi.failures == 4
    assert "404" in posting.poster.nifi.last_error
    await endpoint.stop()


async def test_a_refused_connection_is_tried_again_and_logged_once(tmp_path, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = Endpoint()
    posting = Posting(tmp_path, f"http://127.0.0.1:{port}/blocks")
    posting.put(block(0))
    await asyncio.sleep(0.3)
    assert posting.ledger.forwarded == 0
    assert posting.poster.nifi.state == "down"
    assert posting.poster.nifi.failures > 2
    await endpoint.start(port)
    await posting.settled()
    posting.end()
    assert posting.ledger.forwarded == 1
    printed = capsys.readouterr().out
    assert printed.count("neighbour down") == 1
    assert printed.count("neighbour up") == 1
    await endpoint.stop()


async def test_a_block_that_nifi_will_never_take_is_set_aside_and_counted(tmp_path):
    # The batch is refused, then of its blocks the second; once NiFi is away in between.
    endpoint = Endpoint(400, 200, 400, 503, 400, 200)
    posting = Posting(tmp_path, await endpoint.start())
    posting.put(block(0), block(1), block(2))
    posting.put(block(3))
    await posting.settled()
    posting.end()
    assert posting.ledger.forwarded == 3
    assert posting.ledger.dropped == {"refused": 1}
    (kept,) = (tmp_path / "refused").iterdir()
    assert [content for _, content in unpack(kept.read_bytes())] == [b"content-1"]
    taken = [content for body in (endpoint.bodies[1], *endpoint.bodies[5:]) for _, content in unpack(body)]
    assert taken == [b"content-0", b"content-2", b"content-3"]
    await endpoint.stop()


async def test_a_refused_block_that_is_alone_does_not_hold_up_those_that_follow(tmp_path):
    endpoint = Endpoint(refuse=b"content-0")
    posting = Posting(tmp_path, await endpoint.start())
    for number in range(4):
        posting.put(block(number))
        await asyncio.sleep(0.02)
    await posting.settled()
    posting.end()
    assert posting.ledger.forwarded == 3
    assert posting.ledger.dropped == {"refused": 1}
    await endpoint.stop()


async def test_a_nifi_that_refuses_everything_costs_no_block(tmp_path):
    endpoint = Endpoint(*[400] * 20)  # as an https port answers http
    posting = Posting(tmp_path, await endpoint.start())
    posting.put(block(0), block(1))
    await posting.settled()
    posting.end()
    assert posting.ledger.forwarded == 2
    assert posting.ledger.dropped == {}
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


async def test_postgres_away_loses_nothing_and_is_logged_once(tmp_path, capsys):
    ledger, spool = Ledger(), Spool(tmp_path, 2**30, pytest.fail)
    store = SessionStore("host=127.0.0.1 port=1 dbname=none connect_timeout=1", spool, ledger)
    store._backoff = Backoff(0.01, 0.02)
    running = asyncio.create_task(store.run())
    key = BlockKey(2025, 1, "session", 0, 753)
    spool.append([Block(key, 1, NOW, bytes(24) + session())], ledger.note)
    spool.sync()
    store.wake()
    await asyncio.sleep(0.4)
    running.cancel()
    assert spool.waiting == Sums(1, 0)
    assert ledger.stored == 0
    assert store.postgres.failures > 1
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
