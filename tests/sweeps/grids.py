"""Small sweeps, run as users run them: in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

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

PATIENCE = 600.0  # seconds; a busy machine is several times slower than a free one
ONE = GRID.replace("[2-way, mix]", "[2-way]")


def command(folder: Path, *more: str, grid: str = GRID) -> list[str]:
    file = folder / "grid.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(grid)
    return [sys.executable, "-m", "lcl_lab.sweep", str(file), "--results", str(folder / "results"), *more]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


def run(folder: Path, *more: str, grid: str = GRID) -> subprocess.CompletedProcess[str]:
    """The whole sweep; how it ended and what it printed."""
    with _begun(
        command(folder, *more, grid=grid), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        out, errors = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


@contextmanager
def started(folder: Path, *more: str, grid: str = GRID) -> Iterator[psutil.Popen]:
    """A driver that is disturbed by the test."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with _begun(command(folder, *more, grid=grid), **quiet) as process:
        yield process


@contextmanager
def _begun(words: list[str], **given: Any) -> Iterator[psutil.Popen]:
    with ending() as mark:
        yield psutil.Popen(words, env=environment(**mark), **given)


@contextmanager
def ending() -> Iterator[dict[str, str]]:
    """Variables of the environment of a cluster; whatever has them is killed in the end, and disturbs no other test."""
    name, value = "LCL_LAB_TEST", uuid4().hex
    try:
        yield {name: value}
    finally:
        ended = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(name) == value:
                    process.kill()
                    ended.append(process)
        psutil.wait_procs(ended, timeout=30)


def records(folder: Path) -> pd.DataFrame:
    """The records of all finished runs."""
    found = connect(folder / "results").execute("SELECT records.* FROM records").df()
    assert all(run.finished for run in runs(folder / "results"))
    return found


class Stored:
    """The cells and models that a sweep had finished when it was looked at: none of them is made again."""

    def __init__(self) -> None:
        self._seen: dict[Path, int] = {}

    def look(self, folder: Path) -> None:
        for pattern in ("records/*.parquet", "models/*/card.json", "sweeps/grid/trials/*.json"):
            for path in folder.rglob(pattern):
                self._seen.setdefault(path, path.stat().st_mtime_ns)

    def is_unchanged(self) -> None:
        assert self._seen
        assert {path: path.stat().st_mtime_ns for path in self._seen} == self._seen


def workers(driver: psutil.Process) -> list[psutil.Process]:
    """The processes in which trials of a driver's own cluster run; none once it has ended."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for process in driver.children(recursive=True):
            with suppress(psutil.Error):
                if any("ImplicitFunc" in word or "trainable" in word for word in process.cmdline()[:1]):
                    found.append(process)
    return found


def wait_for(what: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Until a callable is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
