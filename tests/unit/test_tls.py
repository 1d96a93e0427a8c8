"""The client's side of TLS against `openssl s_server`, and blocks posted over it to a server that asks for certificates."""

import asyncio
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pitlane.certificates import ensure
from pitlane.doctor import certificate_ends
from pitlane.settings import CertificateSettings
from pitlane.tls import Files, Unreadable, client_context, told
from tests.gateway import unpack
from udp_gateway.backoff import Backoff
from udp_gateway.blocks import Block, BlockKey
from udp_gateway.ledger import Ledger
from udp_gateway.post import Poster
from udp_gateway.spool import Spool


def made(folder: Path, now: datetime | None = None) -> Files:
    ensure(
        CertificateSettings(_env_file=None, tls=folder, nifi_keystore_password="a", nifi_truststore_password="b"), now
    )
    return Files(folder)


@pytest.fixture
def tls(tmp_path: Path) -> Files:
    return made(tmp_path / "tls")


@pytest.fixture
def other(tmp_path: Path) -> Files:
    return made(tmp_path / "other")


@contextmanager
def openssl_server(tls: Files, *options: str) -> Iterator[int]:
    """A server with NiFi's certificate that sends a line to whom it lets in; its port."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(tls.certificate("nifi")), "-key", str(tls.key("nifi")),
               "-CAfile", str(tls.ca), "-www", *options]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            line = next(line for line in server.stdout if line.startswith("ACCEPT"))
            yield int(re.findall(r":(\d+)", line)[-1])
        finally:
            server.kill()


def asked(port: int, context: ssl.SSLContext) -> str:
    """What goes wrong, "" when the server answers."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            secured.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert secured.recv(100).startswith(b"HTTP/1.0 200")
            return ""
    except OSError as error:
        return told(error)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_both_sides_are_known_or_there_is_no_connection(tls: Files, other: Files, version: str) -> None:
    right = (tls.certificate("gateway"), tls.key("gateway"))
    wrong = (other.certificate("gateway"), other.key("gateway"))
    with openssl_server(tls, version, "-Verify", "1", "-verify_return_error") as port:
        assert asked(port, client_context(tls.ca, *right)) == ""
        assert "client certificate" in asked(port, client_context(tls.ca, None, None))
        assert "refuses the client certificate" in asked(port, client_context(tls.ca, *wrong))
        assert "is not to be trusted: " in asked(port, client_context(other.ca, *right))


def test_the_name_of_the_server_is_checked(tls: Files) -> None:
    """The gateway's certificate is of the same CA, and still not NiFi's."""
    with openssl_server(tls, "-cert", str(tls.certificate("gateway")), "-key", str(tls.key("gateway"))) as port:
        assert "is not to be trusted: " in asked(port, client_context(tls.ca, None, None))


def test_what_does_not_speak_tls_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with accepted, pytest.raises(ssl.SSLError) as error:
            ssl.create_default_context().wrap_socket(client, server_hostname="localhost")
        assert told(error.value) == "it does not speak TLS"
        client.close()


def test_other_errors_are_none_of_tls() -> None:
    with pytest.raises(ConnectionRefusedError) as error:
        socket.create_connection(("127.0.0.1", 9))
    assert told(error.value) == ""


@pytest.mark.parametrize("damage", ["missing", "damaged", "another's key"])
def test_files_that_cannot_be_used_are_named(tls: Files, damage: str) -> None:
    key = tls.key("gateway")
    if damage == "missing":
        key.unlink()
    else:
        key.write_bytes(b"no PEM" if damage == "damaged" else tls.key("nifi").read_bytes())
    with pytest.raises(Unreadable, match=re.escape(str(key))):
        client_context(tls.ca, tls.certificate("gateway"), key)


