"""kill -9 at any moment, then the same command: the records are those of a run that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from lcl_lab.store import connect, runs, same_records
from lcl_lab.studies.false_ratio import main

KILLS = 12


def arguments(results: Path) -> list[str]:
    design = ["--queries", "120", "--shots", "4", "--ratios", "0", "0.5", "1"]
    return ["--model", "mini/2-way", *design, "--results", str(results)]


def start(results: Path) -> int:
    """The study in a process of its own that has everything imported; its id."""
    child = os.fork()
    if child == 0:
        try:
            main(arguments(results))
        finally:
            os._exit(0)
    return child


def test_killed_at_random_times_it_goes_on_to_the_same_records(tmp_path: Path) -> None:
    began = time.perf_counter()
    os.waitpid(start(tmp_path / "undisturbed"), 0)
    duration = time.perf_counter() - began
    expected = connect(tmp_path / "undisturbed").execute("SELECT * FROM records").df()

    moments, kills, number = random.Random(0), 0, 0
    while kills < KILLS:
        results = tmp_path / f"killed-{number}"
        child = start(results)
        time.sleep(moments.uniform(0.02, 0.9) * duration)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
        if runs(results) and runs(results)[0].finished:
            number += 1

    for results in tmp_path.glob("killed-*"):
        os.waitpid(start(results), 0)
        (run,) = runs(results)
        assert run.finished
        found = connect(results).execute("SELECT * FROM records").df()
        assert same_records(expected, found, tolerance=1e-4) is None
