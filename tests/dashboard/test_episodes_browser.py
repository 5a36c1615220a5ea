"""The page of episodes in a real browser: addresses, keys, search, one screen, a phone and a dark page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.dashboard.factories import copy_shipped, newest_run, rewrite_records
from tests.dashboard.test_browser import Window, chromium, screenshot, start, sync_api, window
from tests.dashboard.test_browser import pytestmark as needs_chromium
from tests.dashboard.test_whole_pages import violations

__all__ = ["chromium", "window"]
pytestmark = [pytest.mark.slow, needs_chromium]

LONG = 20_000
TILE = ".st-key-support [data-testid='stImage']"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a dashboard with a shipped run, one answer of which is very long."""
    results = copy_shipped(tmp_path_factory.mktemp("episodes") / "results", "false_ratio", "qualitative")
    rewrite_records(results, f"CASE WHEN query_id = 1 THEN repeat('word ', {LONG // 5}) ELSE answer END AS answer")
    process, address = start(results)
    yield address, results
    process.kill()
    process.wait()


def episodes(window: Window, more: str) -> str:
    return f"episodes?run={newest_run(window.results, 'false_ratio')}&model=mini/2-way&false_ratio=0.5{more}"


def text_of(window: Window) -> str:
    return window.page.locator("[data-testid=stMainBlockContainer]").inner_text()


def shows(window: Window, heading: str) -> None:
    window.page.get_by_role("heading", name=heading).wait_for()
    window.settle()


def press(window: Window, key: str, heading: str) -> None:
    """Press a key, and again if the page was just being redrawn, which loses it, as people do on a busy machine."""
    for _ in range(4):
        window.page.keyboard.press(key)
        with suppress(sync_api.TimeoutError):
            window.page.get_by_role("heading", name=heading).wait_for(timeout=15_000)
            window.settle()
            return
    raise AssertionError(f"{key} does not open {heading}")


def test_an_episode_of_sixteen_shots_is_one_screen(window: Window) -> None:
    window.page.set_viewport_size({"width": 1440, "height": 900})
    window.open(episodes(window, "&query=7&beside=mini/base&beside=mini/mix"))
    window.page.locator(TILE).nth(15).wait_for()
    window.settle()
    assert window.page.locator(TILE).count() == 16
    assert window.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight") <= 900
    bottoms = [box["y"] + box["height"] for box in map(sync_api.Locator.bounding_box, all_content(window)) if box]
    assert 0 < max(bottoms) <= 900
    assert violations(window) == []
    screenshot(window, "episode-1440")
    window.page.get_by_role("button", name="Fullscreen").first.click(force=True)
    window.page.wait_for_timeout(500)
    box = window.page.locator(f"{TILE} img").first.bounding_box()
    assert box and box["width"] > 600  # of 64 pixels
    window.page.keyboard.press("Escape")
    window.page.set_viewport_size({"width": 390, "height": 844})
    window.page.wait_for_timeout(500)
    assert window.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    assert violations(window, "scrollable-region-focusable") == []  # the table is wider than the phone
    screenshot(window, "episode-390")


def all_content(window: Window) -> list[sync_api.Locator]:
    return window.page.locator("[data-testid=stMainBlockContainer] [data-testid=stElementContainer]").all()


def test_arrow_keys_go_through_the_list_and_back_returns(window: Window) -> None:
    window.open(episodes(window, "&query=7"))
    shows(window, "Query 7:")
    first = window.page.url
    press(window, "ArrowRight", "Query 8:")
    assert "query=8" in window.page.url
    press(window, "ArrowRight", "Query 9:")
    press(window, "ArrowLeft", "Query 8:")
    window.page.reload()
    shows(window, "Query 8:")
    for heading in ("Query 9:", "Query 8:", "Query 7:"):
        window.page.go_back()
        shows(window, heading)
    assert window.page.url == first
    window.page.go_forward()
    shows(window, "Query 8:")
    before, list_of_models = text_of(window), "&beside=mini/base&beside=mini/mix"
    with window.page.expect_popup() as popup:
        window.page.get_by_role("link", name="Permanent link to this episode").click()
    other = Window(popup.value, window.address, window.results)
    shows(other, "Query 8:")
    assert text_of(other) == before
    assert "query=8" in other.page.url and "shots=16" in other.page.url
    other.open(episodes(window, f"&query=8{list_of_models}"))
    shows(other, "Query 8:")
    link = other.page.get_by_role("link", name="Permanent link to this episode").get_attribute("href")
    assert link and link.count("beside=") == 2


