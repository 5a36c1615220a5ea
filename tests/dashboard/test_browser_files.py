"""Files that are opened from the disk in a real browser: the exported site and a report, light and dark, on a phone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from lcl_lab.dashboard import DashboardConfig, export_site
from lcl_lab.dashboard.run_index import read_index
from lcl_lab.dashboard.study_page import study_findings
from lcl_lab.reporting import findings_page
from lcl_lab.studies import find_studies
from tests.dashboard.factories import copy_shipped
from tests.dashboard.test_browser import CHROMIUM, chromium, sync_api

__all__ = ["chromium"]

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: tests/install_browser.sh installs it"),
]
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
WHITE_SLABS = """all => all.map(one => getComputedStyle(one).backgroundColor).filter(colour => {
  const [red, green, blue, alpha = 1] = colour.match(/[0-9.]+/g).map(Number);
  return alpha > 0.1 && Math.min(red, green, blue) > 180;
})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the exported site of two studies, and the report of one."""
    place = tmp_path_factory.mktemp("files")
    config = DashboardConfig(results=copy_shipped(place / "results", "categories", "shots"), episodes=1)
    export_site(config, place / "site")
    (group,) = read_index(config).groups_of("shots")
    study = next(study for study in find_studies() if study.name == "shots")
    findings, _ = study_findings(study, group, group.sources)
    (place / "report.html").write_text(findings_page(findings, study.doc), encoding="utf-8")
    return place


@pytest.fixture
def page(chromium: sync_api.Browser, request: pytest.FixtureRequest) -> Iterator[sync_api.Page]:
    """A page without a network, on which no script fails; in the end it has asked for nothing but files."""
    context = chromium.new_context(**getattr(request, "param", {"viewport": {"width": 1280, "height": 900}}))
    context.set_offline(True)
    shown, requests, errors = context.new_page(), [], []
    shown.on("request", lambda request: requests.append(request.url))
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield shown
    context.close()
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []


def wait_for_charts(page: sync_api.Page) -> None:
    """Until every chart of a site's page is drawn."""
    page.wait_for_function(
        "document.querySelectorAll('.chart').length === document.querySelectorAll('.chart svg.marks').length"
    )


def check_accessibility(page: sync_api.Page) -> None:
    """No violation that axe-core calls serious or critical."""
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []


def corner(image: bytes) -> int:
    """The brightness of the top left corner of a picture, from 0 to 255."""
    return Image.open(io.BytesIO(image)).convert("L").getpixel((2, 2))  # type: ignore[return-value]


def test_the_site_opens_from_the_disk_without_a_server(page: sync_api.Page, folder: Path) -> None:
    page.goto((folder / "site" / "index.html").as_uri())
    page.locator("summary", has_text="Studies").click()
    page.get_by_role("link", name="Shots").first.click()
    page.wait_for_url("**/shots.html")
    wait_for_charts(page)
    assert page.locator(".chart svg.marks").count() >= 3
    point = page.locator(".chart").first.locator("g.mark-symbol.role-mark path").nth(3)
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    page.locator("#vg-tooltip-element.visible").wait_for()
    assert "estimate" in page.locator("#vg-tooltip-element").inner_text()
    page.locator("summary", has_text="Episodes").click()
    page.locator("details", has_text="Episodes").get_by_role("link", name="Categories").click()
    page.wait_for_url("**/episodes-categories.html")
    pictures = page.locator(".sheet img, .query img")
    assert pictures.count() > 8
    check_accessibility(page)
    for number in range(pictures.count()):
        pictures.nth(number).scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every(one => one.complete && one.naturalWidth > 30)")
    page.locator("summary", has_text="Compare").click()
    page.locator("details", has_text="Compare").get_by_role("link", name="Shots").click()
    page.wait_for_url("**/compare-shots.html")
    wait_for_charts(page)
    page.go_back()
    page.wait_for_url("**/episodes-categories.html")


@pytest.mark.parametrize("page", [PHONE], indirect=True)
@pytest.mark.parametrize("name", ["index", "shots", "categories", "compare-shots", "episodes-categories"])
def test_the_site_is_dark_and_as_narrow_as_a_phone(name: str, page: sync_api.Page, folder: Path) -> None:
    page.goto((folder / "site" / f"{name}.html").as_uri())
    wait_for_charts(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("*").evaluate_all(WHITE_SLABS) == []
    check_accessibility(page)
    for chart in page.locator(".chart svg.marks").all():
        box = chart.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 391
    if page.locator(".chart svg.marks").count():
        assert corner(page.locator(".chart svg.marks").first.screenshot()) < 60
        page.emulate_media(color_scheme="light")
        page.wait_for_function("getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'")
        wait_for_charts(page)
        check_accessibility(page)
        ink = page.locator(".chart svg.marks .role-title-text text, .chart svg.marks .role-axis-label text").first
        sync_api.expect(ink).to_have_attribute("fill", "#222222")


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_report_is_dark_and_as_narrow_as_a_phone(page: sync_api.Page, folder: Path) -> None:
    page.goto((folder / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("*").evaluate_all(WHITE_SLABS) == []
    assert page.locator("img").count() >= 2
    for picture in page.locator("img").all():
        assert corner(picture.screenshot()) < 60
    check_accessibility(page)
    page.emulate_media(color_scheme="light")
    check_accessibility(page)
    assert corner(page.locator("img").first.screenshot()) > 240
