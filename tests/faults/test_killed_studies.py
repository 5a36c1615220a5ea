"""kill -9 while all studies run, then the same command: the same records, and a complete report."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from lcl_lab.store import connect, runs, same_records
from lcl_lab.studies import find_studies, run_all
from tests.faults.kills import STUDIES

pytestmark = [pytest.mark.attack, pytest.mark.slow, pytest.mark.timeout(2400)]

# A server that has imported everything forks each attempt, so that kills fall into the work and not into imports.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["lcl_lab.studies.all", "lcl_lab.studies.runner", "lcl_lab.models.transformers_model", "lcl_lab.analysis.paired"]
)


@pytest.fixture(autouse=True)
def _main(monkeypatch: pytest.MonkeyPatch) -> None:
    """New processes import the main module, in whose place a test of the dashboard may have left a page."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules[__name__])


def run(results: Path) -> None:
    run_all(preset="tiny", queries=6, results=results)


def started(results: Path) -> BaseProcess:
    process = SERVER.Process(target=run, args=(results,))
    process.start()
    return process


def finish(results: Path) -> float:
    """Run all studies to the end; the seconds that it took."""
    began = time.perf_counter()
    process = started(results)
    process.join(900)
    assert process.exitcode == 0
    return time.perf_counter() - began


def report_of(results: Path) -> tuple[list[str], set[str]]:
    """The table of claims in the report about all studies, and the studies that it lists."""
    (path,) = (run.path for run in runs(results) if run.study == "all")
    head = (path / "report.md").read_text(encoding="utf-8").split("## ")[0]
    listed = json.loads((path / "manifest.json").read_text(encoding="utf-8"))["provenance"]["config"]["runs"]
    return [line for line in head.splitlines() if line.startswith("|")], {run.split("/")[0] for run in listed}


def test_all_studies_killed_at_random_times_resume_to_the_same_records_and_report(tmp_path: Path) -> None:
    duration = finish(tmp_path / "undisturbed")
    chance, kills, results = random.Random(0), 0, tmp_path / "killed"
    while kills < STUDIES:
        process = started(results)
        time.sleep(chance.uniform(0.05, 0.3) * duration)
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        if process.exitcode == 0:
            results = results.with_name(f"{results.name}-again")
    assert kills == STUDIES

    expected = connect(tmp_path / "undisturbed").execute("SELECT * EXCLUDE (run, filename) FROM records").df()
    claims, studies = report_of(tmp_path / "undisturbed")
    assert studies == {study.name for study in find_studies() if study.in_all}
    assert len(claims) > 8
    for folder in tmp_path.glob("killed*"):
        finish(folder)
        assert all(run.finished for run in runs(folder))
        actual = connect(folder).execute("SELECT * EXCLUDE (run, filename) FROM records").df()
        assert len(actual) == len(expected)
        assert same_records(expected, actual, tolerance=1e-4) is None
        assert report_of(folder) == (claims, studies)
