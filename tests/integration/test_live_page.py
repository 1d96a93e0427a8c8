"""The live page in a real browser, fed by a real gateway."""

import asyncio
import json
import shutil
import socket

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.datagrams import datagram, session
from tests.gateway import gateway_process, send

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture
async def page(tmp_path):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield await browser.new_page(viewport={"width": 1280, "height": 760})
        await browser.close()


def frame(number: int) -> list[bytes]:
    return [
        session({32: ("B", 57), 30: ("b", 37)}, overall_frame=number),
        datagram(2, {0: ("I", 83_456), 4: ("I", 61_234), 32: ("B", 5), 33: ("B", 14)}, car=19, overall_frame=number),
        datagram(7, {5: ("f", 12.5), 17: ("H", 13_000), 26: ("B", 17), 37: ("f", 3e6)}, car=19, overall_frame=number),
        datagram(6, {0: ("H", 287), 15: ("b", 7), 16: ("H", 11_234)}, car=19, overall_frame=number),
    ]


async def test_the_page_shows_the_car_and_says_when_it_is_old(page: Page, tmp_path):
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    async with gateway_process(tmp_path) as gateway:
        await page.goto(f"http://{gateway.http}/")
        await expect(page.locator("#stale")).to_contain_text("Waiting for the first frame")

        async def drive() -> None:
            for number in range(1, 10_000):
                await send(gateway, frame(number), pause_s=0.004)

        driving = asyncio.create_task(drive())
        await expect(page.locator("#signal-text")).to_have_text("live")
        await expect(page.locator("#stale")).to_be_hidden()
        for name, text in {
            "speed": "287", "gear": "7", "rpm": "11,234", "position": "5", "lap": "14", "laps": " / 57",
            "last": "1:23.456", "current": "1:01.234", "fuel": "12.5", "ers": "75", "compound": "M",
            "rig-name": "127.0.0.1",
        }.items():  # fmt: skip
            await expect(page.locator(f"#{name}")).to_have_text(text)
        driving.cancel()
        await expect(page.locator("#stale")).to_contain_text("No data for", timeout=10_000)
        await send(gateway, frame(20_000))
        await expect(page.locator("#stale")).to_be_hidden()
        assert complaints == [], "nothing blocked by the content security policy, no fault in the script"
    await expect(page.locator("#stale")).to_contain_text("The gateway does not answer", timeout=10_000)


async def test_a_person_chooses_rig_and_car_behind_a_token(page: Page, tmp_path):
    names = json.dumps({"127.0.0.1": "left", "127.0.0.2": "right"})
    async with gateway_process(tmp_path, live_token="se cret&", rigs=names) as gateway:
        await page.goto(f"http://{gateway.http}/")
        await expect(page.locator("#stale-title")).to_have_text("This gateway wants its token")
        await page.goto(f"http://{gateway.http}/?token=se%20cret%26")

        async def drive() -> None:
            with socket.socket(type=socket.SOCK_DGRAM) as right:
                right.bind(("127.0.0.2", 0))
                for number in range(1, 10_000):
                    await send(gateway, [datagram(6, {0: ("H", 287)}, car=19, overall_frame=number)])
                    right.sendto(datagram(6, {0: ("H", 111)}, car=4, second=4, overall_frame=number), gateway.udp)
                    await asyncio.sleep(0.02)

        driving = asyncio.create_task(drive())
        speed = page.locator("#speed")
        await page.locator("#rig").select_option("left")
        await expect(speed).to_have_text("287")
        await page.locator("#rig").select_option("right")
        await expect(speed).to_have_text("0")
        await page.locator("#car").select_option("4")
        await expect(speed).to_have_text("111")
        await expect(page.locator("#rig-name")).to_have_text("right · car 4")
        await page.locator("#car").select_option("second")
        await expect(speed).to_have_text("111")
        await page.reload()
        await expect(speed).to_have_text("111")
        await page.locator("#rig").select_option("left")
        await expect(page.locator("#stale-title")).to_have_text("Waiting for a second player")
        await page.locator("#car").select_option("")
        await expect(speed).to_have_text("287")
        driving.cancel()
