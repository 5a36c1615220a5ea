"""Runs one trial on its worker: the training, then each study. Both resume where they were killed.

A trial stores nothing itself except a mark that it has finished: trainings write checkpoints and studies commit cell by
cell, so a retry on any worker loses no finished work and repeats none.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Any

from lcl_lab import models, training
from lcl_lab.atomic import read_json
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import CARD
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.sweep_paths import SweepPaths
from lcl_lab.sweeps.trial import Trial
from lcl_lab.training.identity import is_trained_as
from lcl_lab.training.plan import check_training
from lcl_lab.training.train_config import TrainConfig

__all__ = ["TRAINING", "Report", "fetch_trial", "run_stored_trial", "run_trial"]

TRAINING = "training"
"""What a trial does before its studies, in the `doing` of reports and events."""
Report = Callable[[dict[str, Any]], None]


def run_trial(trial: Trial, paths: SweepPaths, report: Report) -> None:
    """Train, evaluate, and mark the trial as finished; nothing if it already is.

    Args:
        trial: the trial.
        paths: where its model, runs and mark are written.
        report: receives ``{"doing": "training", "step": …, …}`` for every line of the training's log, and
            ``{"doing": STUDY}`` when a study starts.

    Raises:
        UserError: the training or a study is not possible, or another process runs the trial.
    """
    with paths.lock(trial.name):
        if not paths.is_finished(trial.name, trial.options):
            _run(trial, paths, report)


def run_stored_trial(trial: Trial, storage: Storage, report: Report) -> None:
    """`run_trial` in a folder that is copied to a storage; raises OSError when the storage fails."""
    with storage.folder(trial.name) as folder:
        run_trial(trial, SweepPaths(folder / "sweep", folder / "results"), report)


def fetch_trial(trial: Trial, storage: Storage, paths: SweepPaths) -> None:
    """Copy the runs and the mark of a trial that has finished from the storage; its model stays there."""
    if storage.has(trial.name, f"sweep/trials/{trial.name}.json"):
        storage.fetch(trial.name, "results", paths.results)
        storage.fetch(trial.name, "sweep/trials", paths.marks)


def _run(trial: Trial, paths: SweepPaths, report: Report) -> None:
    started = time.perf_counter()
    model = paths.model(trial.name)
    config = trial.training_in(model)
    if not _is_trained(config):
        # Both are imported here, which takes seconds, so that the first report says that work has begun.
        train, _ = training.train_model, training.train_strategy
        report({"doing": TRAINING})
        train(config, report=lambda line: report({"doing": TRAINING, **line}))
    runs = []
    for study, options in trial.evaluations_of(model, paths.results):
        report({"doing": study.name})
        runs.append(str(study.run(options).path.relative_to(paths.results)))
    paths.finish(trial.name, options=trial.options, seconds=round(time.perf_counter() - started, 1), runs=runs)


def _is_trained(config: TrainConfig) -> bool:
    """Whether the folder contains the finished model of this training; a damaged one is removed."""
    card = read_json(config.out / CARD)
    if card is None:
        return False
    try:
        models.find_checkpoint(str(config.out))
    except UserError:
        shutil.rmtree(config.out)
        return False
    return is_trained_as(card, check_training(config))
