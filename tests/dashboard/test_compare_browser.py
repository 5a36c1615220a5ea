"""Comparisons and sweeps as a real browser shows them: addresses, history, clicks down to episodes, phone, dark."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from tests.dashboard.factories import copy_shipped, write_sweep
from tests.dashboard.test_browser import CHART, CHROMIUM, Window, chromium, start, sync_api

__all__ = ["chromium"]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: tests/install_browser.sh installs it"),
    pytest.mark.slow,
]
TRIALS = {f"{strategy}-seed-{seed}": f"mini/{strategy}" for strategy in ("2-way", "mix") for seed in (0, 1)}
VIEWS = ["Differences", "Concept pairs", "Margins", "Calibration", "Names", "Configuration"]
COMPARED = "compare?a=mini/base&b=mini/2-way&b=mini/mix"


@dataclass
class Browser(Window):
    """A window whose address is read as parameters."""

    @property
    def parameters(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)

    def keeps(self, url: str) -> bool:
        """Whether this page shows the same: the address of a page that was left for episodes has theirs in addition."""
        before = parse_qs(urlsplit(url).query)
        same_page = urlsplit(url).path == urlsplit(self.page.url).path
        return same_page and all(self.parameters.get(key) == values for key, values in before.items())

    def back_to(self, url: str) -> None:
        """Back until an address that was open before."""
        for _ in range(3):
            if self.page.url != url:
                self.page.go_back()
                self.settle()
        assert self.page.url == url

    def point(self, number: int = 0, chart: int = 0) -> sync_api.Locator:
        points = self.page.locator('[data-testid="stVegaLiteChart"]').nth(chart).locator("g.mark-symbol.role-mark path")
        return points.nth(number)

    def open_view(self, path: str) -> None:
        self.open(path)
        self.page.locator(CHART).first.wait_for()
        self.page.wait_for_timeout(1_500)  # a chart that is drawn again while it is clicked loses the click


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard of a study and of a sweep over it."""
    results = copy_shipped(tmp_path_factory.mktemp("compare") / "results", "false_ratio")
    write_sweep(results, TRIALS)
    process, address = start(results)
    yield address
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def browser(address: str, chromium: sync_api.Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One page for all tests."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    browser = Browser(context.new_page(), address, tmp_path_factory.getbasetemp())
    browser.page.set_default_timeout(60_000)
    yield browser
    context.close()


def test_every_control_is_one_step_and_its_address_shows_the_same(browser: Browser) -> None:
    browser.open_view(COMPARED)
    page, opened = browser.page, browser.page.url
    page.get_by_test_id("stButtonGroup").get_by_role("radio", name="Names").click()
    page.get_by_text("Which names are taken for others?").wait_for()
    browser.settle()
    assert browser.parameters["view"] == ["Names"]
    page.get_by_test_id("stSelectbox").filter(has_text="Condition").locator("input").click()
    page.get_by_role("option", name="false_ratio 1", exact=True).click()
    page.wait_for_url("**at=false_ratio*1**")
    browser.settle()
    selected = page.url
    page.reload()
    page.get_by_text("Which names are taken for others?").wait_for()
    browser.settle()
    assert page.url == selected
    condition = page.get_by_test_id("stSelectbox").filter(has_text="Condition").locator("input")
    assert condition.input_value() == "false_ratio 1"
    page.go_back()
    browser.settle()
    assert "at" not in browser.parameters
    page.go_back()
    page.get_by_text("is another side better than A").wait_for()
    assert page.url == opened
    page.go_forward()
    page.get_by_text("Which names are taken for others?").wait_for()


def test_a_point_of_a_difference_opens_the_answers_that_flip(browser: Browser) -> None:
    browser.open_view(f"{COMPARED}&by=candidate")
    opened = browser.page.url
    point = browser.page.locator('[data-testid="stVegaLiteChart"]').nth(1).locator('path[aria-label*="B: mini/2-way"]')
    browser.press(point.last, lambda: browser.page.wait_for_url("**/episodes?**", timeout=15_000))
    parameters = browser.parameters
    assert parameters["model"] == ["mini/base"] and parameters["beside"] == ["mini/2-way"]
    assert parameters["answers"] == ["flipped"] and parameters["metric"] == ["candidate"]
    assert parameters["false_ratio"] == ["1"]
    browser.page.go_back()
    browser.page.get_by_text("is another side better than A").wait_for()
    assert browser.keeps(opened)


@pytest.mark.parametrize("view", ["Margins", "Calibration"])
def test_a_point_of_a_distribution_lists_its_answers_and_a_row_opens_one(view: str, browser: Browser) -> None:
    browser.open_view(f"{COMPARED}&view={view}")
    page, opened = browser.page, browser.page.url
    heading = page.get_by_role("heading", name="Answers of")
    browser.press(browser.point(2), lambda: heading.wait_for(timeout=15_000))
    picked = page.url
    assert {"side", "point"} <= set(browser.parameters)
    page.reload()
    heading.wait_for()
    assert page.url == picked
    grid = page.get_by_test_id("stDataFrame").last.locator("canvas").first
    browser.stand_still(grid)
    browser.press(_Checkbox(grid), lambda: page.wait_for_url("**/episodes?**", timeout=15_000))  # of the first row
    page.get_by_role("heading", name="Query").first.wait_for()
    assert "query" in browser.parameters
    page.go_back()
    heading.wait_for()
    assert browser.keeps(picked)
    browser.back_to(opened)
    heading.wait_for(state="detached")
    browser.settle()
    assert page.url == opened


def test_a_trial_of_a_sweep_leads_to_its_records(browser: Browser) -> None:
    browser.open("sweeps?view=Trials")
    page, opened = browser.page, browser.page.url
    grid = page.get_by_test_id("stDataFrame").first.locator("canvas").first
    browser.stand_still(grid)
    heading = page.get_by_role("heading", name="2-way-seed-0")
    browser.press(_Checkbox(grid), lambda: heading.wait_for(timeout=15_000))
    assert browser.parameters["trial"] == ["2-way-seed-0"]
    page.get_by_role("link", name="Answers in false_ratio").click()
    page.get_by_text("episodes").first.wait_for()
    page.wait_for_url("**/episodes?**")
    assert browser.parameters["model"] == ["2-way-seed-0"]
    page.go_back()
    heading.wait_for()
    browser.back_to(opened)


@pytest.mark.parametrize("path", [*(f"{COMPARED}&view={view}" for view in VIEWS), "sweeps", "sweeps?view=Trials"])
def test_a_dark_phone_shows_no_white_slab_and_scrolls_only_down(path: str, browser: Browser) -> None:
    browser.page.emulate_media(color_scheme="dark")
    browser.page.set_viewport_size({"width": 390, "height": 844})
    try:
        browser.open(path)
        browser.page.wait_for_timeout(1_000)
        assert browser.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
        height = browser.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        browser.page.set_viewport_size({"width": 390, "height": min(height, 4_000)})
        browser.page.wait_for_timeout(500)
        picture = np.asarray(Image.open(io.BytesIO(browser.page.screenshot())).convert("L"))
        assert (picture > 240).mean() < 0.05
        assert browser.page.locator('[data-testid="stException"]').count() == 0
    finally:
        browser.page.emulate_media(color_scheme="light")
        browser.page.set_viewport_size({"width": 1280, "height": 900})


class _Checkbox:
    """The first row's checkbox of a table, which is drawn on a canvas."""

    def __init__(self, grid: sync_api.Locator) -> None:
        self._grid = grid

    def click(self, **options: object) -> None:
        self._grid.click(position={"x": 16, "y": 52}, **options)
