"""Small sweeps, run in a process of their own as users run them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
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

ROOT = Path(__file__).parents[2]
PATIENCE = 600.0  # seconds; a busy machine is several times slower than an idle one
ONE = GRID.replace("[2-way, mix]", "[2-way]")
MESSAGES = "messages.txt"


def command(folder: Path, *options: str, grid: str = GRID) -> list[str]:
    """The command that runs a sweep in a folder."""
    file = folder / "grid.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(grid)
    return [sys.executable, "-m", "lcl_lab.sweep", str(file), "--results", str(folder / "results"), *options]


def documented(pattern: str) -> str:
    """The first command in the documentation that matches a pattern from the start of a line to its end."""
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        match = re.search(f"^{pattern}$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        if match:
            return match[0]
    raise AssertionError(f"the documentation has no command that matches {pattern}")


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **variables}


def run(
    folder: Path, *options: str, grid: str = GRID, prefix: Sequence[str] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a sweep to its end, by a command that starts with `prefix`, in an environment with more variables."""
    words = [*prefix, *command(folder, *options, grid=grid)]
    with _start(words, variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        out, errors = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


@contextmanager
def started(folder: Path, *options: str, grid: str = GRID, **variables: str) -> Iterator[psutil.Popen]:
    """A driver for the test to disturb, which writes its messages to a file in the folder."""
    words = command(folder, *options, grid=grid)
    with (
        (folder / MESSAGES).open("wb") as messages,
        _start(words, variables, stdout=subprocess.DEVNULL, stderr=messages, start_new_session=True) as process,
    ):
        yield process


@contextmanager
def _start(words: list[str], variables: dict[str, str], **options: Any) -> Iterator[psutil.Popen]:
    with killing_descendants() as mark:
        # Ctrl-C is ignored by what a shell runs in the background, and by what that starts.
        options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        yield psutil.Popen(words, env=environment(**mark, **variables), **options)


@contextmanager
def killing_descendants() -> Iterator[dict[str, str]]:
    """An environment variable for a process; all processes that inherit it are killed when the block ends."""
    name, value = "LCL_LAB_TEST", uuid4().hex
    try:
        yield {name: value}
    finally:
        killed = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(name) == value:
                    process.kill()
                    killed.append(process)
        psutil.wait_procs(killed, timeout=30)


def records(folder: Path) -> pd.DataFrame:
    """The records of all runs, which must have finished."""
    frame = connect(folder / "results").execute("SELECT records.* FROM records").df()
    assert all(run.finished for run in runs(folder / "results"))
    return frame


def files_below(folder: Path, *patterns: str) -> list[Path]:
    """The files whose path ends like a pattern.

    Unlike `Path.rglob`, this goes on when a folder vanishes meanwhile, as checkpoints of a running sweep do.
    """
    paths = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return [path for path in paths if any(path.match(pattern) for pattern in patterns)]


class StoredFiles:
    """Cells, models and marks that a sweep had written at some moment; a resumed sweep must not write them again."""

    def __init__(self) -> None:
        self._times: dict[Path, int] = {}

    def add(self, folder: Path) -> None:
        """Remember the files that exist now."""
        for path in self._written(folder):
            self._times.setdefault(path, path.stat().st_mtime_ns)

    def has_grown(self, folder: Path) -> bool:
        """Whether there are files that are not remembered."""
        return any(path not in self._times for path in self._written(folder))

    def assert_unchanged(self) -> None:
        assert self._times
        assert {path: path.stat().st_mtime_ns for path in self._times} == self._times

    @staticmethod
    def _written(folder: Path) -> list[Path]:
        return files_below(folder, "records/*.parquet", "models/*/card.json", "sweeps/grid/trials/*.json")


def workers(driver: psutil.Process) -> list[psutil.Process]:
    """The processes that run trials of a driver's own cluster; none once it has ended."""
    processes = []
    with suppress(psutil.NoSuchProcess):
        for process in driver.children(recursive=True):
            with suppress(psutil.Error):
                if any("ImplicitFunc" in word or "trainable" in word for word in process.cmdline()[:1]):
                    processes.append(process)
    return processes


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE, every: float = 0.1) -> None:
    """Wait until a condition is true, which is checked `every` so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(every)
