"""The dashboard as a real browser shows it: every page, clicks, links, downloads, a phone, and nothing from outside."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lcl_lab.studies.all import studies
from tests.dashboards.making import ROOT, copied, newest, write_evil
from tests.sweeps.grids import wait_for

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: tests/install_browser.sh installs it")
CHART = '[data-testid="stVegaLiteChart"] svg'
STUDIES = [study.name for study in studies()]
POINT = 'g.mark-symbol.role-mark path[aria-label*="model: mini/2-way;"]'


@dataclass
class EncodedImage:
    """One page of a browser, and what it asked of other machines."""

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
        """Click, and again where the page was being drawn anew under the click, as one does on a busy machine."""
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
        """Until the script has run."""
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector('[data-testid="stStatusWidget"]', state="detached")


def started(results: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboards/app.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--", "--results", str(results)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def healthy() -> bool:
        try:
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).status == 200)
        except OSError:
            return False

    wait_for(healthy, 60)
    return process, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a dashboard of the shipped results, copied."""
    results = copied(tmp_path_factory.mktemp("dashboard") / "results", *STUDIES)
    process, address = started(results)
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
def seen(
    server: tuple[str, Path], chromium: sync_api.Browser, request: pytest.FixtureRequest
) -> Iterator[EncodedImage]:
    """A window of its own; in the end nothing was asked of another machine, and no script of a record ran."""
    options = getattr(request, "param", {})
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, **options)
    found = EncodedImage(context.new_page(), *server)
    found.page.set_default_timeout(60_000)

    def asked(url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            found.outside.append(url)

    found.page.on("request", lambda request: asked(request.url))
    found.page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
    yield found
    context.close()
    assert found.outside == []
    assert found.dialogs == []


def screenshot(seen: EncodedImage, name: str) -> Path:
    """A picture of the whole page, kept where LCL_LAB_SCREENSHOTS says so that people can look at it."""
    folder = Path(os.environ.get("LCL_LAB_SCREENSHOTS", seen.results.parent))
    folder.mkdir(parents=True, exist_ok=True)
    height = seen.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    before = seen.page.viewport_size
    seen.page.set_viewport_size({"width": before["width"], "height": min(max(height, 900), 5000)})
    seen.page.wait_for_timeout(500)
    path = folder / f"{name}.png"
    seen.page.screenshot(path=path)
    seen.page.set_viewport_size(before)
    return path


@pytest.mark.parametrize("name", ["", *STUDIES, "episodes", "compare", "sweeps", "provenance"])
def test_every_page_opens_and_its_charts_draw(name: str, seen: EncodedImage) -> None:
    seen.open(name)
    charts = seen.page.locator('[data-testid="stVegaLiteChart"]')
    if name in ("", "compare", *STUDIES) and name != "qualitative":
        seen.page.wait_for_selector(CHART)
        for number in range(charts.count()):
            drawn = charts.nth(number).locator("g.role-mark path, g.role-mark line")
            drawn.first.wait_for(state="attached")
            assert drawn.count() > 0
    assert seen.page.locator('[data-testid="stException"]').count() == 0
    if name != "sweeps":  # none has run
        with seen.page.expect_download() as download:
            seen.page.get_by_role("button", name="Export report").click()
        report = Path(download.value.path()).read_text(encoding="utf-8")
        assert report.startswith("<!doctype html>")
        assert not re.search(r'(src|href)="(?!data:)', report)
    assert screenshot(seen, name or "overview").stat().st_size > 10_000


def test_a_click_on_a_point_opens_its_episodes_and_a_link_opens_one_for_good(seen: EncodedImage) -> None:
    seen.open("false_ratio")
    seen.page.wait_for_selector(CHART)
    seen.page.wait_for_timeout(1_500)  # a chart that is drawn again while it is clicked loses the click
    point = seen.page.locator('[data-testid="stVegaLiteChart"]').nth(1).locator(POINT).nth(4)
    seen.press(point, lambda: seen.page.wait_for_url("**/episodes?**", timeout=15_000))
    assert f"run={newest(seen.results, 'false_ratio').replace('/', '%2F')}" in seen.page.url
    assert "false_ratio=1" in seen.page.url
    seen.page.get_by_text("200 episodes").wait_for()
    heading = seen.page.get_by_role("heading", name="Query 2:")
    seen.press(seen.page.get_by_role("link", name="Open").nth(2), lambda: heading.wait_for(timeout=15_000))
    address = seen.page.url
    assert "query=2" in address
    messages = seen.page.locator('[data-testid="stChatMessage"]')
    messages.nth(2 * 16 + 1).wait_for()
    said = messages.all_inner_texts()
    assert len(said) == 2 * 16 + 2
    assert sum("false label" in line for line in said) == 16
    seen.page.goto("about:blank")
    seen.page.goto(address)
    heading.wait_for()
    seen.settle()
    messages.nth(2 * 16 + 1).wait_for()
    assert messages.all_inner_texts() == said
    screenshot(seen, "one-episode")
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="Export report").click()
    assert 'src="data:image/png;base64,' in Path(download.value.path()).read_text(encoding="utf-8")


