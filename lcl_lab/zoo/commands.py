"""The commands of `python -m lcl_lab.zoo`: train, seeds, table."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint
from lcl_lab.models.registry import CARD, shipped_folder
from lcl_lab.strategies import find_strategy
from lcl_lab.zoo.bars import ZOO, Verdict, judge
from lcl_lab.zoo.findings import findings
from lcl_lab.zoo.measure import Exam, measure
from lcl_lab.zoo.table import accuracies, check_marks, model_table, write_between

__all__ = ["seeds", "table", "train"]

_TINY = Exam(shots=(0, 2, 16), queries=4, questions=16)


def train(options: argparse.Namespace) -> None:
    """The whole zoo from nothing, judged; shipped where it may be."""
    started = time.perf_counter()
    for name in ZOO:
        start = "" if name == "prototype" else str(options.out / find_strategy(name).start)
        _train(name, options.out / name, start, options)
    episodes, questions, estimates = _measure([options.out / name for name in ZOO], options)
    verdicts = judge(episodes, questions, ZOO)
    for name in ZOO:
        _write_card(options.out / name, estimates[estimates["model"] == name])
    console = Console()
    console.print(model_table(estimates, ZOO), soft_wrap=True, markup=False)
    for sentence in findings(episodes, 0):
        console.print(sentence, soft_wrap=True, markup=False)
    _print_verdicts(console, verdicts)
    _print_seconds(console, options.out, time.perf_counter() - started)
    missed = [verdict for verdict in verdicts if not verdict.holds]
    if options.ship and missed:
        raise UserError(f"not shipped: {missed[0].model} misses its bar: {missed[0].bar}: {missed[0].measured}")
    if options.ship:
        _ship(options.out)


def seeds(options: argparse.Namespace) -> None:
    """`2-way` from the shipped base model with several seeds; accuracy of each, mean and standard deviation."""
    folders = [options.out / f"2-way-seed-{seed}" for seed in range(options.count)]
    for seed, folder in enumerate(folders):
        _train("2-way", folder, "", options, "--seed", str(seed))
    _, _, estimates = _measure(folders, options)
    names = [folder.name for folder in folders]
    console = Console()
    console.print(model_table(estimates, names), soft_wrap=True, markup=False)
    spread = Table("data", "shots", "all labels false", "metric", "mean over seeds", "standard deviation")
    keys = ["data", "shots", "false_ratio", "metric"]
    for (data, shots, ratio, metric), rows in estimates.groupby(keys):
        values = rows["estimate"]
        deviation = f"{values.std(ddof=1):.3f}" if len(values) > 1 else ""
        spread.add_row(str(data), str(shots), "yes" if ratio else "", str(metric), f"{values.mean():.3f}", deviation)
    console.print(spread)


def table(options: argparse.Namespace) -> None:
    """Measure what is shipped, and put its table into the README."""
    check_marks(options.readme)
    episodes, _, estimates = _measure([shipped_folder() / name for name in ZOO], options)
    found = "\n".join(f"- {sentence}." for sentence in findings(episodes, 0))
    write_between(options.readme, f"{model_table(estimates, ZOO)}\n\n{found}")
    print(options.readme)


def _train(name: str, out: Path, start: str, options: argparse.Namespace, *more: str) -> None:
    """Run the training command, unless it has finished before."""
    if (out / CARD).exists():
        return
    strategy = "vision" if name == "prototype" else name
    words = ["--strategy", strategy, "--out", str(out), "--threads", str(options.threads), "--preset", options.preset]
    if start:
        words += ["--start", start, "--clip", str(Path(start).parent / "prototype")]
    done = subprocess.run([sys.executable, "-m", "lcl_lab.train", *words, *more], stdout=subprocess.DEVNULL)
    if done.returncode:
        raise UserError(f"training {name} failed with exit code {done.returncode}; the same command goes on from there")


def _measure(folders: Sequence[Path], options: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    torch.set_num_threads(options.threads)
    exam = _TINY if options.preset == "tiny" else Exam()
    found = [replace(find_checkpoint(str(folder)), name=folder.name) for folder in folders]
    episodes, questions = measure(found, exam)
    return episodes, questions, accuracies(episodes, questions, exam.seed)


def _write_card(folder: Path, estimates: pd.DataFrame) -> None:
    """What a model does goes onto its card, beside what made it."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    columns = ["data", "shots", "false_ratio", "metric", "n", "estimate", "low", "high"]
    card["accuracy"] = estimates[columns].round(4).to_dict(orient="records")
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _print_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    shown = Table("model", "bar", "measured", "holds")
    for verdict in verdicts:
        shown.add_row(verdict.model, verdict.bar, verdict.measured, "yes" if verdict.holds else "NO")
    console.print(shown)


def _print_seconds(console: Console, out: Path, seconds: float) -> None:
    shown = Table("model", "steps", "minutes")
    for name in ZOO:
        card = json.loads((out / name / CARD).read_text(encoding="utf-8"))
        shown.add_row(name, str(card["steps"]), f"{card['seconds'] / 60:.1f}")
    console.print(shown)
    console.print(f"this command: {seconds / 60:.1f} minutes")


def _ship(out: Path) -> None:
    for name in ZOO:
        target = shipped_folder() / name
        part = target.with_name(f".{name}.{os.getpid()}")
        shutil.copytree(out / name, part, ignore=shutil.ignore_patterns("training.*", "checkpoints"))
        shutil.rmtree(target, ignore_errors=True)
        os.replace(part, target)
    print(shipped_folder())
