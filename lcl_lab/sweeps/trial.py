"""One trial where it runs: the training, then each study. Both go on from where they were killed.

A trial keeps nothing of its own but a mark that it is finished: trainings leave checkpoints, studies commit cell by
cell, so a trial that is tried again, on whatever worker, loses nothing and does nothing twice.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lcl_lab import training
from lcl_lab.errors import UserError
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.sweep_config import Trial

__all__ = ["TRAINING", "Place", "Tell", "fetch_trial", "run_stored_trial", "run_trial"]

TRAINING = "training"  # what a trial does before its studies
_LINGERS = 120  # seconds; a client of a cluster that was killed has its workers for half a minute more
Tell = Callable[[dict[str, Any]], None]


class Place:
    """Where a sweep lies: models, marks of finished trials, and the folder of all runs."""

    def __init__(self, folder: Path, results: Path) -> None:
        self.folder, self.results = folder.absolute(), results.absolute()

    def model(self, trial: Trial) -> Path:
        return self.folder / "models" / trial.name

    def mark(self, trial: Trial) -> Path:
        return self.folder / "trials" / f"{trial.name}.json"

    def lock(self, trial: Trial) -> FileLock:
        """Held while a worker has the trial. One of a driver that was killed may have it a moment longer."""
        (self.folder / "trials").mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "trials" / f".{trial.name}.lock", timeout=_LINGERS)

    def finished(self, trial: Trial) -> bool:
        """Whether nothing is left to do; a trial that was stopped early is finished too."""
        return self.mark(trial).exists()

    def finish(self, trial: Trial, **told: Any) -> None:
        """Mark a trial as finished, whole or not at all."""
        mark = self.mark(trial)
        mark.parent.mkdir(parents=True, exist_ok=True)
        part = mark.with_name(f".{mark.name}.{os.getpid()}")
        part.write_text(json.dumps({"trial": trial.name, **told}, indent=1) + "\n", encoding="utf-8")
        os.replace(part, mark)


def run_trial(trial: Trial, place: Place, tell: Tell) -> None:
    """Train, evaluate, and mark the trial as finished, if it is not; `tell` gets what is to be seen meanwhile.

    Raises:
        UserError: the training or a study cannot be, or another process has the trial.
    """
    try:
        with place.lock(trial):
            if not place.finished(trial):
                _run(trial, place, tell)
    except Timeout:
        raise UserError(f"{trial.name}: another process has this trial; wait for it, or stop it") from None


def run_stored_trial(trial: Trial, storage: Storage, tell: Tell) -> None:
    """`run_trial` in a folder that the storage keeps. Raises as it does, and OSError where the storage fails."""
    with storage.folder(trial.name) as folder:
        run_trial(trial, Place(folder / "sweep", folder / "results"), tell)


def fetch_trial(trial: Trial, storage: Storage, place: Place) -> None:
    """Copy the runs and the mark of a trial from the storage to here, if it is finished there; its model stays."""
    mark = f"sweep/trials/{trial.name}.json"
    if storage.has(trial.name, mark):
        storage.fetch(trial.name, "results", place.results)
        storage.fetch(trial.name, "sweep/trials", place.mark(trial).parent)


def _run(trial: Trial, place: Place, tell: Tell) -> None:
    from lcl_lab.studies.all import studies

    started = time.perf_counter()
    model = place.model(trial)
    if not _is_trained(model):
        tell({"doing": TRAINING})
        training.train_model(trial.training(model), report=lambda line: tell({"doing": TRAINING, **line}))
    known = {study.name: study for study in studies()}
    runs = []
    for name, given in trial.evaluations(model, place.results):
        tell({"doing": name})
        runs.append(str(known[name].run(given).path.relative_to(place.results)))
    place.finish(trial, seconds=round(time.perf_counter() - started, 1), runs=runs)


def _is_trained(model: Path) -> bool:
    """Whether a finished model is there; what is left of a damaged one goes, to be trained again."""
    from lcl_lab.models import find_checkpoint
    from lcl_lab.models.checkpoint import CARD

    if not (model / CARD).exists():
        return False
    try:
        find_checkpoint(str(model))
    except UserError:
        shutil.rmtree(model)
        return False
    return True
