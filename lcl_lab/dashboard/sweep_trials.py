"""The finished trials of sweeps, as the marks in their folders have them, and the trainings of one strategy."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from pydantic import BaseModel, Field, ValidationError

from lcl_lab.atomic import read_json
from lcl_lab.errors import UserError

__all__ = ["SweepTrial", "read_all_trials", "read_sweep_trials", "split_name", "sweep_folders", "trainings_by_run"]

_NAME = re.compile(r"(?P<strategy>.+)-seed-[0-9]+(?P<setting>-[0-9a-f]{6})?")
"""The name of a trial: that of its strategy or model, its seed, and a digest of the options that were searched."""


class _Mark(BaseModel):
    """What the worker of a trial wrote when it had finished; other fields are ignored."""

    runs: list[str] = Field(default_factory=list)
    setting: dict[str, Any] = Field(default_factory=dict)
    seconds: float | None = None
    device: str | None = None
    memory: float | None = None
    gpu_memory: float | None = None
    steps: int | None = None
    accuracy: float | None = None
    stopped: dict[str, Any] | None = None


@dataclass(frozen=True)
class SweepTrial:
    """A trial that has finished.

    Attributes:
        name: its name; the model of a training has the same name in records.
        sweep: the name of the sweep.
        strategy: the name of what was trained; empty if nothing was trained.
        combination: the same with the digest of searched options; trials that differ only in their seed share it.
        setting: the values of options that have ranges in the sweep.
        runs: the names of its runs, such as ``"shots/20260101-000000-0a1b2c3d"``, one per study.
        seconds: the time that it took; None if it was stopped early.
        device: where it ran.
        memory: the peak of its memory in bytes.
        gpu_memory: the peak of its GPU memory in bytes.
    """

    name: str
    sweep: str
    strategy: str
    combination: str
    setting: Mapping[str, Any]
    runs: tuple[str, ...]
    seconds: float | None
    device: str | None
    memory: float | None
    gpu_memory: float | None


def sweep_folders(results: Path) -> list[Path]:
    """The folders of the sweeps in a folder of results, the one with the newest event first.

    A folder that is a link to a place outside is left out.
    """
    root = results / "sweeps"
    files = [file for file in root.glob("*/events.jsonl") if file.is_file()]
    files.sort(key=lambda file: file.stat().st_mtime, reverse=True)
    return [file.parent for file in files if file.resolve().is_relative_to(root.resolve())]


def read_sweep_trials(folder: Path) -> list[SweepTrial]:
    """The finished trials of a sweep by name; damaged marks are left out.

    Args:
        folder: the folder of the sweep.
    """
    trials = []
    for file in sorted((folder / "trials").glob("*.json")):
        try:
            mark = _Mark.model_validate(read_json(file))
        except (ValidationError, UserError):
            continue
        trials.append(_trial(file.stem, folder.name, mark))
    return trials


def read_all_trials(results: Path) -> list[SweepTrial]:
    """The finished trials of all sweeps in a folder of results; read again once a trial has finished."""
    folders = sweep_folders(results)
    state = [(os.fsencode(folder), _state(folder)) for folder in folders]
    return _cached_trials(tuple(state), folders)


@st.cache_resource(max_entries=8, show_spinner=False)
def _cached_trials(state: tuple[tuple[bytes, int], ...], _folders: Sequence[Path]) -> list[SweepTrial]:
    return [trial for folder in _folders for trial in read_sweep_trials(folder)]


def _state(folder: Path) -> int:
    """When a trial last finished: marks are replaced, which changes their folder."""
    with suppress(OSError):
        return (folder / "trials").stat().st_mtime_ns
    return 0


def split_name(trial: str) -> tuple[str, str]:
    """The strategy in the name of a training, and its combination, see `SweepTrial`; the name itself if it has none."""
    parts = _NAME.fullmatch(trial)
    return (parts["strategy"], parts["strategy"] + (parts["setting"] or "")) if parts else (trial, trial)


def trainings_by_run(trials: Sequence[SweepTrial]) -> dict[tuple[str, str], SweepTrial]:
    """The trial that trained a model, by the name of a run and of the model in its records."""
    return {(run, trial.name): trial for trial in trials if trial.strategy for run in trial.runs}


def _trial(name: str, sweep: str, mark: _Mark) -> SweepTrial:
    has_trained = mark.steps is not None or mark.accuracy is not None or mark.stopped is not None
    strategy, combination = split_name(name) if has_trained else ("", "")
    numbers = {key: getattr(mark, key) for key in ("seconds", "device", "memory", "gpu_memory")}
    return SweepTrial(name, sweep, strategy, combination, mark.setting, tuple(mark.runs), **numbers)
