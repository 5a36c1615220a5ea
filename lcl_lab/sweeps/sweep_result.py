"""A finished sweep: its trials as a table, and the records of all their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from lcl_lab import store
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.sweep_paths import SweepPaths
from lcl_lab.sweeps.trial import TrainingTrial, Trial

__all__ = ["COLUMNS", "SweepResult"]

COLUMNS = (
    *("trial", "strategy", "data", "seed", "setting", "status", "model", "runs", "steps", "accuracy", "value"),
    *("seconds", "device", "memory", "gpu_memory", "reason"),
)
"""Columns of `SweepResult.trials`."""


@dataclass(frozen=True, repr=False)
class SweepResult:
    """A finished sweep.

    Attributes:
        path: folder of the sweep, with models, marks of finished trials and events.
        results: folder of all runs.
        trials: one row per trial: trial, strategy or data (whichever the sweep has), seed, setting (values of options
            with ranges), status (``finished``, ``stopped early`` or ``failed``), model (its name, or the folder or URL
            of the one that was trained; missing if there is none), runs (list of run directories), steps and last
            held-out accuracy of a training, value of the metric of a search, seconds, device, memory and gpu_memory
            (peaks in bytes), reason (why it was stopped or failed).
        report: the report of the sweep, `report.html` in its folder; None if it could not be written.
    """

    path: Path
    results: Path
    trials: pd.DataFrame
    report: Path | None = None

    @classmethod
    def read(
        cls,
        trials: Sequence[Trial],
        paths: SweepPaths,
        storage: Storage | None = None,
        failed: Mapping[str, str] = MappingProxyType({}),
    ) -> SweepResult:
        """Read the marks of trials that have finished.

        Args:
            trials: the trials of the sweep.
            paths: where its files are.
            storage: where models are if nodes share no folder.
            failed: why trials failed, by name.
        """
        rows = [_row(trial, paths, storage, failed.get(trial.name)) for trial in trials]
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


def _row(trial: Trial, paths: SweepPaths, storage: Storage | None, failed: str | None) -> dict[str, Any]:
    mark = paths.read_mark(trial.name) if failed is None else {}
    stopped = mark.get("stopped")
    row = {**trial.varied, "trial": trial.name, "seed": trial.seed, "status": "finished", "reason": ""}
    row["setting"] = dict(trial.setting)
    for name in ("steps", "accuracy", "seconds", "device", "memory", "gpu_memory"):
        row[name] = mark.get(name)
    row["value"] = mark.get("value") if trial.metric and mark.get("metric") == trial.metric.name else None
    row["runs"] = mark.get("runs", [])
    if isinstance(trial, TrainingTrial):
        row["strategy"] = trial.strategy
        row["model"] = storage.model(trial.name) if storage else str(paths.model(trial.name))
    if stopped is not None:
        reason = f"held-out accuracy {stopped['accuracy']} at step {stopped['step']}"
        row |= {"status": "stopped early", "model": None, "reason": reason}
        row |= {"steps": stopped["step"], "accuracy": stopped["accuracy"]}
    if failed is not None:
        row |= {"status": "failed", "reason": failed}
        row["model"] = None if isinstance(trial, TrainingTrial) else row["model"]
    return row
