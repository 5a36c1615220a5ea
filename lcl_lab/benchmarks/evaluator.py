"""How much faster an evaluation is when every image is encoded once and every shared prefix is computed once.

Baselines  one     one whole prompt at a time, all its images encoded again, once for the greedy answer and
                   once for each candidate, as evaluation harnesses do
           once    the same for the greedy answer only, as if candidates cost nothing
           batch   as `one`, in padded batches of 32 prompts
Floor      the least that the prefix tree requires, at this machine's speed of matrix products
Model      a LLaVA of 20 M parameters with 64 tokens per image and random weights
Command    python -m lcl_lab.benchmarks.evaluator
Time       a quarter of an hour on two cores
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Literal

from pydantic import Field
from rich.table import Table

from lcl_lab.commands.program import Program
from lcl_lab.config import MOST_QUERIES, Config, Threads
from lcl_lab.progress import track
from lcl_lab.safe_console import SafeConsole

__all__ = ["EvaluatorBenchmarkConfig", "evaluator_program", "run_benchmark"]

_METHODS = {"one": "one prompt at a time", "once": "one, greedy answer only", "batch": "batches of 32", "ours": "ours"}


class EvaluatorBenchmarkConfig(Config):
    """Size of the benchmark."""

    studies: tuple[Literal["shots", "position"], ...] = Field(("shots", "position"), description="what to measure")
    queries: int = Field(32, ge=1, le=MOST_QUERIES, description="queries per support in the shot study")
    threads: Threads = Field(2, description="threads of torch")


def run_benchmark(config: EvaluatorBenchmarkConfig) -> None:
    """Print the table of each study, and how the speed of the shot study changes with ten times the prompts."""
    plan = [(method, study, 1) for study in config.studies for method in _METHODS]
    plan += [("ours", "shots", 10)] if "shots" in config.studies else []
    results = {one: _in_subprocess(*one, config) for one in track(plan, "measuring")}
    console = SafeConsole()
    for study in config.studies:
        console.print(_table(study, {method: results[method, study, 1] for method in _METHODS}))
    if "shots" not in config.studies:
        return
    small, large = (results["ours", "shots", supports] for supports in (1, 10))
    ratio = (large["prompts"] / large["seconds"]) / (small["prompts"] / small["seconds"])
    console.print(f"ours, {large['prompts']} prompts instead of {small['prompts']}: {ratio:.2f}× the prompts/s")


def _in_subprocess(method: str, study: str, supports: int, config: EvaluatorBenchmarkConfig) -> dict[str, Any]:
    """One measurement in a separate process, whose peak memory is its own."""
    words = [method, study, *map(str, (supports, config.queries, config.threads))]
    command = [sys.executable, "-m", "lcl_lab.benchmarks.evaluator_timing", *words]
    environment = os.environ | {"OMP_NUM_THREADS": str(config.threads)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _table(study: str, rows: dict[str, dict[str, Any]]) -> Table:
    ours = rows["ours"]
    title = f"{study}: {ours['prompts']} prompts, {ours['images']} images, at least {ours['least']:,} tokens"
    table = Table(
        "", "seconds", "prompts/s", "images encoded", "tokens computed", "peak memory", "ours is", title=title
    )
    for method, row in rows.items():
        table.add_row(
            _METHODS[method],
            f"{row['seconds']:.1f}",
            f"{row['prompts'] / row['seconds']:.1f}",
            f"{row['images_encoded']:,}",
            f"{row['tokens_computed']:,}",
            f"{row['memory'] / 2**20:.0f} MiB",
            f"{row['seconds'] / ours['seconds']:.1f}×",
        )
    floor = ours["floor"]
    table.add_row(
        "floor", f"{floor:.1f}", "", f"{ours['images']:,}", f"{ours['least']:,}", "", f"{floor / ours['seconds']:.2f}×"
    )
    return table


def evaluator_program(name: str = "python -m lcl_lab.benchmarks.evaluator") -> Program[EvaluatorBenchmarkConfig]:
    """The command that runs this benchmark."""
    return Program(name, EvaluatorBenchmarkConfig, run_benchmark, __doc__)


if __name__ == "__main__":
    evaluator_program().main()
