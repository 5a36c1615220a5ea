"""The code blocks of every page are run or checked, and the notebook recipes are as short as promised."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import lcl_lab as lcl
from lcl_lab.concepts import datasets
from lcl_lab.models import user_models
from lcl_lab.strategies import registry as strategy_registry
from lcl_lab.studies import study_registry
from lcl_lab.sweeps import SweepConfig
from lcl_lab.training.instruction_rows import read_conversation
from tests.docs.pages import ALL_BLOCKS, PAGES, ROOT, Block, blocks, run_cell, write_files

SLOW = {
    "docs/bench.md",
    "docs/extending.md",
    "docs/paper.md",
    "docs/statistics.md",
    "docs/sweeps.md",
    "docs/training.md",
}
WITH_PYTHON = [page for page in PAGES if any(block.language == "python" and not block.title for block in blocks(page))]
# Headings of docs/getting_started.md, and the most statements that the recipe below each may have.
RECIPES = {
    "Show an episode with half of its labels false": 3,
    "Grade the answer of a model": 3,
    "Run a small study and get its accuracies": 2,
    "Compare two models on the same episodes": 3,
    "Define a new study": 10,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the files that pages show, whose modules can be imported."""
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    shown = {block.title.removesuffix(".py") for block in ALL_BLOCKS if block.title}
    for name in shown & set(sys.modules):
        monkeypatch.delitem(sys.modules, name)
    for registry in (datasets, user_models, strategy_registry, study_registry):
        monkeypatch.setattr(registry, "_registered", {})  # what a page registers is forgotten after the test
    return tmp_path


def parameter(page: Path) -> object:
    name = str(page.relative_to(ROOT))
    return pytest.param(page, id=name, marks=[pytest.mark.slow] if name in SLOW else [])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [parameter(page) for page in WITH_PYTHON if page.name != "getting_started.md"])
def test_the_python_blocks_of_a_page_run_in_order(page: Path, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language == "python" and not block.title:
            repr(run_cell(block.text, names))


def recipe(heading: str) -> str:
    """The block below a heading."""
    page = (ROOT / "docs" / "getting_started.md").read_text(encoding="utf-8")
    text = page.split(f"### {heading}\n", 1)[1]
    return text.split("```python\n", 1)[1].split("```", 1)[0]


def test_every_block_of_the_page_is_a_recipe() -> None:
    shown = [b.text for b in blocks(ROOT / "docs" / "getting_started.md") if b.language == "python"]
    assert shown == [recipe(heading) for heading in RECIPES]


@pytest.mark.parametrize("heading", RECIPES)
def test_recipes_are_short(heading: str) -> None:
    """Every statement counts, imports and those inside functions included."""
    statements = [node for node in ast.walk(ast.parse(recipe(heading))) if isinstance(node, ast.stmt)]
    assert len(statements) <= RECIPES[heading]


@pytest.mark.slow
def test_recipes_do_what_they_promise(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    episode, graded, accuracy, comparison, study = (run_cell(recipe(heading), {}) for heading in RECIPES)
    assert sum(example.false for example in episode.support) == 4
    assert "<img" in episode._repr_html_()
    assert "correct (open-ended)" in repr(graded)
    assert graded.correct_candidate is True
    assert {"model", "metric", "false_ratio", "estimate", "low", "high"} <= set(accuracy.columns)
    difference = comparison.difference
    assert difference.low < difference.value < difference.high
    assert 0 <= difference.p_value < 0.001
    assert {f"false_position {p}" for p in (1, 2, 3, 4)} == set(study["condition"])
    assert capsys.readouterr().out == ""


def test_the_study_of_the_file_is_found_under_its_name(folder: Path) -> None:
    """The page about extending is slow as a whole; that its files can be loaded is tested always."""
    from colours import load as load_colours
    from odd import load as load_odd
    from one_sided import STUDY
    from parrot import load as load_parrot

    lcl.register_dataset(load_colours())
    lcl.register_model(load_parrot(), "documented-parrot")
    lcl.register_study(STUDY)
    lcl.register_strategy(load_odd())
    graded = lcl.answer("documented-parrot", lcl.draw_episode("colours", shots=4))
    assert graded.text in {"wug", "dax"}


@pytest.mark.parametrize("block", [b for b in ALL_BLOCKS if b.language == "yaml"], ids=lambda block: block.page)
def test_yaml_blocks_are_sweeps(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "shown.yaml"
    file.write_text(block.text, encoding="utf-8")
    assert SweepConfig.from_file(file).trials()


@pytest.mark.parametrize("block", [b for b in ALL_BLOCKS if b.language == "json"], ids=lambda block: block.page)
def test_json_blocks_are_lines_of_instruction_data(block: Block) -> None:
    for number, line in enumerate(block.text.splitlines()):
        assert read_conversation(json.loads(line), number).answers


def test_every_language_is_tested() -> None:
    """`text` is for listings of files."""
    assert {block.language for block in ALL_BLOCKS} <= {"python", "sh", "yaml", "json", "text"}
