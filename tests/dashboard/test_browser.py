"""The dashboard as a real browser shows it: every page, clicks, links, downloads, a phone, and nothing from outside."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lcl_lab.dashboard import DashboardConfig, streamlit_command
from tests.dashboard.factories import PAGES, ROOT, STUDIES, copy_shipped, newest_run, write_hostile_run
from tests.dashboard.test_launcher import free_port, is_healthy
from tests.sweeps.grids import wait_for

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: tests/install_browser.sh installs it")
CHART = '[data-testid="stVegaLiteChart"] svg'
POINT = 'g.mark-symbol.role-mark path[aria-label*="model: mini/2-way;"]'


@dataclass
class Window:
    """One page of a browser, its requests to other machines, and dialogs that scripts opened."""

    page: sync_api.Page
    address: str
    results: Path
    outside: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.address}/{path}")
        self.page.wait_for_selector("h1")
        self.settle()

    def press(self, what: sync_api.Locator, opens: Callable[[], object]) -> None:
        """Click, and again if the page was redrawn under the click, as people do on a busy machine."""
        for _ in range(4):
            self.settle()
            with suppress(sync_api.TimeoutError):
                what.click(force=True, timeout=5_000)
            with suppress(sync_api.TimeoutError):
                opens()
                self.settle()
                return
        raise AssertionError("nothing opens")

    def settle(self) -> None:
        """Until the script has run. The widget that says "running" cannot tell: it appears late or not at all."""
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')

    def stand_still(self, what: sync_api.Locator) -> None:
        """Until charts that are being drawn no longer move an element."""
        places = [what.bounding_box()]
        while len(places) < 4 or any(place != places[-1] for place in places[-4:]):
            assert len(places) < 200, "never stands still"
            self.page.wait_for_timeout(300)
            places.append(what.bounding_box())


def start(results: Path, folder: Path = ROOT) -> tuple[subprocess.Popen[bytes], str]:
    """Start a dashboard: in the checkout as the README does, in any other folder as `lcl dashboard` does."""
    port = free_port()
    if folder == ROOT:
        command = [sys.executable, "-m", "streamlit", "run", "dashboards/app.py", "--server.headless", "true"]
        command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--", "--results", str(results)]
    else:
        command = streamlit_command(DashboardConfig(results=results, port=port, headless=True))
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: is_healthy(port), 60)
    return process, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a dashboard that shows a copy of the shipped results."""
    results = copy_shipped(tmp_path_factory.mktemp("dashboard") / "results", *STUDIES)
    process, address = start(results)
    yield address, results
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def chromium() -> Iterator[sync_api.Browser]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def window(server: tuple[str, Path], chromium: sync_api.Browser, request: pytest.FixtureRequest) -> Iterator[Window]:
    """A new window. In the end there was no request to another machine, and no script in a record ran."""
    options = getattr(request, "param", {})
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, **options)
    shown = Window(context.new_page(), *server)
    shown.page.set_default_timeout(60_000)

    def record(url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            shown.outside.append(url)

    shown.page.on("request", lambda request: record(request.url))
    shown.page.on("dialog", lambda dialog: (shown.dialogs.append(dialog.message), dialog.dismiss()))
    yield shown
    context.close()
    assert shown.outside == []
    assert shown.dialogs == []


def screenshot(window: Window, name: str) -> Path:
    """Save a picture of the whole page, in the folder LCL_LAB_SCREENSHOTS if it is set."""
    folder = Path(os.environ.get("LCL_LAB_SCREENSHOTS", window.results.parent))
    folder.mkdir(parents=True, exist_ok=True)
    height = window.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    before = window.page.viewport_size
    window.page.set_viewport_size({"width": before["width"], "height": min(max(height, 900), 5000)})
    window.page.wait_for_timeout(500)
    path = folder / f"{name}.png"
    window.page.screenshot(path=path)
    window.page.set_viewport_size(before)
    return path


@pytest.mark.parametrize("name", [name if name == "" else pytest.param(name, marks=pytest.mark.slow) for name in PAGES])
def test_every_page_opens_and_its_charts_draw(name: str, window: Window) -> None:
    window.open(name)
    charts = window.page.locator('[data-testid="stVegaLiteChart"]')
    if name in ("", "compare", *STUDIES) and name != "qualitative":
        window.page.wait_for_selector(CHART)
        for number in range(charts.count()):
            drawn = charts.nth(number).locator("g.role-mark path, g.role-mark line")
            drawn.first.wait_for(state="attached")
            assert drawn.count() > 0
    assert window.page.locator('[data-testid="stException"]').count() == 0
    if name != "sweeps":  # none has run
        with window.page.expect_download() as download:
            window.page.get_by_role("button", name="Export report").click()
        report = Path(download.value.path()).read_text(encoding="utf-8")
        assert report.startswith("<!doctype html>")
        assert not re.search(r'(src|href)="(?!data:)', report)
    assert screenshot(window, name or "overview").stat().st_size > 10_000


def test_a_click_on_a_point_opens_its_episodes_and_a_link_stays_valid(window: Window) -> None:
    window.open("false_ratio")
    window.page.wait_for_selector(CHART)
    window.page.wait_for_timeout(1_500)  # a chart that is drawn again while it is clicked loses the click
    point = window.page.locator('[data-testid="stVegaLiteChart"]').nth(1).locator(POINT).nth(4)
    window.press(point, lambda: window.page.wait_for_url("**/episodes?**", timeout=15_000))
    assert f"run={newest_run(window.results, 'false_ratio').replace('/', '%2F')}" in window.page.url
    assert "false_ratio=1" in window.page.url
    window.page.get_by_text("200 episodes").wait_for()
    heading = window.page.get_by_role("heading", name="Query 2:")
    opens = window.page.get_by_test_id("stButton").get_by_role("button", name="Open", exact=True)
    window.press(opens.nth(2), lambda: heading.wait_for(timeout=15_000))
    address = window.page.url
    assert "query=2" in address
    tiles = window.page.locator(".st-key-support [data-testid=stImage]")
    tiles.nth(15).wait_for()
    shown = tiles.all_inner_texts()
    assert len(shown) == 16
    assert all(re.search(r"\bis\s+\w+$", line) for line in shown)  # every label is false, and has the true name
    window.page.goto("about:blank")
    window.page.goto(address)
    heading.wait_for()
    window.settle()
    tiles.nth(15).wait_for()
    assert tiles.all_inner_texts() == shown
    screenshot(window, "one-episode")
    with window.page.expect_download() as download:
        window.page.get_by_role("button", name="Export report").click()
    assert 'src="data:image/png;base64,' in Path(download.value.path()).read_text(encoding="utf-8")


@pytest.mark.slow
def test_each_view_is_one_step_in_the_history(window: Window) -> None:
    window.open("false_ratio?by=candidate")
    window.page.wait_for_selector(CHART)
    window.page.wait_for_timeout(1_500)
    point = window.page.locator(CHART).first.locator(POINT).nth(4)
    window.press(point, lambda: window.page.wait_for_url("**/episodes?**", timeout=15_000))
    one, several = window.page.get_by_role("heading", name="Query 2:"), window.page.get_by_text("200 episodes")
    several.wait_for()
    list_address = window.page.url
    opens = window.page.get_by_test_id("stButton").get_by_role("button", name="Open", exact=True)
    window.press(opens.nth(2), lambda: one.wait_for(timeout=15_000))
    episode_address = window.page.url

    def shows(what: sync_api.Locator, address: str) -> None:
        what.wait_for()
        window.settle()
        assert what.is_visible() and window.page.url == address

    window.page.go_back()
    shows(several, list_address)
    window.page.go_forward()
    shows(one, episode_address)
    every = window.page.get_by_role("button", name="All episodes of this condition")
    window.press(every, lambda: several.wait_for(timeout=15_000))
    condition_address = window.page.url
    window.page.reload()
    shows(several, condition_address)
    window.page.go_back()
    shows(one, episode_address)
    window.page.go_back()
    shows(several, list_address)
    window.page.go_back()
    window.page.wait_for_selector("li[data-metric]", state="attached")
    metrics = window.page.locator("li[data-metric]").evaluate_all("all => all.map(one => one.dataset.metric)")
    assert set(metrics) - {""} == {"candidate"}


def test_selections_are_in_the_address(window: Window) -> None:
    window.open("shots?by=open-ended&models=mini/2-way-random")
    window.page.wait_for_selector(CHART)
    window.page.wait_for_selector("li[data-metric]", state="attached")
    assert window.page.locator(CHART).locator('path[aria-label*="model: mini/base;"]').count() == 0
    metrics = window.page.locator("li[data-metric]").evaluate_all("all => all.map(one => one.dataset.metric)")
    assert set(metrics) - {""} == {"open-ended"}  # cut-off answers belong to no metric
    window.page.get_by_test_id("stSelectbox").last.click()
    window.page.get_by_role("option", name="candidate").click()
    window.settle()
    assert "by=candidate" in window.page.url
    assert "models=" in window.page.url


def test_charts_and_pages_are_saved(window: Window, tmp_path: Path) -> None:
    window.open("false_ratio")
    window.page.wait_for_selector(CHART)
    menu = window.page.get_by_test_id("stPopover").first.get_by_role("button")
    window.stand_still(menu)  # an open menu would be moved out of sight
    menu.click()
    for name, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("Vega-Lite", b"{"), ("For a paper", b"PK")):
        with window.page.expect_download() as download:
            window.page.get_by_test_id("stPopoverBody").get_by_role("button", name=name).click()
        download.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    window.page.keyboard.press("Escape")
    window.page.get_by_text("Accuracy, with 95 % intervals over concept pairs").first.click()
    with window.page.expect_download() as download:
        window.page.get_by_role("button", name="CSV", exact=True).first.click()
    assert download.value.suggested_filename == "false_ratio-accuracy-with-95-intervals-over-concept-pairs.csv"
    with window.page.expect_download() as download:
        window.page.get_by_role("button", name="Export report").click()
    download.value.save_as(tmp_path / "report.html")
    window.page.goto((tmp_path / "report.html").as_uri())
    assert window.page.locator("img").evaluate_all("all => all.every(one => one.naturalWidth > 100)")
    assert "False labels at 16 shots" in window.page.locator("h1").inner_text()
    window.outside.clear()  # of the file itself
    with window.page.expect_request(lambda request: True, timeout=5_000) as request:
        window.page.reload()
    assert request.value.url.startswith("file:")
    assert all(url.startswith("file:") for url in window.outside)
    window.outside.clear()


