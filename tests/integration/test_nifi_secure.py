"""NiFi over https (PITLANE_NIFI_SECURE): who gets in, that every command works, and the way there and back with data."""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from playwright.async_api import async_playwright, expect
from rich.console import Console

from nifi.deploy import deploy
from nifi.errors import Unreachable
from nifi.queued import queued
from nifi.status import status
from pitlane.settings import REPOSITORY, NifiSettings
from pitlane.stack.ports import LOOPBACK
from pitlane.stack.stack import Stack
from pitlane.tls import Files, client_context
from tests import prometheus
from tests.integration.test_nifi_flow import block, post

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.ephemeral(tmp_path_factory.mktemp("secure") / "stack")
    yield stack
    stack.down(Console(quiet=True))


def up(home: Stack, secure: str) -> Stack:
    """NiFi with the flow, and Kafka, started anew with `secure` as a person sets it."""
    stack = Stack(home.home, home.values | {"PITLANE_NIFI_SECURE": secure}, home.env_file)
    stack.up(Console(stderr=True), ["Flow"])
    return stack


@pytest.fixture(scope="module")
def secure(home: Stack) -> Stack:
    return up(home, "1")


def pitlane(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as somebody runs it, on this stack."""
    where = {"PITLANE_STACK_HOME": str(stack.home), "PITLANE_ENV_FILE": str(stack.env_file), "COLUMNS": "200"}
    command = [sys.executable, "-m", "pitlane.cli", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | where, capture_output=True, text=True, timeout=120, check=False
    )


def asked(stack: Stack, role: str, path: str = "/nifi-api/flow/process-groups/root") -> int | str:
    """What NiFi's API answers to the certificate of a role; "" is none."""
    files = Files(stack.home / "tls")
    certificate = (files.certificate(role), files.key(role)) if role else (None, None)
    context = client_context(files.ca, *certificate)
    connection = http.client.HTTPSConnection(LOOPBACK, stack.ports.nifi, timeout=10, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (ssl.SSLError, ConnectionError) as error:
        return type(error).__name__
    finally:
        connection.close()


def nothing_is_queued(settings: NifiSettings) -> None:
    """Returns once every block has left NiFi."""
    deadline = time.monotonic() + 60
    while queued(settings) != {"blocks": {}, "unknown": 0}:
        assert time.monotonic() < deadline, "a block does not leave NiFi"


def test_only_the_operator_gets_in(secure: Stack) -> None:
    assert asked(secure, "operator") == 200
    assert asked(secure, "gateway") == 403
    assert isinstance(asked(secure, ""), str)
    assert isinstance(asked(secure, "nifi"), str)
    metrics = prometheus.nifi_path()
    assert (asked(secure, "operator", metrics), asked(secure, "gateway", metrics)) == (200, 403)
    with pytest.raises(Unreachable):
        status(
            secure.settings(NifiSettings).model_copy(update={"nifi_client_certificate": None, "nifi_client_key": None})
        )


def test_nothing_of_it_speaks_plain_http_but_its_management_port(secure: Stack) -> None:
    process = secure.nifi.process()
    assert process is not None
    listening = [each.laddr for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]
    ports = {each.port for each in listening}
    (python,) = ports - {secure.ports.nifi, secure.ports.nifi_listen, secure.ports.nifi_management}
    # Where its Python processes talk to it, with a token that each gets from NiFi.
    assert {each.ip.removeprefix("::ffff:") for each in listening if each.port == python} == {LOOPBACK}
    for port in ports - {secure.ports.nifi_management}:
        with socket.create_connection((LOOPBACK, port), 10) as plain:
            plain.sendall(b"GET /nifi-api/flow/about HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP")


def test_every_command_works(secure: Stack) -> None:
    address = f"https://{LOOPBACK}:{secure.ports.nifi}/nifi"
    shown = pitlane(secure, "status", "--logins").stdout
    assert f"{address} " in next(line for line in shown.splitlines() if line.split()[:2] == ["nifi", "running"])
    assert str(secure.home / "tls" / "operator.p12") in shown
    for verb in ("deploy", "status"):
        ended = pitlane(secure, "flow", verb)
        assert ended.returncode == 0, ended
    assert pitlane(secure, "doctor").stdout.count("the gateway does not run") == 1  # and no other complaint before it
    settings = secure.settings(NifiSettings)
    assert post(settings, [block(2)]) == 200
    nothing_is_queued(settings)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian: apt-get install chromium)")
async def test_a_browser_opens_the_canvas_with_the_operators_file(secure: Stack) -> None:
    origin = f"https://{LOOPBACK}:{secure.ports.nifi}"
    certificate = {
        "origin": origin,
        "pfxPath": str(secure.home / "tls" / "operator.p12"),
        "passphrase": secure.values["PITLANE_OPERATOR_PASSWORD"],
    }
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # Chromium itself does not know the CA.
        context = await browser.new_context(ignore_https_errors=True, client_certificates=[certificate])
        page = await context.new_page()
        await page.goto(f"{origin}/nifi/")
        await expect(page.get_by_text("CN=operator")).to_be_visible(timeout=60_000)
        await expect(page.locator("svg text").filter(has_text="f1-ingest").first).to_be_visible(timeout=60_000)
        await browser.close()


def test_it_is_switched_off_and_on_with_what_is_queued(secure: Stack) -> None:
    """Last: it leaves NiFi as it was."""
    settings = secure.settings(NifiSettings)
    group = deploy(settings)["group"]
    secure.kafka.stop()
    assert post(settings, [block(2), block(2)]) == 200
    try:
        for told, scheme in (("0", "http"), ("1", "https")):
            other = Stack(secure.home, secure.values | {"PITLANE_NIFI_SECURE": told}, secure.env_file)
            other.write_environment()
            other.nifi.start()  # anew, as it is reached otherwise now
            switched = other.settings(NifiSettings)
            assert other.nifi.address.startswith(f"{scheme}://")
            assert switched.nifi_url.startswith(f"{scheme}://")
            state = status(switched)
            assert (state["group"], state["queued"], state["running"]) == (group, 2, 5)
    finally:
        secure.kafka.start()
    assert deploy(settings)["flow"] == "unchanged"
    nothing_is_queued(settings)
