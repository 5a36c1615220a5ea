"""A finished sweep: its trials as a table, and the records of all their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lcl_lab import store
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.sweep_paths import SweepPaths
from lcl_lab.sweeps.trial import Trial

__all__ = ["COLUMNS", "SweepResult"]

COLUMNS = ("trial", "strategy", "seed", "status", "model", "runs", "seconds", "reason")
"""Columns of `SweepResult.trials`."""


@dataclass(frozen=True, repr=False)
class SweepResult:
    """A finished sweep.

    Attributes:
        path: folder of the sweep, with models, marks of finished trials and events.
        results: folder of all runs.
        trials: one row per trial: trial, strategy, seed, status (``finished`` or ``stopped early``), model (folder or
            URL of the checkpoint; missing if stopped), runs (list of run directories), seconds, reason (why it was
            stopped).
    """

    path: Path
    results: Path
    trials: pd.DataFrame

    @classmethod
    def read(cls, trials: Sequence[Trial], paths: SweepPaths, storage: Storage | None = None) -> SweepResult:
        """Read the marks of trials that have finished.

        Args:
            trials: the trials of the sweep.
            paths: where its files are.
            storage: where models are if nodes share no folder.
        """
        rows = [_row(trial, paths, storage) for trial in trials]
        return cls(paths.folder, paths.results, pd.DataFrame(rows, columns=list(COLUMNS)))

    @cached_property
    def records(self) -> pd.DataFrame:
        """The records of all runs, one row per query, condition and model, with columns `trial` and `run`."""
        frames = [
            store.read_run(self.results / run).assign(trial=trial, run=run)
            for trial, runs in zip(self.trials["trial"], self.trials["runs"], strict=True)
            for run in runs
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["trial", "run"])

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.trials["status"].value_counts().items())
        shown = self.trials[["trial", "status", "seconds", "model"]].to_string(index=False, na_rep="")
        return f"Sweep of {len(self.trials)} trials: {counts}\n{shown}\n{self.path}"


def _row(trial: Trial, paths: SweepPaths, storage: Storage | None) -> dict[str, Any]:
    mark = paths.read_mark(trial.name)
    stopped = mark.get("stopped")
    model = storage.model(trial.name) if storage else str(paths.model(trial.name))
    return {
        "trial": trial.name,
        "strategy": trial.strategy,
        "seed": trial.seed,
        "status": "finished" if stopped is None else "stopped early",
        "model": model if stopped is None else None,
        "runs": mark.get("runs", []),
        "seconds": mark.get("seconds"),
        "reason": "" if stopped is None else f"held-out accuracy {stopped['accuracy']} at step {stopped['step']}",
    }