def test_what_is_chosen_is_in_the_address(seen: EncodedImage) -> None:
    seen.open("shots?by=open-ended&models=mini/2-way-random")
    seen.page.wait_for_selector(CHART)
    assert seen.page.locator(CHART).locator('path[aria-label*="model: mini/base;"]').count() == 0
    assert "candidate" not in seen.page.locator('[data-testid="stMain"] ul').first.inner_text()
    seen.page.get_by_test_id("stSelectbox").last.click()
    seen.page.get_by_role("option", name="candidate").click()
    seen.settle()
    assert "by=candidate" in seen.page.url
    assert "models=" in seen.page.url


def test_charts_and_pages_are_saved(seen: EncodedImage, tmp_path: Path) -> None:
    seen.open("false_ratio")
    seen.page.wait_for_selector(CHART)
    seen.page.get_by_test_id("stPopover").first.get_by_role("button").click()
    for name, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("Vega-Lite", b"{")):
        with seen.page.expect_download() as download:
            seen.page.get_by_test_id("stPopoverBody").get_by_role("button", name=name).click()
        download.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    seen.page.keyboard.press("Escape")
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="Export report").click()
    download.value.save_as(tmp_path / "report.html")
    seen.page.goto((tmp_path / "report.html").as_uri())
    assert seen.page.locator("img").evaluate_all("all => all.every(one => one.naturalWidth > 100)")
    assert "False labels at 16 shots" in seen.page.locator("h1").inner_text()
    seen.outside.clear()  # of the file itself
    with seen.page.expect_request(lambda request: True, timeout=5_000) as asked:
        seen.page.reload()
    assert asked.value.url.startswith("file:")
    assert all(url.startswith("file:") for url in seen.outside)
    seen.outside.clear()


@pytest.mark.parametrize("seen", [{"color_scheme": "dark"}], indirect=True)
@pytest.mark.parametrize("name", ["", "false_ratio"])
def test_a_dark_page_has_light_ink(name: str, seen: EncodedImage) -> None:
    seen.open(name)
    seen.page.wait_for_selector(CHART)
    ink = seen.page.locator(CHART).first.locator(".role-axis-label text").first.get_attribute("fill")
    assert ink == "#EEEEEE"
    ground = seen.page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert ground == "rgb(23, 22, 20)"
    screenshot(seen, f"{name or 'overview'}-dark")


@pytest.mark.parametrize("name", ["", "false_ratio", "episodes"])
def test_a_phone_needs_no_scrolling_aside(name: str, seen: EncodedImage) -> None:
    seen.page.set_viewport_size({"width": 390, "height": 844})
    seen.open(name)
    if name != "episodes":
        seen.page.wait_for_selector(CHART)
    seen.page.wait_for_timeout(500)
    wide = "document.querySelector('[data-testid=stMain]').scrollWidth"
    assert seen.page.evaluate(wide) <= 390
    boxes = [chart.bounding_box() for chart in seen.page.locator(CHART).all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 391 for box in boxes if box)
    screenshot(seen, f"{name or 'overview'}-phone")


def test_what_a_stranger_wrote_into_records_runs_nowhere(chromium: sync_api.Browser, tmp_path: Path) -> None:
    write_evil(tmp_path / "results")
    process, address = started(tmp_path / "results")
    try:
        context = chromium.new_context()
        found = EncodedImage(context.new_page(), address, tmp_path / "results")
        found.page.on(
            "request", lambda request: found.outside.append(request.url) if "127.0.0.1" not in request.url else None
        )
        found.page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
        for name in (
            "",
            "false_ratio",
            "compare",
            "provenance",
            f"episodes?run={newest(found.results, 'false_ratio')}",
        ):
            found.open(name)
            found.page.wait_for_timeout(500)
            assert found.page.locator('img[src*="evil"]').count() == 0
        context.close()
    finally:
        process.kill()
        process.wait()
    assert [url for url in found.outside if not url.startswith(("data:", "blob:"))] == []
    assert found.dialogs == []
