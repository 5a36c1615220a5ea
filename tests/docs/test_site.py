"""The README is short, pages name only what exists, and the site builds without warnings and without other hosts."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab.studies import find_studies
from tests.docs.pages import COMMANDS, PAGES, ROOT

# Paths on pages that readers create, or that a command writes.
CREATED = re.compile(
    r"results/|training/|snapshots/|photos/|site/|config\.json|notes\.json|query\.json|manifest\.json|events\.jsonl|looks\.jsonl|"
    r"registration\.json|plan\.json|llava_v1_5_mix665k\.json|card\.json|metrics\.jsonl|report\.|"
    r"records|pairs\.|train900|test100|colours\.py|parrot\.py|odd\.py|one_sided\.py|unzip\.sh|ISEKAI|data/ISEKAI|…|\*|STUDY|CELL"
)
PATH = re.compile(r"`([\w./-]+(?:/|\.(?:py|yaml|md|sh|png|jsonl|json|pyi)))`")
MODULE = re.compile(r"(?:python -m |`|import |from )((?:lcl_lab|dashboards)(?:\.\w+)+)")


def test_the_readme_is_short_and_starts_with_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    assert COMMANDS[0] == "pip install uv && uv run python -m lcl_lab.studies.false_ratio"
    assert COMMANDS[1] == "uv run pytest"
    assert COMMANDS[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert readme.count("![") == 1


def test_every_study_has_a_page_and_a_line_in_the_tables() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    overview = (ROOT / "docs" / "studies" / "index.md").read_text(encoding="utf-8")
    names = [path.stem for path in (ROOT / "lcl_lab" / "studies").glob("*.py") if "\nSTUDY = " in path.read_text()]
    assert {study.name for study in find_studies()} >= set(names)
    for name in names:
        page = (ROOT / "docs" / "studies" / f"{name}.md").read_text(encoding="utf-8")
        assert f"lcl study {name}\n" in page
        assert "## How to read it" in page and "![" in page
        assert f"python -m lcl_lab.studies.{name}" in readme
        assert f"({name}.md)" in overview


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_only_files_and_modules_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!http|#)([^)#]+)(?:#[^)]*)?\)", text):
        generated = (page.parent / link).resolve() == (ROOT / "docs" / "commands.md")
        assert generated or (page.parent / link).exists(), link
    for path in PATH.findall(text):
        if not CREATED.search(path):
            places = [ROOT / path, ROOT / "lcl_lab" / "sweeps" / path, ROOT / "studies" / "cluster" / path]
            assert any(place.exists() for place in places), path
    if page.name != "changelog.md":  # it names what there was before
        for name in MODULE.findall(text):
            assert name.endswith(".NAME") or exists(name), name


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    module, _, attribute = name.rpartition(".")
    try:
        if importlib.util.find_spec(name):
            return True
    except ModuleNotFoundError:
        pass
    return hasattr(importlib.import_module(module), attribute)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `mkdocs build --strict` makes it."""
    pytest.importorskip("mkdocs", reason="the site needs the group docs: uv sync --all-groups")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_site_has_the_references(site: Path) -> None:
    commands = (site / "commands.html").read_text(encoding="utf-8")
    assert all(f"lcl study {study}" in commands for study in ("false_ratio", "order"))
    assert "--queries-per-support" in commands
    public = (site / "api" / "index.html").read_text(encoding="utf-8")
    assert all(f'id="lcl_lab.{name}"' in public for name in ("draw_episode", "run_study", "StudyResult", "UserError"))


@pytest.mark.slow
def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]+src=\"?(https?:[^\s\">]+)", text)
        loaded += [tag for tag in re.findall(r"<link[^>]+>", text) if "stylesheet" in tag and "http" in tag]
        loaded += re.findall(r"url\([\"']?(https?:[^)\"']+)", text)
        assert not loaded, f"{page.relative_to(site)}: {loaded}"
