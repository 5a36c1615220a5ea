"""What a sweep costs beside its trials, and how much faster two workers are than one.

Overhead    seconds between the end of a trial and that of the next on the same worker, less what the trial itself
            took: Ray Tune, the marks, the table
Efficiency  trials of 20 to 30 seconds with one thread each, on one worker and on two, from the first start to the last
            end; the cluster's own start is told apart
Command     python -m lcl_lab.benchmarks.sweep
Time        five minutes on two cores
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from lcl_lab.cli import Parser, at_least, run_program

__all__ = ["main"]

_GRID = """
strategies: [2-way]
seeds: [{seeds}]
train: {{preset: tiny, steps: {steps}, checkpoint_every: 100000}}
cpu: 1
"""
_MANY = 10_000  # trials, whose cost is projected


@dataclass(frozen=True)
class _Sweep:
    """What a sweep of trials took, in seconds."""

    start: float  # until the first trial runs
    whole: float  # from then to the end of the last
    trials: list[float]  # each by itself
    gaps: list[float]  # beside each but the first on its worker


def main(arguments: Sequence[str]) -> None:
    """Print the overhead of a trial, the speed-up of two workers, and the cost of many trials."""
    parser = Parser(prog="python -m lcl_lab.benchmarks.sweep", description=__doc__ or "")
    parser.add_argument("--trials", type=at_least(2), default=6, help="of each sweep (default 6)")
    parser.add_argument("--steps", type=at_least(1), default=250, help="of a trial's training (default 250)")
    options = parser.parse_args(arguments)

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from lcl_lab.progress import track

    plan = [(1, 1), (1, options.steps), (2, options.steps)]
    short, one, two = (_measure(workers, steps, options.trials) for workers, steps in track(plan, "measuring"))
    overhead = sum(short.gaps) / len(short.gaps)
    table = Table(box=SIMPLE_HEAD)
    for column in ("", "measured"):
        table.add_column(column, justify="left" if not column else "right")
    mean = sum(one.trials) / len(one.trials)
    table.add_row("cluster and first worker, once", f"{short.start:.1f} s")
    table.add_row("overhead of a further trial on a worker", f"{overhead:.2f} s")
    table.add_row(f"trials of {mean:.0f} s, 2 workers against 1", f"{one.whole / two.whole:.2f}×")
    table.add_row(f"overhead of {_MANY:,} trials on 100 workers", f"{overhead * _MANY / 100:.0f} s")
    Console().print(table)


def _measure(workers: int, steps: int, trials: int) -> _Sweep:
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "grid.yaml").write_text(_GRID.format(seeds=", ".join(map(str, range(trials))), steps=steps))
        command = [sys.executable, "-m", "lcl_lab.sweep", "grid.yaml", "--workers", str(workers)]
        began = time.time()
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        return _read(folder / "results" / "sweeps" / "grid", began, workers)


def _read(folder: Path, began: float, workers: int) -> _Sweep:
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    at = [(datetime.fromisoformat(event["time"]).timestamp(), event["trial"], event["status"]) for event in events]
    took = {mark.stem: json.loads(mark.read_text())["seconds"] for mark in (folder / "trials").glob("*.json")}
    ends = sorted((moment, trial) for moment, trial, status in at if status == "finished")
    first = min(moment for moment, _, status in at if status == "running")
    gaps = [later - earlier - took[trial] for (earlier, _), (later, trial) in zip(ends, ends[workers:], strict=False)]
    return _Sweep(first - began, ends[-1][0] - first, list(took.values()), gaps if workers == 1 else [])


if __name__ == "__main__":
    run_program(main)