def test_a_saved_search_is_a_link(window: Window) -> None:
    window.open(episodes(window, ""))
    window.page.get_by_text("200 episodes").wait_for()
    window.page.get_by_label("Find", exact=True).fill("word")
    window.page.keyboard.press("Enter")
    window.page.get_by_role("heading", name="Query 1:").wait_for()  # the only one
    window.settle()
    assert "find=word" in window.page.url
    window.page.go_back()
    window.page.get_by_text("200 episodes").wait_for()
    window.settle()
    assert window.page.get_by_label("Find", exact=True).input_value() == ""
    window.page.get_by_test_id("stMultiSelect").first.click()
    window.page.get_by_role("option", name="mini/base", exact=True).click()
    window.page.keyboard.press("Escape")
    window.settle()
    window.page.get_by_test_id("stSelectbox").filter(has_text="Sort by").click()
    window.page.get_by_role("option", name="disagreement").click()
    window.settle()
    window.page.get_by_text("query 0: false_ratio 0.5").wait_for(state="detached")  # the list is in another order
    window.settle()
    assert "sort=disagreement" in window.page.url and "beside=mini%2Fbase" in window.page.url
    address, before = window.page.url, text_of(window)
    window.page.goto("about:blank")
    window.page.goto(address)
    window.page.get_by_text("200 episodes").wait_for()
    window.settle()
    assert text_of(window) == before


def test_a_long_answer_makes_no_long_list(window: Window) -> None:
    window.open(episodes(window, "&find=word"))
    shows(window, "Query 1:")
    window.page.get_by_role("button", name=f"Whole answer of mini/2-way, {LONG:,} characters").click()
    body = window.page.get_by_test_id("stPopoverBody")
    body.wait_for()
    assert len(body.inner_text()) >= LONG - 1
    screenshot(window, "long-answer")
    for width, height in ((1280, 4_000), (390, 8_000)):
        window.page.set_viewport_size({"width": width, "height": 900})
        window.open(episodes(window, "&beside=mini/base"))
        window.page.get_by_text("200 episodes").wait_for()
        window.settle()
        main = "document.querySelector('[data-testid=stMain]')"
        assert window.page.evaluate(f"{main}.scrollHeight") < height
        assert window.page.evaluate(f"{main}.scrollWidth") <= width
        screenshot(window, f"episodes-{width}")


@pytest.mark.parametrize("window", [{"color_scheme": "dark"}], indirect=True)
def test_a_dark_page_has_no_white_slabs(window: Window) -> None:
    window.open("qualitative")
    window.page.locator("[data-testid=stImage] img").first.wait_for()
    window.settle()
    pictures = window.page.locator("[data-testid=stImage] img")
    corner = """picture => {
        const canvas = document.createElement("canvas");
        canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
        const context = canvas.getContext("2d");
        context.drawImage(picture, 0, 0);
        return context.getImageData(1, 1, 1, 1).data[3];
    }"""
    assert pictures.evaluate_all(f"all => all.map({corner})") == [0] * pictures.count()
    assert "66" in text_of(window)
    screenshot(window, "qualitative-dark")
    window.open(episodes(window, "&query=7"))
    shows(window, "Query 7:")
    assert violations(window, "color-contrast") == []
    screenshot(window, "episode-dark")
