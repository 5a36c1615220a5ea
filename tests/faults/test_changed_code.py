"""A study is killed, the scoring code is edited, and the same command is given again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lcl_lab
from lcl_lab.store import read_run, runs
from tests.sweeps.grids import environment

pytestmark = pytest.mark.attack

PACKAGE = Path(lcl_lab.__file__).parent
GRADES = "lcl_lab/evaluation/graded_answer.py"
KILLED_AFTER_TWO_CELLS = """
import os, signal, sys
from lcl_lab.store import Run
commit = Run.commit
def commit_and_die(run, cell, records):
    commit(run, cell, records)
    if len(run.committed()) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Run.commit = commit_and_die
"""
STUDY = """
from lcl_lab.commands import main
main("study false_ratio --preset tiny --queries 4 --model mini/prototype --results results".split())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the package, to edit."""
    shutil.copytree(PACKAGE, tmp_path / "lcl_lab", ignore=shutil.ignore_patterns("__pycache__", "data"))
    (tmp_path / "lcl_lab" / "data").symlink_to(PACKAGE / "data")
    return tmp_path


def study(checkout: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    variables = environment(PYTHONPATH=str(checkout), PYTHONDONTWRITEBYTECODE="1", COLUMNS="500")
    return subprocess.run(
        [sys.executable, "-c", before + STUDY], cwd=checkout, env=variables, capture_output=True, text=True
    )


def mark_answers(checkout: Path, mark: str) -> None:
    """Let the scoring code add a mark to all answers from now on."""
    file = checkout / GRADES
    text = (PACKAGE.parent / GRADES).read_text()
    assert text.count("answer=self.answer.text,") == 1
    file.write_text(text.replace("answer=self.answer.text,", f"answer=self.answer.text + {mark!r},"))


@pytest.mark.slow
def test_no_run_has_records_of_two_versions_of_the_scoring_code(checkout: Path) -> None:
    killed = study(checkout, KILLED_AFTER_TWO_CELLS)
    assert killed.returncode < 0, killed.stderr
    (first,) = runs(checkout / "results")
    mark_answers(checkout, "!")
    done = study(checkout)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"other scoring code or libraries computed the records of {first.path}") == 1
    unfinished, finished = sorted(runs(checkout / "results"), key=lambda run: run.path)
    assert (unfinished.path, unfinished.finished, finished.finished) == (first.path, False, True)
    assert not any(answer.endswith("!") for answer in read_run(unfinished.path)["answer"])
    assert all(answer.endswith("!") for answer in read_run(finished.path)["answer"])

    mark_answers(checkout, "?")
    again = study(checkout)
    assert "already finished" in again.stdout
    assert str(finished.path) in again.stdout
    assert len(runs(checkout / "results")) == 2


@pytest.mark.slow
def test_a_study_that_was_killed_resumes_under_the_same_code_and_after_edits_elsewhere(checkout: Path) -> None:
    assert study(checkout, KILLED_AFTER_TWO_CELLS).returncode < 0
    with (checkout / "lcl_lab" / "reporting" / "report.py").open("a") as file:
        file.write("# edited\n")
    done = study(checkout)
    assert done.returncode == 0, done.stderr
    assert "other scoring code" not in done.stderr
    (run,) = runs(checkout / "results")
    assert run.finished
    assert os.listdir(checkout / "results" / "false_ratio").count(run.path.name) == 1