@pytest.mark.parametrize("window", [{"color_scheme": "dark"}], indirect=True)
@pytest.mark.parametrize("name", ["", pytest.param("false_ratio", marks=pytest.mark.slow)])
def test_a_dark_page_has_light_ink(name: str, window: Window) -> None:
    window.open(name)
    window.page.wait_for_selector(CHART)
    ink = window.page.locator(CHART).first.locator(".role-axis-label text").first.get_attribute("fill")
    assert ink == "#EEEEEE"
    ground = window.page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert ground == "rgb(23, 22, 20)"
    screenshot(window, f"{name or 'overview'}-dark")


SMALL = ["", *(pytest.param(name, marks=pytest.mark.slow) for name in ("false_ratio", "episodes"))]


@pytest.mark.parametrize("name", SMALL)
def test_a_phone_needs_no_sideways_scrolling(name: str, window: Window) -> None:
    window.page.set_viewport_size({"width": 390, "height": 844})
    window.open(name)
    if name != "episodes":
        window.page.wait_for_selector(CHART)
    window.page.wait_for_timeout(500)
    wide = "document.querySelector('[data-testid=stMain]').scrollWidth"
    assert window.page.evaluate(wide) <= 390
    boxes = [chart.bounding_box() for chart in window.page.locator(CHART).all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 391 for box in boxes if box)
    screenshot(window, f"{name or 'overview'}-phone")


