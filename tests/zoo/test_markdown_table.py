from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.zoo.markdown_table import BEGIN, END, accuracies, model_table, write_between

from .test_release_criteria import GOOD, answers, questions


def test_the_table_has_a_block_a_dataset_and_every_number_with_its_interval() -> None:
    text = model_table(accuracies(answers(GOOD), questions(0.9, 0.9), 0), ["2-way", "base", "in-context"])
    world = next(block for block in text.split("\n\n") if "world-100" in block)
    assert world.splitlines()[0] == "| world-100 | metric | 8 shots | 16 shots | 16 shots, all labels false |"
    row = next(line for line in world.splitlines() if line.startswith("| 2-way | candidate"))
    assert "| 0.96 [" in row
    assert row.rstrip(" |").split("| ")[-1].startswith("0.02 [")
    assert "| base | 0.9" in text.split("\n\n")[-1]


def test_the_table_takes_its_place_in_a_file(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_between(readme, "new")
    write_between(readme, "newer")
    assert readme.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"
    readme.write_text("no place")
    with pytest.raises(UserError, match="has no lines"):
        write_between(readme, "new")
    assert readme.read_text() == "no place"
