"""Runs one trial on its worker: the training, if any, then each study. Both resume where they were killed.

A trial stores nothing itself except a mark that it has finished: trainings write checkpoints and studies commit cell by
cell, so a retry on any worker loses no finished work and repeats none.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lcl_lab import evaluation, models, store, training
from lcl_lab.atomic import parse_json, read_json
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import CARD
from lcl_lab.sweeps.memory_use import PeakMemory
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.stored_search import update_mark
from lcl_lab.sweeps.sweep_paths import SweepPaths
from lcl_lab.sweeps.trial import TRAINING, TrainingTrial, Trial
from lcl_lab.training.identity import is_trained_as
from lcl_lab.training.plan import check_training
from lcl_lab.training.train_config import TrainConfig

__all__ = ["Report", "fetch_trial", "run_stored_trial", "run_trial"]

_REPORT_EVERY = 2.0  # seconds between two reports of a study
Report = Callable[[dict[str, Any]], None]


def run_trial(trial: Trial, paths: SweepPaths, report: Report) -> None:
    """Train, evaluate, and mark the trial as finished; nothing if it already is.

    Args:
        trial: the trial.
        paths: where its model, runs and mark are written.
        report: receives ``{"doing": "training", "step": …, …}`` for every line of the training's log,
            ``{"doing": STUDY}`` when a study starts, and with ``answered`` and ``prompts`` while it runs; at the end of
            a trial of a search, with the ``value`` of the metric.

    Raises:
        UserError: the training or a study is not possible, or another process runs the trial.
    """
    with paths.lock(trial.name):
        if not paths.is_finished(trial.name, trial.options):
            _run(trial, paths, report)
        update_mark(trial, paths)
    if trial.metric:
        report({"doing": trial.stages[-1], "value": paths.read_mark(trial.name).get("value")})


def run_stored_trial(trial: Trial, storage: Storage, report: Report) -> None:
    """`run_trial` in a folder that is copied to a storage; raises UserError also when the storage fails."""
    with storage.folder(trial.name) as folder:
        run_trial(trial, SweepPaths(folder / "sweep", folder / "results"), report)


def fetch_trial(trial: Trial, storage: Storage, paths: SweepPaths) -> None:
    """Copy the runs and the mark of a trial that has finished from the storage; its model stays there.

    Raises:
        UserError: the storage fails, or the files cannot be written here.
    """
    if storage.has(trial.name, f"sweep/trials/{trial.name}.json"):
        storage.fetch(trial.name, "results", paths.results)
        storage.fetch(trial.name, "sweep/trials", paths.marks)


def _run(trial: Trial, paths: SweepPaths, report: Report) -> None:
    started, peak = time.perf_counter(), PeakMemory()
    facts = _train(trial, paths.model(trial.name), report) if isinstance(trial, TrainingTrial) else {}
    runs, value = [], facts.get("accuracy")
    with evaluation.keep_loaded(trial.recorded_as, models.PROTOTYPE):
        for number, (study, options) in enumerate(trial.evaluations_of(paths.model(trial.name), paths.results)):
            report({"doing": study.name})
            result = study.run(options, report=_ReportedPrompts(study.name, report))
            runs.append(str(result.path.relative_to(paths.results)))
            if trial.metric and trial.metric.study == number:
                value = trial.metric.of_estimates(result.estimates, trial.recorded_as)
            device = _device(result.path)
            facts |= {"device": device} if device else {}
    facts |= {"setting": trial.setting} if trial.setting else {}
    facts |= {"metric": trial.metric.name, "value": value} if trial.metric else {}
    seconds = round(time.perf_counter() - started, 1)
    paths.finish(trial.name, options=trial.options, seconds=seconds, runs=runs, **facts, **peak.read())


def _train(trial: TrainingTrial, folder: Path, report: Report) -> dict[str, Any]:
    """Train the model unless it is there; returns the steps and the last held-out accuracy."""
    config = trial.training_in(folder)
    if not _is_trained(config):
        # Both are imported here, which takes seconds, so that the first report says that work has begun.
        train, _ = training.train_model, training.train_strategy
        report({"doing": TRAINING})
        train(config, report=lambda line: report({"doing": TRAINING, **line}))
    log = folder / training.METRICS_FILE
    lines = map(parse_json, log.read_text(encoding="utf-8").splitlines() if log.is_file() else [])
    accuracies = [line["accuracy"] for line in lines if "accuracy" in line]
    steps = (read_json(folder / CARD) or {}).get("steps")
    return {"steps": steps, "accuracy": accuracies[-1] if accuracies else None}


class _ReportedPrompts:
    """Reports how many prompts of a study have been answered, every few seconds: the driver stores every report.

    Args:
        study: the name of the study.
        report: of `run_trial`.
    """

    def __init__(self, study: str, report: Report) -> None:
        self._study, self._report, self._last = study, report, time.perf_counter()

    def __call__(self, answered: int, prompts: int) -> None:
        if time.perf_counter() - self._last > _REPORT_EVERY:
            self._last = time.perf_counter()
            self._report({"doing": self._study, "answered": answered, "prompts": prompts})


def _device(run: Path) -> str | None:
    """The device that answered in a finished run; None where nothing was left to answer when it was resumed."""
    provenance = store.read_info(run).provenance
    return provenance.device if provenance and provenance.device != "none" else None


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
