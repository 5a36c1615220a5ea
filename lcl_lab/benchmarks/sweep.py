"""The overhead of a sweep, and how much faster two workers are than one.

Overhead    seconds between the end of a trial and the end of the next one on the same worker, minus the duration of
            the trial itself: Ray Tune, marks, the table
Efficiency  trials of 20 to 30 seconds with one thread each, on one worker and on two, from the first start to the
            last end; the start of the cluster is reported separately
Command     python -m lcl_lab.benchmarks.sweep
Time        five minutes on two cores
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import Field
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lcl_lab.commands.program import Program
from lcl_lab.config import Config
from lcl_lab.progress import track
from lcl_lab.safe_console import SafeConsole

__all__ = ["SweepBenchmarkConfig", "run_benchmark", "sweep_program"]

_GRID = """
strategies: [2-way]
seeds: [{seeds}]
train: {{preset: tiny, steps: {steps}, checkpoint_every: 100000}}
cpu: 1
"""
_MANY = 10_000  # trials whose overhead is projected


class SweepBenchmarkConfig(Config):
    """Size of the benchmark."""

    trials: int = Field(6, ge=2, le=1000, description="trials of each sweep")
    steps: int = Field(250, ge=1, description="optimizer steps of a trial")


@dataclass(frozen=True)
class _Timing:
    """Durations of a sweep in seconds.

    Attributes:
        start: until the first trial runs.
        total: from then to the end of the last trial.
        trials: of each trial.
        overhead: of each trial except the first; empty with several workers.
    """

    start: float
    total: float
    trials: list[float]
    overhead: list[float]


def run_benchmark(config: SweepBenchmarkConfig) -> None:
    """Print the overhead of a trial, the speed-up of two workers, and the overhead of many trials."""
    plan = [(1, 1), (1, config.steps), (2, config.steps)]
    short, one, two = (_measure(workers, steps, config.trials) for workers, steps in track(plan, "measuring"))
    overhead = sum(short.overhead) / len(short.overhead)
    mean = sum(one.trials) / len(one.trials)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_row("cluster and first worker, once", f"{short.start:.1f} s")
    table.add_row("overhead of every further trial on a worker", f"{overhead:.2f} s")
    table.add_row(f"trials of {mean:.0f} s, 2 workers compared to 1", f"{one.total / two.total:.2f}×")
    table.add_row(f"overhead of {_MANY:,} trials on 100 workers", f"{overhead * _MANY / 100:.0f} s")
    SafeConsole().print(table)


def _measure(workers: int, steps: int, trials: int) -> _Timing:
    """Run a sweep in a separate process, as users do."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "grid.yaml").write_text(_GRID.format(seeds=", ".join(map(str, range(trials))), steps=steps))
        command = [sys.executable, "-m", "lcl_lab.sweep", "grid.yaml", "--workers", str(workers)]
        started = time.time()
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        return _read(folder / "results" / "sweeps" / "grid", started, workers)


def _read(folder: Path, started: float, workers: int) -> _Timing:
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [(datetime.fromisoformat(event["time"]).timestamp(), event) for event in map(json.loads, lines)]
    durations = {mark.stem: json.loads(mark.read_text())["seconds"] for mark in (folder / "trials").glob("*.json")}
    ends = sorted((moment, event["trial"]) for moment, event in events if event["status"] == "finished")
    first = min(moment for moment, event in events if event["status"] == "running")
    overhead = [later - earlier - durations[trial] for (earlier, _), (later, trial) in pairwise(ends)]
    return _Timing(first - started, ends[-1][0] - first, list(durations.values()), overhead if workers == 1 else [])


def sweep_program(name: str = "python -m lcl_lab.benchmarks.sweep") -> Program[SweepBenchmarkConfig]:
    """The command that runs this benchmark."""
    return Program(name, SweepBenchmarkConfig, run_benchmark, __doc__)


if __name__ == "__main__":
    sweep_program().main()
