"""kill -9 at any moment, then the same command: the records are those of a run that nobody disturbed."""

from __future__ import annotations

import multiprocessing
import random
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from lcl_lab.store import connect, runs, same_records
from lcl_lab.studies.false_ratio import STUDY
from tests.faults.kills import STUDY as KILLS

pytestmark = [pytest.mark.attack, pytest.mark.timeout(1200)]


def run(results: Path) -> None:
    STUDY.run(model="mini/2-way", queries=24, shots=4, ratios=(0, 1), results=results)


# A server that has imported everything forks each attempt, so that kills fall into the work and not into imports.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["lcl_lab.studies.runner", "lcl_lab.models.transformers_model", "lcl_lab.models.mini.prototype"]
)


@pytest.fixture(autouse=True)
def _main(monkeypatch: pytest.MonkeyPatch) -> None:
    """New processes import the main module, in whose place a test of the dashboard may have left a page."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules[__name__])


def start(results: Path) -> BaseProcess:
    process = SERVER.Process(target=run, args=(results,))
    process.start()
    return process


def finish(results: Path) -> float:
    """Run the study to its end; the seconds that it took."""
    began = time.perf_counter()
    process = start(results)
    process.join(300)
    assert process.exitcode == 0
    return time.perf_counter() - began


@pytest.mark.slow
def test_a_study_killed_at_random_times_resumes_to_the_same_records(tmp_path: Path) -> None:
    finish(tmp_path / "server-warms-up")
    duration = finish(tmp_path / "undisturbed")
    expected = connect(tmp_path / "undisturbed").execute("SELECT * FROM records").df()

    moments, kills, number = random.Random(0), 0, 0
    while kills < KILLS:
        results = tmp_path / f"killed-{number}"
        process = start(results)
        time.sleep(moments.uniform(0.02, 0.9) * duration)
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        if runs(results) and runs(results)[0].finished:
            number += 1
    assert kills == KILLS

    for results in tmp_path.glob("killed-*"):
        finish(results)
        (run,) = runs(results)
        assert run.finished
        found = connect(results).execute("SELECT * FROM records").df()
        assert same_records(expected, found, tolerance=1e-4) is None
