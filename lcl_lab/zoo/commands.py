"""The commands of `python -m lcl_lab.zoo`: train, seeds, table."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint
from lcl_lab.models.checkpoint import CARD, shipped_folder
from lcl_lab.strategies import find_strategy
from lcl_lab.zoo.evaluate import Exam, measure
from lcl_lab.zoo.paper_claims import findings
from lcl_lab.zoo.release_criteria import ZOO, Verdict, judge
from lcl_lab.zoo.table import accuracies, check_marks, model_table, write_between

__all__ = ["seeds", "table", "train"]

_FINDINGS = "findings.json"
_TINY = Exam(shots=(0, 2, 16), queries=4, questions=16)


def train(options: argparse.Namespace) -> None:
    """The whole zoo from nothing, judged; each model shipped where it may be."""
    started = time.perf_counter()
    for name in ZOO:
        start = "" if name == "prototype" else str(options.out / find_strategy(name).start)
        _train(name, options.out / name, start, options)
    episodes, questions, estimates = _measure([options.out / name for name in ZOO], options)
    verdicts = judge(episodes, questions, ZOO)
    for name in ZOO:
        _write_card(options.out / name, estimates[estimates["model"] == name])
    found = findings(episodes, 0)
    (options.out / _FINDINGS).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    console = Console()
    console.print(model_table(estimates, ZOO), *found, sep="\n", soft_wrap=True, markup=False)
    _print_verdicts(console, verdicts)
    _print_seconds(console, options.out, time.perf_counter() - started)
    if options.ship:
        _ship(options.out, {verdict.model: verdict for verdict in verdicts if verdict.bar and not verdict.holds})


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
    """What the cards of the shipped models say, and what was found when they were measured, into the README."""
    check_marks(options.readme)
    cards = {folder.parent.name: json.loads(folder.read_text("utf-8")) for folder in shipped_folder().glob(f"*/{CARD}")}
    names = [name for name in ZOO if name in cards]
    rows = [{"model": name, **row} for name in names for row in cards[name]["accuracy"]]
    found = json.loads((shipped_folder() / _FINDINGS).read_text(encoding="utf-8"))
    sentences = "\n".join(f"- {sentence}." for sentence in found)
    write_between(options.readme, f"{model_table(pd.DataFrame(rows), names)}\n\n{sentences}")
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
    shown = Table("model", "", "limit", "measured", "holds")
    for verdict in verdicts:
        kind = "bar" if verdict.bar else "target"
        shown.add_row(verdict.model, kind, verdict.limit, verdict.measured, "yes" if verdict.holds else "NO")
    console.print(shown)


def _print_seconds(console: Console, out: Path, seconds: float) -> None:
    shown = Table("model", "steps", "minutes")
    for name in ZOO:
        card = json.loads((out / name / CARD).read_text(encoding="utf-8"))
        shown.add_row(name, str(card["steps"]), f"{card['seconds'] / 60:.1f}")
    console.print(shown)
    console.print(f"this command: {seconds / 60:.1f} minutes")


def _ship(out: Path, refused: Mapping[str, Verdict]) -> None:
    """Replace the package's models by those that reach their bars.

    Raises:
        UserError: one does not; the others are shipped.
    """
    for name in ZOO:
        target = shipped_folder() / name
        if name not in refused:
            part = target.with_name(f".{name}.{os.getpid()}")
            shutil.copytree(out / name, part, ignore=shutil.ignore_patterns("training.*"))
            shutil.rmtree(target, ignore_errors=True)
            os.replace(part, target)
    shutil.copy(out / _FINDINGS, shipped_folder() / _FINDINGS)
    print(shipped_folder())
    for verdict in refused.values():
        raise UserError(f"not shipped: {verdict.model} misses its bar: {verdict.limit}: {verdict.measured}")
