"""Looks at a question are counted by sample, survive a kill, and are apart for other questions."""

from __future__ import annotations

from pathlib import Path

from lcl_lab.store import count_look
from lcl_lab.store.looks import LOOKS

IDENTITY = {"shots": 4, "queries": 12, "content": "a", "seed": 0, "models": [{"name": "m", "fingerprint": "1"}]}


def test_another_number_of_queries_or_seed_is_another_look(tmp_path: Path) -> None:
    assert count_look(tmp_path, IDENTITY, "first") == 1
    assert count_look(tmp_path, IDENTITY | {"queries": 24, "content": "b"}, "second") == 2
    assert count_look(tmp_path, IDENTITY | {"seed": 1}, "third") == 3


def test_the_same_run_again_is_not_another_look(tmp_path: Path) -> None:
    assert [count_look(tmp_path, IDENTITY, run) for run in ("first", "second", "first", "second")] == [1, 2, 1, 2]


def test_other_designs_and_models_are_other_questions(tmp_path: Path) -> None:
    count_look(tmp_path, IDENTITY, "first")
    assert count_look(tmp_path, IDENTITY | {"shots": 8}, "second") == 1
    assert count_look(tmp_path, IDENTITY | {"models": [{"name": "m", "fingerprint": "2"}]}, "third") == 1


def test_a_line_that_a_kill_left_incomplete_loses_no_other(tmp_path: Path) -> None:
    count_look(tmp_path, IDENTITY, "first")
    with (tmp_path / LOOKS).open("ab") as file:
        file.write(b'{"time": "2026-\xff')
    assert count_look(tmp_path, IDENTITY, "second") == 2
    assert count_look(tmp_path, IDENTITY, "third") == 3
