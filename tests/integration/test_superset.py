"""The dashboards as a person sees them: a race goes the whole way from the UDP port, a real browser logs in and looks."""

import asyncio
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.async_api import Browser, Page, Response, async_playwright, expect

from f1_packets import signed_uid
from pitlane.settings import SupersetSettings
from pitlane.simulator import Manifest, Race, RaceConfig
from pitlane.stack.stack import Stack
from pitlane.stack.superset import SupersetServer
from tests.driving import drive
from tests.unit.test_superset_assets import CHARTS, DASHBOARDS, placed

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LAPS = 14
"""Enough for a slope through the laps of a stint."""
DRAWN_MS = 180_000
"""A bound for a page that hangs, on a machine that has other things to do."""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian: apt-get install chromium)"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def race(stack: Stack) -> Manifest:
    """A race of the full grid, the latest session that the stack has seen."""
    race = Race(RaceConfig(packet_format=2025, laps=LAPS, seed=77))
    drive(stack, race.datagrams(), speed=12)
    return race.manifest()


class Visit:
    """One page, and what happened on it: chart data by chart title, and everything that people would not want."""

    def __init__(self, page: Page, slug: str) -> None:
        self.page = page
        self.slug = slug
        self.charts = {meta["sliceName"]: CHARTS[uuid] for uuid, meta in placed(DASHBOARDS[slug]).items()}
        """By title."""
        self.answers: dict[int, list[tuple[int, int]]] = defaultdict(list)
        """slice id → (HTTP status, rows) of each answer."""
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self._reading: set[asyncio.Task[None]] = set()
        page.on("response", self._answered)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _answered(self, response: Response) -> None:
        self.hosts.add(response.url.split("/")[2])
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")
        if response.url.partition("?")[0].endswith("/api/v1/chart/data"):
            task = asyncio.ensure_future(self._read(response))
            self._reading.add(task)

    async def _read(self, response: Response) -> None:
        form = json.loads(response.request.post_data or "{}")["form_data"]
        rows = 0
        if response.status == 200:
            rows = sum(result["rowcount"] for result in (await response.json())["result"])
        if form.get("slice_id"):  # the filters' own queries have none
            self.answers[form["slice_id"]].append((response.status, rows))

    async def drawn(self) -> None:
        """Waits until every chart shows its table or canvas and nothing loads any more."""
        await self.page.wait_for_function(
            """titles => titles.every(title => {
                const chart = document.querySelector(`[data-test-chart-name="${title}"]`);
                return chart && chart.querySelector('table, canvas') && !chart.querySelector('.loading');
            }) && !document.querySelector('[data-test="loading-indicator"]')""",
            arg=sorted(self.charts),
            timeout=DRAWN_MS,
        )
        await asyncio.gather(*self._reading)

    async def rows(self, title: str) -> list[list[str]]:
        """The cells of a table."""
        return await self.page.locator(f'[data-test-chart-name="{title}"] tbody tr').evaluate_all(
            "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => cell.innerText.trim()))"
        )


@pytest.fixture
async def visit(
    request: pytest.FixtureRequest, superset_server: SupersetServer, database: SupersetSettings
) -> AsyncIterator[Visit]:
    """A browser on a dashboard (Race history, unless a test asks for another by its slug), logged in through the form.

    Tall enough for every chart to be in sight: Superset draws only those.
    """
    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1440, "height": 6200})
        page.set_default_timeout(DRAWN_MS)
        await page.goto(f"{superset_server.address}/login/")
        await page.locator("#username, input[name=username]").first.fill("admin")
        await page.locator("#password, input[name=password]").first.fill(
            database.superset_admin_password.get_secret_value()
        )
        await page.keyboard.press("Enter")
        await page.wait_for_url(lambda url: "login" not in url)
        visit = Visit(page, getattr(request, "param", "race-history"))
        await page.goto(f"{superset_server.address}/superset/dashboard/{visit.slug}/")
        yield visit
        await browser.close()


PAINTED = """canvas => {
    const [left, top] = [0.1 * canvas.width, 0.2 * canvas.height];
    const {data} = canvas.getContext('2d').getImageData(left, top, 0.6 * canvas.width, 0.65 * canvas.height);
    const colours = new Set();
    for (let i = 0; i < data.length; i += 4) {
        const [r, g, b] = data.slice(i, i + 3);
        if (data[i + 3] > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 60)
            colours.add([r >> 5, g >> 5, b >> 5].join());
    }
    return colours.size;
}"""
"""How many different strong colours the middle of a canvas shows: axes and texts are grey, only data is coloured, and
the legends, which are coloured too, stand above and to the right."""


