from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from lcl_lab.concepts import render, render_with_box
from lcl_lab.concepts.world import FIRST_TRAINING_IMAGE, held_out_appearances, known_appearances
from lcl_lab.training.corpus import GROUP, plan_corpus, render_all
from tests.sweeps.grids import wait_for


def test_no_appearance_of_an_evaluation_is_in_the_corpus() -> None:
    assert held_out_appearances().isdisjoint(plan_corpus(0, 500, 0).appearances)


def test_groups_are_of_look_alikes() -> None:
    appearances = plan_corpus(0, 50, 0).appearances
    for start in range(0, len(appearances), GROUP):
        assert {appearances[start].distance(appearance) for appearance in appearances[start + 1 : start + GROUP]} <= {
            1,
            2,
        }


def test_known_objects_come_last_under_numbers_that_no_evaluation_uses() -> None:
    corpus = plan_corpus(0, 1, 2)
    assert corpus.names[:GROUP] == ("",) * GROUP
    assert list(dict.fromkeys(corpus.names[GROUP:])) == list(known_appearances())
    assert min(corpus.numbers[GROUP:]) == FIRST_TRAINING_IMAGE
    assert corpus.appearances[-1] == known_appearances()[corpus.names[-1]]


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another() -> None:
    assert plan_corpus(3, 300, 1) == plan_corpus(3, 300, 1) != plan_corpus(4, 300, 1)


def test_any_number_of_workers_renders_the_same() -> None:
    corpus = plan_corpus(0, 100, 0)
    planned = corpus.images
    (one, boxes), (two, same) = render_all(planned, 1), render_all(planned, 2)
    assert np.array_equal(one, two)
    assert boxes == same
    assert np.array_equal(one[7], render(*planned[7]))
    assert boxes[7] == render_with_box(*planned[7])[1]


def test_a_script_without_a_main_guard_renders(tmp_path: Path) -> None:
    """Workers that import the script again would start workers of their own."""
    script = tmp_path / "script.py"
    script.write_text(
        "from lcl_lab.training.corpus import plan_corpus, render_all\n"
        "images = plan_corpus(0, 100, 0).images\n"
        "print(render_all(images, 2)[0].shape)\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "(400, 64, 64, 3)\n"


@pytest.mark.slow
def test_a_killed_parent_leaves_no_process() -> None:
    """The pool's own processes would wait for its work forever."""
    code = "from lcl_lab.training.corpus import plan_corpus, render_all\n"
    code += "c = plan_corpus(0, 2000, 1); render_all(c.images, 2)"
    parent = psutil.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    wait_for(lambda: len(parent.children(recursive=True)) >= 3)  # two workers and loky's resource tracker
    time.sleep(3)  # until they render
    children = parent.children(recursive=True)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    for child in alive:
        child.kill()
    assert not alive