def test_the_doctor_sees_a_certificate_that_ends_soon(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for days_left, finding in ((20, False), (10, True)):
        tls = made(tmp_path / str(days_left), now - timedelta(days=365 - days_left))
        with openssl_server(tls) as port:
            found = certificate_ends("127.0.0.1", port)
        assert (found is not None) is finding
    assert found is not None
    assert (found.ok, found.reason) == (False, "certificate_ends")
    assert f"{now + timedelta(days=10):%Y-%m-%d}" in found.text
    assert certificate_ends("127.0.0.1", 9) is None, "a NiFi that is away is another finding"


# --- posting ------------------------------------------------------------------------------------------------------


class Nifi(ThreadingHTTPServer):
    """Takes FlowFiles from who has a certificate of its CA, and counts connections."""

    def __init__(self, tls: Files) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca)
        context.load_cert_chain(tls.certificate("nifi"), tls.key("nifi"))
        context.verify_mode = ssl.CERT_REQUIRED
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server_port}/blocks"
        self.connections = 0
        self.contents: list[bytes] = []

    def process_request(self, *accepted: Any) -> None:
        self.connections += 1
        super().process_request(*accepted)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Nifi

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.contents += [content for _, content in unpack(body)]
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def nifi(tls: Files) -> Iterator[Nifi]:
    server = Nifi(tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Posting:
    """A poster with a spool of its own and the certificates in `tls`."""

    def __init__(self, folder: Path, url: str, tls: Files) -> None:
        self.ledger = Ledger()
        self._spool = Spool(folder / "spool", 2**30, pytest.fail)

        def context() -> ssl.SSLContext:
            return client_context(tls.ca, tls.certificate("gateway"), tls.key("gateway"))

        self.poster = Poster(url, self._spool, self.ledger, folder / "refused", context)
        self.poster._backoff = Backoff(0.01, 0.05)
        self._running = asyncio.create_task(self.poster.run())

    def put(self, content: bytes) -> None:
        self._spool.append([Block(BlockKey(2025, 0, "motion", 0, 4), 1, 0, content)], self.ledger.note)
        self._spool.sync()
        self.poster.wake()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0.01)

    async def says(self, error: str) -> None:
        await self.until(lambda: error in self.poster.nifi.last_error)

    def end(self) -> None:
        self._running.cancel()


async def test_a_block_waits_for_the_right_certificate_which_needs_no_restart(nifi, tls, other, tmp_path):
    mine = Files(tmp_path / "mine")
    mine.folder.mkdir()
    with capture_logs() as logs:
        posting = Posting(tmp_path, nifi.url, mine)
        posting.put(b"content")
        await posting.says("cannot use")
        copy(other, mine, "ca.pem", "gateway.pem", "gateway.key")
        await posting.says("TLS with NiFi fails: its certificate is not to be trusted")
        copy(tls, mine, "ca.pem")
        await posting.says("TLS with NiFi fails: it refuses the client certificate")
        assert (nifi.contents, posting.ledger.forwarded) == ([], 0)
        copy(tls, mine, "gateway.pem", "gateway.key")
        await posting.until(lambda: posting.ledger.forwarded == 1)
        posting.end()
    assert nifi.contents == [b"content"]
    said = " ".join(event["error"] for event in logs if event["event"] == "neighbour down")
    for reason in ("cannot use", "is not to be trusted", "refuses the client certificate"):
        assert reason in said
    assert logs[-1]["event"] == "neighbour up"


async def test_one_connection_serves_all_blocks(nifi, tls, tmp_path):
    posting = Posting(tmp_path, nifi.url, tls)
    for number in range(5):
        posting.put(b"%d" % number)
        await posting.until(lambda number=number: posting.ledger.forwarded == number + 1)
    posting.end()
    assert nifi.contents == [b"0", b"1", b"2", b"3", b"4"]
    assert nifi.connections == 1


def copy(source: Files, target: Files, *names: str) -> None:
    for name in names:
        (target.folder / name).write_bytes((source.folder / name).read_bytes())
