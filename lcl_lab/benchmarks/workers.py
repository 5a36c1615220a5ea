"""How much faster a study is on several workers than in one process.

Work       the study of false labels with a model that ships with the package, with one thread per process
Times      of the whole command, and of the evaluation with the start of the cluster and of its processes
Command    python -m lcl_lab.benchmarks.workers
Time       eight minutes on two cores
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
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
    """Print the times of one process and of workers, the speed-up, and whether the records are the same."""
    with TemporaryDirectory() as folder:
        plan = (1, config.workers)
        one, several = (_measure(workers, config.queries, Path(folder)) for workers in track(plan, "measuring"))
    table = Table("", "1 process", f"{config.workers} workers", "speed-up", box=SIMPLE_HEAD)
    for name, alone, shared in (
        ("whole command", one.total, several.total),
        ("evaluation", one.evaluation, several.evaluation),
    ):
        table.add_row(name, f"{alone:.1f} s", f"{shared:.1f} s", f"{alone / shared:.2f}×")
    console = SafeConsole()
    console.print(table)
    difference = store.same_records(one.records, several.records, tolerance=1e-4)
    console.print(f"{len(one.records)} records: {difference or 'the same'}")


def _measure(workers: int, queries: int, folder: Path) -> _Timing:
    """Run the study in a separate process, as users do."""
    options = ["--model", "mini/2-way", "--queries", str(queries), "--results", str(workers), "--workers", str(workers)]
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "lcl_lab.studies.false_ratio", *options],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    total = time.perf_counter() - started
    (run,) = store.runs(folder / str(workers))
    moments = {event["event"]: datetime.fromisoformat(event["time"]) for event in store.read_events(run.path)}
    seconds = (moments["analysed"] - moments["began"]).total_seconds()
    return _Timing(total, seconds, store.connect(folder / str(workers)).execute("SELECT * FROM records").df())


def workers_program(name: str = "python -m lcl_lab.benchmarks.workers") -> Program[WorkersBenchmarkConfig]:
    """The command that runs this benchmark."""
    return Program(name, WorkersBenchmarkConfig, run_benchmark, __doc__)


if __name__ == "__main__":
    workers_program().main()
