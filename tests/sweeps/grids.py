"""Small sweeps, run as users run them: in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil

from lcl_lab.store import connect, runs

GRID = """
strategies: [2-way, mix]
seeds: [0, 1]
train: {preset: tiny, steps: 6, checkpoint_every: 2}
studies:
  - {study: false_ratio, preset: tiny, queries: 8}
  - {study: shots, preset: tiny, queries: 8, fixed: []}
"""

ONE = GRID.replace("[2-way, mix]", "[2-way]")


def command(folder: Path, *more: str, grid: str = GRID) -> list[str]:
    file = folder / "grid.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(grid)
    return [sys.executable, "-m", "lcl_lab.sweep", str(file), "--results", str(folder / "results"), *more]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


def run(folder: Path, *more: str, grid: str = GRID) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, *more, grid=grid), capture_output=True, text=True, env=environment(), timeout=280
    )


def records(folder: Path) -> pd.DataFrame:
    """The records of all finished runs."""
    found = connect(folder / "results").execute("SELECT records.* FROM records").df()
    assert all(run.finished for run in runs(folder / "results"))
    return found


def workers(driver: psutil.Process) -> Iterator[psutil.Process]:
    """The processes in which trials of a driver's own cluster run."""
    for process in driver.children(recursive=True):
        try:
            if any("ImplicitFunc" in word or "trainable" in word for word in process.cmdline()[:1]):
                yield process
        except psutil.Error:
            continue


def wait_for(what: object, seconds: float = 120) -> None:
    """Until a callable is true."""
    end = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
