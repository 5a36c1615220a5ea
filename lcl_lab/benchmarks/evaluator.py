"""How much faster an evaluation is when every image is encoded once and every shared prefix is computed once.

Baselines  one     one whole prompt at a time, all its images encoded again, once for the greedy answer and
                   once for each candidate, as evaluation harnesses do
           once    the same for the greedy answer only, as if candidates cost nothing
           batch   as `one`, in padded batches of 32 prompts
Floor      the least time for all tokens that must be computed once, at the speed of this machine's fastest matrix
           product
Model      a LLaVA of 20 M parameters with 64 tokens per image and random weights
Versions   `--against FOLDER` measures this version and that of another checkout instead, in turns, and compares their
           answers
Command    python -m lcl_lab.benchmarks.evaluator
Time       a quarter of an hour on two cores
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal

from pydantic import Field
from rich.table import Table

from lcl_lab.commands.program import Program
from lcl_lab.config import MOST_QUERIES, Config, Threads
from lcl_lab.errors import UserError
from lcl_lab.progress import track
from lcl_lab.safe_console import SafeConsole

__all__ = ["EvaluatorBenchmarkConfig", "evaluator_program", "run_benchmark"]

_METHODS = {"one": "one prompt at a time", "once": "one, greedy answer only", "batch": "batches of 32", "ours": "ours"}
_TIMING = Path(__file__).with_name("evaluator_timing.py")
_PACKAGE = Path(__file__).parents[1]

Measured = dict[str, Any]
"""What `lcl_lab.benchmarks.evaluator_timing.measure` returns."""


class EvaluatorBenchmarkConfig(Config):
    """Size of the benchmark."""

    studies: tuple[Literal["shots", "position"], ...] = Field(("shots", "position"), description="what to measure")
    queries: int = Field(32, ge=1, le=MOST_QUERIES, description="queries per support in the shot study")
    threads: Threads = Field(2, description="threads of torch")
    against: Path | None = Field(None, description="checkout of another version to compare with")
    repeats: int = Field(3, ge=1, le=100, description="measurements of each version with --against")


def run_benchmark(config: EvaluatorBenchmarkConfig) -> None:
    """Print the table of each study, and how the speed of the shot study changes with ten times the prompts.

    Raises:
        UserError: the other checkout has no package.
    """
    console = SafeConsole()
    if config.against is not None:
        other = _package(config.against)
        for study in config.studies:
            console.print(_comparison(study, other, config))
        return
    plan = [(method, study, 1) for study in config.studies for method in _METHODS]
    plan += [("ours", "shots", 10)] if "shots" in config.studies else []
    results = {one: _measure(*one, config) for one in track(plan, "measuring")}
    for study in config.studies:
        floor = _floor(study, results["ours", study, 1], config)
        console.print(_table(study, {method: results[method, study, 1] for method in _METHODS}, floor))
    if "shots" not in config.studies:
        return
    small, large = (results["ours", "shots", supports] for supports in (1, 10))
    ratio = (large["prompts"] / large["seconds"]) / (small["prompts"] / small["seconds"])
    console.print(f"ours, {large['prompts']} prompts instead of {small['prompts']}: {ratio:.2f}× the prompts/s")


def _package(checkout: Path) -> Path:
    package = checkout.resolve() / _PACKAGE.name
    if not package.is_dir():
        raise UserError(f"no folder {_PACKAGE.name} in it; give a checkout", option="against", value=checkout)
    return package


def _measure(
    method: str, study: str, supports: int, config: EvaluatorBenchmarkConfig, package: Path = _PACKAGE
) -> Measured:
    """One measurement in a separate process, whose peak memory is its own."""
    words = [method, study, *map(str, (supports, config.queries, config.threads))]
    measured: Measured = json.loads(_run([str(_TIMING), *words], config, package))
    return measured


def _floor(study: str, measured: Measured, config: EvaluatorBenchmarkConfig) -> dict[str, float]:
    """What `lcl_lab.benchmarks.evaluator_floor` measures, given the answers to the study."""
    words = ["-m", "lcl_lab.benchmarks.evaluator_floor", study, *map(str, (1, config.queries, config.threads))]
    floor: dict[str, float] = json.loads(_run(words, config, _PACKAGE, json.dumps(measured["answers"])))
    return floor


def _run(words: Sequence[str], config: EvaluatorBenchmarkConfig, package: Path, given: str = "") -> str:
    """What a program prints that imports a package; it finds no module by its own folder."""
    environment = os.environ | {"OMP_NUM_THREADS": str(config.threads), "PYTHONPATH": str(package.parent)}
    command = [sys.executable, "-P", *words]
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment, input=given, cwd=package.parent
    ).stdout


def _comparison(study: str, other: Path, config: EvaluatorBenchmarkConfig) -> Table:
    """This version and another one, measured in turns."""
    packages = {"other": other, "this": _PACKAGE}
    runs: dict[str, list[Measured]] = {name: [] for name in packages}
    for name in track([*packages] * config.repeats, f"measuring {study}"):
        runs[name].append(_measure("ours", study, 1, config, packages[name]))
    columns = ("seconds", "CPU seconds", "prompts/s", "peak memory")
    table = Table(
        "version", *columns, title=f"{study}: {runs['this'][0]['prompts']} prompts, {config.repeats} runs each"
    )
    for name, of_version in runs.items():
        seconds, cpu_seconds = (_median(of_version, key) for key in ("seconds", "cpu_seconds"))
        memory = _median(of_version, "memory") / 2**20
        prompts = of_version[0]["prompts"]
        table.add_row(name, f"{seconds:.2f}", f"{cpu_seconds:.2f}", f"{prompts / seconds:.1f}", f"{memory:.0f} MiB")
    ratios = (_median(runs["other"], key) / _median(runs["this"], key) for key in ("seconds", "cpu_seconds"))
    table.add_row("this is", *(f"{ratio:.2f}× faster" for ratio in ratios), "", "")
    floor = _floor(study, runs["this"][0], config)["seconds"]
    table.add_row("floor", f"{floor:.2f}", "", "", "")
    answers = list(zip(runs["other"][0]["answers"], runs["this"][0]["answers"], strict=True))
    equal = sum(one[0] == two[0] for one, two in answers)
    differences = [abs(a - b) for one, two in answers for a, b in zip(one[2], two[2], strict=True)]
    table.caption = (
        f"{equal} of {len(answers)} texts equal; log-likelihoods differ by at most {max(differences):.1e} nats"
    )
    return table


def _median(runs: Sequence[Measured], key: str) -> float:
    return float(median(run[key] for run in runs))


def _table(study: str, rows: dict[str, Measured], floor: dict[str, float]) -> Table:
    ours = rows["ours"]
    columns = ("seconds", "prompts/s", "images encoded", "prompt tokens", "peak memory", "ours is")
    table = Table("", *columns, title=f"{study}: {ours['prompts']} prompts, {ours['images']} images")
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
    seconds, tokens = floor["seconds"], f"{floor['prompt_tokens']:,}"
    table.add_row("floor", f"{seconds:.1f}", "", f"{ours['images']:,}", tokens, "", f"{seconds / ours['seconds']:.2f}×")
    factor = ours["seconds"] / seconds
    table.caption = (
        f"ours takes {factor:.2f} times the floor, which includes {floor['answer_tokens']:,} tokens of answers: "
        f"{floor['operations'] / 1e9:,.0f} GFLOP at {floor['speed'] / 1e9:.0f} GFLOP/s"
    )
    return table


def evaluator_program(name: str = "python -m lcl_lab.benchmarks.evaluator") -> Program[EvaluatorBenchmarkConfig]:
    """The command that runs this benchmark."""
    return Program(name, EvaluatorBenchmarkConfig, run_benchmark, __doc__)


if __name__ == "__main__":
    evaluator_program().main()
