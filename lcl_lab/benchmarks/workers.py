"""How much faster a study is on several workers than in one process.

Work       the study of false labels with a model that ships with the package, with one thread per process
Times      of the whole command, and of the evaluation with the start of the cluster and of its processes
Limit      as many separate commands side by side, each with its share of the queries: what the machine itself allows
Command    python -m lcl_lab.benchmarks.workers
Time       seven minutes on two cores
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from pydantic import Field
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lcl_lab import store
from lcl_lab.commands.program import Program
from lcl_lab.config import MOST_QUERIES, Config, Threads
from lcl_lab.progress import track
from lcl_lab.safe_console import SafeConsole

__all__ = ["WorkersBenchmarkConfig", "run_benchmark", "workers_program"]


class WorkersBenchmarkConfig(Config):
    """Size of the benchmark."""

    workers: Threads = Field(2, description="workers that are compared with one process")
    queries: int = Field(1500, ge=1, le=MOST_QUERIES, description="queries under each condition")


@dataclass(frozen=True)
class _Timing:
    """Seconds of the whole command and of its evaluation, and the records."""

    total: float
    evaluation: float
    records: pd.DataFrame


def run_benchmark(config: WorkersBenchmarkConfig) -> None:
    """Print the times of one process, of workers and of separate commands, and whether the records are the same."""
    share = math.ceil(config.queries / config.workers)
    with TemporaryDirectory() as folder:
        measured = []
        for name, commands, queries, workers in track(
            [
                ("one", 1, config.queries, 1),
                ("several", 1, config.queries, config.workers),
                ("apart", config.workers, share, 1),
            ],
            "measuring",
        ):
            results = [Path(folder) / f"{name}-{number}" for number in range(commands)]
            measured.append(_measure(results, queries, workers))
    one, several, apart = measured
    table = Table("", "1 process", f"{config.workers} workers", f"{config.workers} commands", box=SIMPLE_HEAD)
    for name, alone, shared, separate in (
        ("whole command", one.total, several.total, apart.total),
        ("evaluation", one.evaluation, several.evaluation, apart.evaluation),
    ):
        table.add_row(name, f"{alone:.1f} s", _speed_up(alone, shared), _speed_up(alone, separate))
    console = SafeConsole()
    console.print(table)
    difference = store.same_records(one.records, several.records, tolerance=1e-4)
    console.print(f"{len(one.records)} records: {difference or 'the same'}")


def _speed_up(alone: float, seconds: float) -> str:
    return f"{seconds:.1f} s, {alone / seconds:.2f}×"


def _measure(results: Sequence[Path], queries: int, workers: int) -> _Timing:
    """Run the study in separate processes at once, as users do: one for each results folder."""
    options = ["--model", "mini/2-way", "--queries", str(queries), "--workers", str(workers)]
    started = time.perf_counter()
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "lcl_lab.studies.false_ratio", *options, "--results", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for folder in results
    ]
    for process in processes:
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, process.args)
    total = time.perf_counter() - started
    return _Timing(total, max(map(_evaluation_seconds, results)), _records(results[0]))


def _evaluation_seconds(results: Path) -> float:
    (run,) = store.runs(results)
    moments = {event["event"]: datetime.fromisoformat(event["time"]) for event in store.read_events(run.path)}
    return (moments["analysed"] - moments["began"]).total_seconds()


def _records(results: Path) -> pd.DataFrame:
    return store.connect(results).execute("SELECT * FROM records").df()


def workers_program(name: str = "python -m lcl_lab.benchmarks.workers") -> Program[WorkersBenchmarkConfig]:
    """The command that runs this benchmark."""
    return Program(name, WorkersBenchmarkConfig, run_benchmark, __doc__)


if __name__ == "__main__":
    workers_program().main()
