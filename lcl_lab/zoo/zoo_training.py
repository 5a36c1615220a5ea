"""Trains the shipped models, checks them against their release criteria, and ships those that meet them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from lcl_lab import analysis, models, strategies, training
from lcl_lab.atomic import write_json
from lcl_lab.models.checkpoint import CARD, shipped_folder
from lcl_lab.models.checkpoint_files import read_object
from lcl_lab.zoo.claims import ZooClaim, paper_claims, read_claims, write_claims
from lcl_lab.zoo.markdown_table import accuracies, check_marks, model_table, write_between
from lcl_lab.zoo.release_criteria import ZOO, CriterionResult, check_criteria
from lcl_lab.zoo.zoo_config import ZooSeedsConfig, ZooTableConfig, ZooTrainConfig
from lcl_lab.zoo.zoo_evaluation import ZooEvaluation, evaluate_zoo

if TYPE_CHECKING:
    from lcl_lab.analysis import Seeds

__all__ = ["SeedsReport", "ZooReport", "train_seeds", "train_zoo", "variation_over_seeds", "write_model_table"]

_CLAIMS = "claims.json"
_TINY = ZooEvaluation(shots=(0, 2, 16), queries=4, questions=16)


@dataclass(frozen=True)
class ZooReport:
    """What came out of training the shipped models.

    Attributes:
        estimates: accuracies of every model and condition.
        claims: the paper's claims about strategies, assessed.
        criteria: every target and requirement.
        cards: the card of each model.
        seconds: wall time of the whole call.
    """

    estimates: pd.DataFrame
    claims: Sequence[ZooClaim]
    criteria: Sequence[CriterionResult]
    cards: Mapping[str, Mapping[str, Any]]
    seconds: float

    @property
    def refused(self) -> dict[str, CriterionResult]:
        """Models that miss a requirement, and which."""
        return {result.model: result for result in self.criteria if result.required and not result.met}


def train_zoo(config: ZooTrainConfig) -> ZooReport:
    """Train all shipped models from scratch, evaluate them, and, if asked to, ship them if all meet their criteria.

    A training that is finished is not repeated, and one that was killed resumes.

    Raises:
        UserError: a model cannot be trained.
    """
    started = time.perf_counter()
    for name in ZOO:
        start = None if name == "prototype" else config.out / strategies.find_strategy(name).start
        _train(name, config.out / name, start, config)
    records, questions, estimates = _evaluate([config.out / name for name in ZOO], config)
    for name in ZOO:
        _write_card(config.out / name, estimates[estimates["model"] == name])
    claims = paper_claims(records, 0, config.floor_margin)
    write_claims(config.out / _CLAIMS, claims)
    cards = {name: read_object(config.out / name / CARD, "out", config.out) for name in ZOO}
    criteria = check_criteria(records, questions, ZOO, config.margin)
    report = ZooReport(estimates, claims, criteria, cards, time.perf_counter() - started)
    if config.ship and not report.refused:
        _ship(config.out)
    return report


@dataclass(frozen=True)
class SeedsReport:
    """What came out of training one strategy with several seeds.

    Attributes:
        estimates: accuracies of every model and condition.
        over_seeds: mean and standard deviations over the models, by (data, shots, false_ratio, metric) of the episodes;
            empty with a single seed.
    """

    estimates: pd.DataFrame
    over_seeds: Mapping[tuple[Any, ...], Seeds]


def train_seeds(config: ZooSeedsConfig) -> SeedsReport:
    """Train `2-way` from the shipped base model with several seeds."""
    folders = [config.out / f"2-way-seed-{seed}" for seed in range(config.count)]
    for seed, folder in enumerate(folders):
        _train("2-way", folder, None, config, seed)
    records, _, estimates = _evaluate(folders, config)
    return SeedsReport(estimates, variation_over_seeds(records) if config.count > 1 else {})


def variation_over_seeds(records: pd.DataFrame) -> dict[tuple[Any, ...], Seeds]:
    """Mean and standard deviations over models that differ in their seed, by (data, shots, false_ratio, metric).

    Args:
        records: records of episodes of two models or more, as `evaluate_zoo` returns them.
    """
    found = {}
    for (data, shots, ratio), cell in records.groupby(["data", "shots", "false_ratio"]):
        for metric in analysis.MAIN_METRICS:
            correct = cell.assign(correct=cell[analysis.METRICS[metric]].astype(float))
            accuracies = correct.pivot_table(index="model", columns="pair", values="correct")
            found[data, shots, ratio, metric] = analysis.seeds(accuracies.to_numpy())
    return found


def write_model_table(config: ZooTableConfig) -> Path:
    """Write what the cards of the shipped models say, and the paper's claims, into a page of the documentation.

    Raises:
        UserError: the page has no place for it.
    """
    check_marks(config.page)
    cards = {
        path.parent.name: read_object(path, "model", path.parent.name) for path in shipped_folder().glob(f"*/{CARD}")
    }
    names = [name for name in ZOO if name in cards]
    rows = [{"model": name, **row} for name in names for row in cards[name]["accuracy"]]
    sentences = "\n".join(f"- {claim.text}." for claim in read_claims(shipped_folder() / _CLAIMS))
    write_between(config.page, f"{model_table(pd.DataFrame(rows), names)}\n\n{sentences}")
    return config.page


def _train(name: str, out: Path, start: Path | None, config: ZooTrainConfig | ZooSeedsConfig, seed: int = 0) -> None:
    if (out / CARD).exists():
        return
    options: dict[str, Any] = {"strategy": "vision" if name == "prototype" else name, "out": out, "seed": seed}
    if start is not None:
        options |= {"start": str(start), "clip": str(start.parent / "prototype")}
    training.train_model(preset=config.preset, threads=config.threads, **options)


def _evaluate(
    folders: Sequence[Path], config: ZooTrainConfig | ZooSeedsConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    torch.set_num_threads(config.threads or os.cpu_count() or 1)
    plan = _TINY if config.preset == "tiny" else ZooEvaluation()
    checkpoints = [replace(models.find_checkpoint(str(folder)), name=folder.name) for folder in folders]
    records, questions = evaluate_zoo(checkpoints, plan)
    return records, questions, accuracies(records, questions, plan.seed)


def _write_card(folder: Path, estimates: pd.DataFrame) -> None:
    """Add the accuracies to the card of a model."""
    card = read_object(folder / CARD, "out", folder)
    columns = ["data", "shots", "false_ratio", "metric", "n", "estimate", "low", "high"]
    card["accuracy"] = estimates[columns].round(4).to_dict(orient="records")
    write_json(folder / CARD, card)


def _ship(out: Path) -> None:
    """Replace the shipped models, all of them: strategies are compared with the base model that they started from."""
    for name in ZOO:
        target = shipped_folder() / name
        copy = target.with_name(f".{name}.{os.getpid()}")
        shutil.copytree(out / name, copy, ignore=shutil.ignore_patterns("training.*"))
        shutil.rmtree(target, ignore_errors=True)
        os.replace(copy, target)
    shutil.copy(out / _CLAIMS, shipped_folder() / _CLAIMS)
