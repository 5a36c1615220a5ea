"""Every page opens, whatever the results folder contains."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lcl_lab.dashboard.pages import find_pages
from lcl_lab.store import Run, runs
from tests.dashboard.factories import (
    HOSTILE,
    PAGES,
    ROOT,
    STUDIES,
    chart_specs,
    copy_shipped,
    open_page,
    page_text,
    write_hostile_run,
)

# In a browser, long tests open the pages of the other studies.
FRESH = [page for page in PAGES if page not in STUDIES or page in ("false_ratio", "qualitative", "strategies")]


@pytest.mark.parametrize("page", FRESH)
def test_a_fresh_machine_shows_what_ships(page: str, results: Path) -> None:
    app = open_page(page)
    assert not app.exception
    assert len(app.title) == 1
    if page in STUDIES and page != "qualitative":
        assert chart_specs(app)
    if not page:
        assert "These results come with LCL Lab" in app.info[0].value


def test_every_page_of_the_menu_is_opened_by_these_tests() -> None:
    pages = [page for section in find_pages().values() for page in section]
    assert {"" if page.default else page.path for page in pages} == set(PAGES)
    assert list(find_pages()) == ["", "Studies", "Answers", "Runs"]


def test_the_script_of_the_package_shows_the_same(results: Path) -> None:
    copy_shipped(results, "shots")
    script = ROOT / "lcl_lab" / "dashboard" / "app.py"
    app = AppTest.from_file(str(script), default_timeout=60).run()
    assert not app.exception
    assert page_text(app) == page_text(open_page())


def test_no_page_imports_torch() -> None:
    program = "import sys; sys.argv = ['app.py']; import dashboards.app; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)


def test_both_scripts_have_the_same_theme() -> None:
    settings = [folder / ".streamlit" / "config.toml" for folder in (ROOT / "dashboards", ROOT / "lcl_lab/dashboard")]
    assert settings[0].read_text() == settings[1].read_text()


def test_own_results_replace_what_ships(results: Path) -> None:
    copy_shipped(results, "shots")
    app = open_page()
    assert not any("come with LCL Lab" in info.value for info in app.info)
    assert not app.exception
    assert not open_page("shots").exception


@pytest.mark.parametrize("page", ["", "order", "sweeps"])
def test_a_command_of_an_empty_page_writes_to_the_folder_that_is_shown(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_shipped(tmp_path / "my results", "shots")
    monkeypatch.setattr(sys, "argv", ["app.py", "--results", str(folder)])
    _, *words = shlex.split(open_page(page).code[0].value)
    assert words[words.index("--results") + 1] == str(folder)


def test_a_wrong_command_line_is_one_line(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py", "--result", "x", "--dta"])
    app = open_page()
    assert not app.exception
    assert app.error[0].value == "unknown option --result; did you mean '--results'?"


def test_unfinished_and_broken_runs_are_named_and_break_nothing(results: Path) -> None:
    copy_shipped(results, "false_ratio", "shots")
    ratio, shots = (next(run for run in runs(results) if run.study == name) for name in ("false_ratio", "shots"))
    (shots.path / "records.parquet").write_bytes(b"PAR1 half")
    Run.open(results, "false_ratio", {**ratio.config, "seed": 9}).close()  # it has no cell yet
    (results / "order" / "20260101-000000-0123abcd").mkdir(parents=True)
    for page in ("", "false_ratio", "shots", "order", "episodes", "compare", "sweeps", "provenance"):
        app = open_page(page)
        assert not app.exception, page
        if page in ("", "provenance"):
            assert "records.parquet" in page_text(app)
            assert "config" in page_text(app)
    assert "Not finished" in page_text(open_page("false_ratio"))


def test_text_of_records_is_never_markup(results: Path) -> None:
    write_hostile_run(results)
    for page in ("", "false_ratio", "episodes", "compare", "provenance"):
        app = open_page(page)
        assert not app.exception, page
        for kind in ("title", "subheader", "caption", "info", "warning", "markdown", "html"):
            for element in app.get(kind):
                body = element.proto.body
                if kind == "html" and element.proto.unsafe_allow_javascript:
                    assert "alert" not in body  # a script of the dashboard
                    continue
                assert "<script" not in body
                assert "<img" not in body
                assert kind == "html" or "![" not in body
                assert ":material" not in body or kind == "html"
        for select in app.selectbox:
            assert "![" not in select.label
    assert HOSTILE not in page_text(open_page("provenance"))


def test_no_file_outside_the_results_folder_is_read(results: Path, tmp_path: Path) -> None:
    copy_shipped(tmp_path / "elsewhere", "shots")
    (results / "shots").mkdir()
    (run,) = runs(tmp_path / "elsewhere")
    (results / "shots" / run.path.name).symlink_to(run.path)
    write_hostile_run(results)
    app = open_page("shots")
    assert not app.exception
    assert "There is no run of this study yet" in page_text(app)
    app = open_page("episodes", run="../../etc/passwd")
    assert app.selectbox("run").value is None
    assert "[folder:/etc:passwd:0]" in page_text(app)
