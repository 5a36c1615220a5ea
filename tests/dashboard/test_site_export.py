"""The exported site: its pages, what it replaces and what it leaves alone, and that no record becomes markup."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.logger import get_logger

from lcl_lab.commands import dashboard_program
from lcl_lab.dashboard import DashboardConfig, export_site, site_export
from lcl_lab.dashboard.site_html import SitePage
from lcl_lab.errors import UserError
from tests.dashboard.factories import copy_shipped, write_hostile_run, write_token_run


def export(results: Path, folder: Path, episodes: int = 1) -> Path:
    return export_site(DashboardConfig(results=results, episodes=episodes), folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an exported site with two studies."""
    folder = tmp_path_factory.mktemp("export")
    return export(copy_shipped(folder / "results", "qualitative", "zero_shot"), folder / "site").parent


def test_every_page_is_in_the_menu_of_every_page(site: Path) -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in site.glob("*.html")}
    assert set(pages) == {
        "index.html",
        *(f"{kind}{study}.html" for kind in ("", "compare-", "episodes-") for study in ("qualitative", "zero_shot")),
    }
    for name, page in pages.items():
        assert set(re.findall(r'<a href="([^"]+)"', page)) == set(pages)
        assert re.findall(r'<a href="([^"]+)" aria-current="page"', page) == [name]
    assert "<h1>" in pages["zero_shot.html"] and "**" not in pages["zero_shot.html"]


def test_pages_name_only_files_of_the_site(site: Path) -> None:
    for page in site.glob("*.html"):
        sources = re.findall(r'<(?:img|script|link)[^>]* (?:src|href)="([^"]*)"', page.read_text(encoding="utf-8"))
        assert {"assets/vega.js", "assets/charts.js"} <= set(sources)
        assert all((site / source).is_file() for source in sources)


def test_charts_are_specifications_and_episodes_have_their_images_and_answers(site: Path) -> None:
    page = (site / "zero_shot.html").read_text(encoding="utf-8")
    specs = [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page)]
    assert specs and all(spec["datasets"] and "width" not in spec for spec in specs)
    episodes = (site / "episodes-qualitative.html").read_text(encoding="utf-8")
    assert episodes.count("<section id=") == 1
    assert len(re.findall(r'<figure.*?<img src="images/', episodes)) >= 4
    assert re.search(r'<div class="query"><img src="images/', episodes)
    assert re.search(r"<td>[✓✗] candidate</td><td>[✓✗] open-ended, \w+</td>", episodes)
    assert "✓ candidate: the true name has the highest log-likelihood per token" in episodes


def test_episodes_have_the_nearest_image_and_the_tokens_of_names(tmp_path: Path) -> None:
    write_token_run(tmp_path / "results")
    page = (export(tmp_path / "results", tmp_path / "site").parent / "episodes-qualitative.html").read_text("utf-8")
    assert "image 2, outlined, is the most similar to the query by the features of comparer" in page
    assert re.findall(
        r'<figure class="([^"]+)"><[^>]+>[^<]*(?:</div>)?<figcaption><div class="label">([^<]+)', page
    ) == [("false near", "2 dax")]
    assert "<b>bl</b>-1.00" in page


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[SitePage]:
    """All pages of the sites that a test exports."""
    shown = [SitePage(name, name, "", "<h1>Any</h1>") for name in ("index.html", "old.html")]
    monkeypatch.setattr(site_export._Site, "steps", lambda site: iter([lambda: list(shown)]))
    return shown


def test_an_earlier_export_is_replaced_but_other_files_stay(pages: list[SitePage], tmp_path: Path) -> None:
    folder = export(tmp_path / "results", tmp_path / "site").parent
    pages[1] = replace(pages[1], file="new.html")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("mine")
    (folder / "CNAME").write_text("mine")
    export(tmp_path / "results", folder)
    assert (folder / "new.html").exists() and not (folder / "old.html").exists()
    assert (folder / ".git" / "HEAD").read_text() == (folder / "CNAME").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.usefixtures("pages")
def test_a_failure_leaves_the_earlier_export_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = export(tmp_path / "results", tmp_path / "site").parent
    before = contents(folder)

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site_export, "page_html", fail)
    with pytest.raises(UserError, match=r"cannot write .*site: No space left on device"):
        export(tmp_path / "results", folder)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.usefixtures("pages")
def test_nothing_is_lost_where_the_new_site_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = export(tmp_path / "results", tmp_path / "site").parent
    (folder / "mine").touch()
    before, rename = contents(folder), Path.rename

    def refuse_new(path: Path, target: Path) -> Path:
        if path.suffix == ".tmp" and target == folder:
            raise OSError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(UserError, match=r"cannot write .*site: Permission denied"):
        export(tmp_path / "results", folder)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--episodes 3", "--episodes 3: is about an exported site; give export, too"),
        ("--export site --port 8501", "--port 8501: is about a server, which an export does not start; leave it out"),
        (
            "--export site --headless",
            "--headless True: is about a server, which an export does not start; leave it out",
        ),
    ],
)
def test_options_that_do_nothing_are_refused(
    options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit:
        dashboard_program().main(options.split())
    assert exit.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", [lambda path: path.touch(), lambda path: (path.mkdir(), (path / "mine").touch())])
def test_a_folder_with_other_files_is_refused_in_one_line_before_any_work(
    make: Callable[[Path], object], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "site")
    before = contents(tmp_path)
    with pytest.raises(SystemExit) as exit:
        dashboard_program().main(["--results", str(tmp_path / "none"), "--export", str(tmp_path / "site")])
    assert exit.value.code == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert re.match(
        r"error: --export .*site: (is a file; give a folder|has other files and is no earlier export)", line
    )
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("pages")
def test_an_empty_folder_and_a_link_to_one_are_filled(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert export(tmp_path / "results", tmp_path / "link") == tmp_path / "link" / "index.html"
    assert (tmp_path / "real" / "index.html").is_file() and (tmp_path / "link").is_symlink()
    assert os.listdir(tmp_path / "real") != []


def test_what_strangers_wrote_is_text(tmp_path: Path) -> None:
    write_hostile_run(tmp_path / "results")
    folder = export(tmp_path / "results", tmp_path / "site", 2).parent
    for page in folder.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert not re.search(r'(src|href)="(?!assets/|images/|[\w-]+\.html")', text)
    episodes = (folder / "episodes-false_ratio.html").read_text(encoding="utf-8")
    assert "folder:/etc:passwd:0" in episodes and not (folder / "images").exists()


def test_an_export_leaves_logging_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export(copy_shipped(tmp_path / "results", "zero_shot"), tmp_path / "site", episodes=0)
    assert "ScriptRunContext" not in capfd.readouterr().err
    assert logging.root.manager.disable == 0
    get_logger("streamlit.test").info("heard")
    assert "heard" in capfd.readouterr().err