@pytest.mark.parametrize("visit", DASHBOARDS, indirect=True)
async def test_every_chart_of_a_dashboard_shows_the_latest_race(visit: Visit, race: Manifest, tmp_path: Path) -> None:
    await visit.drawn()
    await visit.page.screenshot(path=tmp_path / f"{visit.slug}.png")

    await expect(visit.page.locator("[role=alert]")).to_have_count(0)
    assert visit.complaints == []
    assert visit.hosts == {visit.page.url.split("/")[2]}, "nothing answered from outside"
    assert len(visit.answers) == len(visit.charts)
    for answers in visit.answers.values():
        assert all(status == 200 and rows > 0 for status, rows in answers), visit.answers
    for title, chart in visit.charts.items():
        colours = 2 if chart["params"].get("groupby") else 1
        for canvas in await visit.page.locator(f'[data-test-chart-name="{title}"] canvas').all():
            assert await canvas.evaluate(PAINTED) >= colours, f"{title} is blank"


async def test_race_history_tells_the_truth(visit: Visit, race: Manifest, database: SupersetSettings) -> None:
    await visit.drawn()
    # Against the simulator's truth.
    names = {one.car_index: one.name for one in race.participants}
    winner = next(one for one in race.results if one.position == 1)
    results = await visit.rows("Results")
    assert len(results) == len(race.results)
    assert results[0][:2] == ["1", names[winner.car_index]]
    assert [row[1] for row in results] == [
        names[one.car_index] for one in sorted(race.results, key=lambda one: one.position)
    ]
    ((track, kind, *_, drivers, laps),) = await visit.rows("Session")
    assert (track, kind, drivers, laps) == ("Catalunya", "Race", str(len(names)), str(LAPS))

    # And against the tables themselves, without the views that the charts read.
    fastest = """
        SELECT lap_time_ms, name FROM core.lap JOIN core.participant USING (session_uid, rig, car_index)
        WHERE session_uid = %s AND is_valid ORDER BY lap_time_ms LIMIT 1
    """
    with psycopg.connect(database.conninfo("reader")) as connection:
        found = connection.execute(fastest, [signed_uid(race.session.session_uid)]).fetchone()
    assert found is not None
    clock = f"{found[0] // 60_000}:{found[0] / 1000 % 60:06.3f}"
    assert (await visit.rows("Session"))[0][5:7] == [clock, found[1]]
    assert (await visit.rows("Fastest laps and sectors"))[0][0] == found[1]


@pytest.mark.parametrize("visit", ["race-pace"], indirect=True)
async def test_race_pace_tells_the_truth(visit: Visit, race: Manifest) -> None:
    await visit.drawn()
    names = {one.car_index: one.name for one in race.participants}
    places = {names[one.car_index]: one for one in race.results}

    standing = await visit.rows("Season standing")
    assert {driver.partition(" #")[0]: int(points) for _, driver, points, *_ in standing} == {
        driver: one.points for driver, one in places.items()
    }, "a person has the race number behind the name"
    stops = Counter(driver for driver, *_ in await visit.rows("Pit loss"))
    assert stops == {driver: one.pit_stops for driver, one in places.items() if one.pit_stops}
    penalties = [event for event in race.events if event.code == "PENA"]
    assert len(await visit.rows("Penalties")) == len(penalties)


async def test_filters_narrow_charts_down(visit: Visit, race: Manifest) -> None:
    await visit.drawn()
    await visit.page.locator(".ant-select-multiple").first.click()  # Drivers
    options = visit.page.locator(".ant-select-dropdown:visible .ant-select-item-option")
    drivers = []
    for number in range(2):
        drivers.append(await options.nth(number).inner_text())
        await options.nth(number).click()
    assert set(drivers) < {one.name for one in race.participants}
    await visit.page.keyboard.press("Escape")
    await visit.page.get_by_role("button", name="Apply").click()

    await expect(visit.page.locator('[data-test-chart-name="Results"] tbody tr')).to_have_count(2)
    await visit.drawn()
    assert {row[1] for row in await visit.rows("Results")} == set(drivers)
    assert len(await visit.rows("Session")) == 1, "the headline is the session's, whoever is chosen"
    assert visit.complaints == []


def test_charts_are_read_by_the_role_that_cannot_write(
    superset_server: SupersetServer, database: SupersetSettings
) -> None:
    metadata: dict[str, Any] = {
        "host": database.postgres_host, "port": database.postgres_port, "dbname": "superset", "user": "superset",
        "password": database.superset_database_password.get_secret_value(),
    }  # fmt: skip
    with psycopg.connect(**metadata) as connection:
        connections = connection.execute("SELECT database_name, sqlalchemy_uri, allow_dml FROM dbs").fetchall()
    place = f"{database.postgres_host}:{database.postgres_port}/{database.postgres_database}"
    assert connections == [("Pitlane", f"postgresql+psycopg2://pitlane_reader:XXXXXXXXXX@{place}", False)]