@pytest.mark.slow
def test_hostile_records_run_nowhere(chromium: sync_api.Browser, tmp_path: Path) -> None:
    write_hostile_run(tmp_path / "results")
    process, address = start(tmp_path / "results")
    try:
        context = chromium.new_context()
        shown = Window(context.new_page(), address, tmp_path / "results")
        shown.page.on(
            "request", lambda request: shown.outside.append(request.url) if "127.0.0.1" not in request.url else None
        )
        shown.page.on("dialog", lambda dialog: (shown.dialogs.append(dialog.message), dialog.dismiss()))
        for name in (
            "",
            "false_ratio",
            "compare",
            "provenance",
            f"episodes?run={newest_run(shown.results, 'false_ratio')}",
        ):
            shown.open(name)
            shown.page.wait_for_timeout(500)
            assert shown.page.locator('img[src*="evil"]').count() == 0
        context.close()
    finally:
        process.kill()
        process.wait()
    assert [url for url in shown.outside if not url.startswith(("data:", "blob:"))] == []
    assert shown.dialogs == []


@pytest.mark.slow
def test_another_folder_has_the_same_theme(chromium: sync_api.Browser, tmp_path: Path) -> None:
    process, address = start(tmp_path / "results", tmp_path)
    try:
        page = chromium.new_page()
        page.goto(f"{address}/false_ratio")
        tag = page.locator('[data-testid="stMultiSelect"] [data-tag]').first
        assert tag.evaluate("tag => getComputedStyle(tag).backgroundColor") == "rgb(0, 114, 178)"
    finally:
        process.kill()
        process.wait()
