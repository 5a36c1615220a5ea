"""Every page in a real browser: accessible, in both themes, on a phone; and pages that follow what runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lcl_lab.store import PLANNED, Run, runs
from tests.dashboard.factories import PAGES, STUDIES, write_hostile_run
from tests.dashboard.test_browser import CHART, CHROMIUM, POINT, Window, chromium, start, sync_api
from tests.store.factories import provenance, record

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: tests/install_browser.sh installs it"),
]
_fixtures = chromium  # of the other module
FOCUSED = "`${document.activeElement.innerText} ${document.activeElement.getAttribute('aria-label')}`"
PHONE, SCREEN = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
WIDTH = "document.querySelector('[data-testid=stMain]').scrollWidth"
SLABS = """
() => [...document.querySelectorAll('[data-testid=stMain] *')].filter(element => {
  const box = element.getBoundingClientRect();
  const colour = getComputedStyle(element).backgroundColor.match(/[\\d.]+/g).map(Number);
  return box.width * box.height > 20000 && Math.min(...colour.slice(0, 3)) > 200 && (colour[3] ?? 1) > 0.5;
}).map(element => element.outerHTML.slice(0, 200))
"""


@pytest.fixture(scope="module")
def window(chromium: sync_api.Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """One window of a dashboard whose results folder is empty, so that it shows what ships."""
    results = tmp_path_factory.mktemp("pages") / "results"
    process, address = start(results)
    context = chromium.new_context(viewport=SCREEN)
    shown = Window(context.new_page(), address, results)
    shown.page.set_default_timeout(60_000)
    yield shown
    context.close()
    process.kill()
    process.wait()


def violations(window: Window, *rules: str) -> list[dict[str, Any]]:
    """The serious violations of some of axe-core's rules, or of all of them."""
    window.page.wait_for_selector('[data-testid="stSidebarNavItems"][role]', state="attached")  # it is repaired
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = axe.Axe().run(window.page, options=options).response["violations"]
    return [
        {"rule": one["id"], "of": [node["html"] for node in one["nodes"]]}
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_in_both_themes_and_fits_a_phone(name: str, window: Window) -> None:
    window.page.emulate_media(color_scheme="light")
    window.page.set_viewport_size(SCREEN)
    window.open(name)
    if name in STUDIES and name != "qualitative":
        window.page.wait_for_selector(CHART)
    assert violations(window) == []
    window.page.emulate_media(color_scheme="dark")
    window.settle()
    assert violations(window, "color-contrast") == []  # other rules are about what does not change with the theme
    assert window.page.evaluate(SLABS) == []
    window.page.set_viewport_size(PHONE)
    window.settle()
    assert window.page.evaluate(WIDTH) <= PHONE["width"]


def test_the_overview_has_two_addresses(window: Window) -> None:
    window.page.set_viewport_size(SCREEN)
    texts = []
    for path in ("", "overview"):
        window.open(path)
        window.page.wait_for_selector(CHART)
        window.settle()
        assert window.page.get_by_role("dialog").count() == 0
        texts.append(window.page.get_by_test_id("stMain").inner_text())
    assert texts[0] == texts[1]
    assert window.page.url.endswith("/overview")


def test_a_click_on_a_point_is_one_step(window: Window) -> None:
    window.page.set_viewport_size(SCREEN)
    window.open("overview?by=candidate")
    window.page.wait_for_selector(CHART)
    window.page.wait_for_timeout(1_500)
    address, steps = window.page.url, window.page.evaluate("history.length")
    point = window.page.locator(CHART).first.locator(POINT).first
    window.press(point, lambda: window.page.wait_for_url("**/episodes?**", timeout=15_000))
    assert window.page.evaluate("history.length") == steps + 1
    assert "by=" not in window.page.url
    window.page.go_back()
    window.page.wait_for_selector(CHART)
    window.settle()
    assert window.page.url == address


def test_every_control_of_a_page_is_reached_by_the_keyboard(window: Window) -> None:
    window.page.set_viewport_size(SCREEN)
    window.open("runs")
    reached = []
    for _ in range(60):
        window.page.keyboard.press("Tab")
        reached.append(window.page.evaluate(FOCUSED))
    for control in ("Overview", "Provenance", "Run", "Export report", "Export LaTeX"):
        assert any(control in text for text in reached), control


def test_a_page_follows_a_run_until_it_is_archived(window: Window) -> None:
    """From what ships to a run that begins, grows, finishes, is archived and restored: nothing is reloaded."""
    page, results = window.page, window.results
    page.set_viewport_size(SCREEN)
    window.open("runs")
    page.get_by_text("read-only").wait_for()
    model = {"name": "own", "fingerprint": "0"}
    config = {"data": model, "shots": 4, "models": [model], "seed": 0, "ratios": [0.0, 1.0], "queries": 20}
    with Run.open(results, "false_ratio", config) as run:
        name = f"false_ratio/{run.path.name}"
        run.note(PLANNED, total=40, stored=0)
        for done, ratio in ((0, 0.0), (20, 1.0)):
            page.get_by_text(f"{name}: {done} of 40 answers").wait_for()
            run.commit(f"ratio={ratio}", [record(q, 0, "false_ratio", shots=4, false_ratio=ratio) for q in range(20)])
        page.get_by_text(f"{name}: 40 of 40 answers").wait_for()
        assert page.get_by_role("button", name="Archive").is_disabled()
        run.finish(provenance())
    archive = page.get_by_role("button", name="Archive …")
    page.wait_for_function("name => !document.body.innerText.includes(`${name}: 40 of`)", arg=name)
    page.get_by_label("Note").fill("the first one")
    page.get_by_role("button", name="Save").click()
    confirm = page.get_by_role("dialog").get_by_role("button", name="Archive", exact=True)
    window.press(archive, lambda: confirm.wait_for(timeout=15_000))
    assert (run.path / "records.parquet").is_file()
    assert violations(window) == []
    confirm.click()
    page.get_by_text("read-only").wait_for()  # the folder has no runs again
    assert runs(results) == []
    assert (results / "archive" / name / "notes.json").is_file()


def test_nothing_of_a_stranger_runs_on_the_page_of_runs(window: Window) -> None:
    write_hostile_run(window.results)
    window.page.on("dialog", lambda dialog: window.dialogs.append(dialog.message))
    window.open("runs")
    window.page.get_by_label("Note").wait_for()
    assert window.page.locator('img[src*="evil"]').count() == 0
    assert window.dialogs == []
