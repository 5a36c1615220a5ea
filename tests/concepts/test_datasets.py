from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.concepts import DATASETS, load_dataset
from lcl_lab.errors import UserError


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_is_found_by_its_name(name: str) -> None:
    assert load_dataset(name).name == name


def test_an_unknown_dataset_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="--data world100: unknown dataset; did you mean 'world-100'"):
        load_dataset("world100")


def test_a_file_of_the_users_makes_a_set(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from lcl_lab.concepts import load_dataset\ndef load(): return load_dataset('isekai-mini')\n")
    assert load_dataset(str(file)).name == "isekai-mini"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "no such file"), ("x = 1\n", "does not define load"), ("import nothing_like_it\n", "ModuleNotFoundError")],
)
def test_a_file_that_makes_no_set_is_told(tmp_path: Path, content: str | None, reason: str) -> None:
    file = tmp_path / "mine.py"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=reason):
        load_dataset(str(file))
