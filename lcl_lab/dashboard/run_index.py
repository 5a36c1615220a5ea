"""The runs in the results folder, and groups of runs that are shown together.

Runs of one study with the same design (data, shots, …) that differ in models or seeds form a group. For each model and
seed the newest finished run counts, and one that has not finished only where there is no other.
"""

from __future__ import annotations

import glob
import json
import os
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import streamlit as st

from lcl_lab import reporting, store
from lcl_lab.dashboard.dashboard_config import DashboardConfig

__all__ = [
    "RunGroup",
    "RunIndex",
    "Source",
    "SourceState",
    "content_state",
    "has_changed",
    "read_folder",
    "read_index",
    "shipped_results",
]

_NOT_DESIGN = ("models", "seed", "dtype", "content")
_PARTS = ("config.json", "records", "records.parquet", "manifest.json", "events.jsonl")
_NOTE_LETTERS = 60  # of a note in a control
_PACKAGE = Path(__file__).parents[1]

SourceState = tuple[str, str, int, int]
"""Identifies the content of a source: run, model, seed, and time of the last change."""


@dataclass(frozen=True)
class Source:
    """The answers of one model under one seed in one run."""

    model: str
    seed: int
    run: store.RunInfo

    @property
    def state(self) -> SourceState:
        """A key for caches; it changes whenever the run grows."""
        return self.run.run, self.model, self.seed, content_state(self.run.path)


@dataclass(frozen=True)
class RunGroup:
    """Runs of one study and design.

    Attributes:
        study: the name of the study.
        design: what the runs have in common, as text: data, shots, …
        all_sources: every model and seed of every run, the newest run first.
    """

    study: str
    design: Mapping[str, str]
    all_sources: tuple[Source, ...]

    @cached_property
    def sources(self) -> list[Source]:
        """The newest source of each model and seed, of a finished run if there is one; finished ones come first."""
        newest: dict[tuple[str, int], Source] = {}
        for source in self.all_sources:
            key = source.model, source.seed
            if key not in newest or (source.run.finished and not newest[key].run.finished):
                newest[key] = source
        return sorted(newest.values(), key=lambda source: not source.run.finished)

    @property
    def models(self) -> list[str]:
        """The names of the models, each once."""
        return list(dict.fromkeys(source.model for source in self.sources))

    @property
    def seeds(self) -> list[int]:
        """The seeds, that of the newest finished run first."""
        return list(dict.fromkeys(source.seed for source in self.sources))

    def select(self, models: Sequence[str], seeds: Sequence[int]) -> list[Source]:
        """Those of `sources` that have the given models and seeds."""
        return [source for source in self.sources if source.model in models and source.seed in seeds]

    def finished(self, models: Sequence[str]) -> list[Source]:
        """The given models' answers in finished runs to the queries of one seed, the newest."""
        sources = [source for source in self.select(models, self.seeds) if source.run.finished]
        return [source for source in sources if source.seed == sources[0].seed]


@dataclass(frozen=True)
class RunIndex:
    """A results folder at one moment.

    Attributes:
        folder: the results folder.
        shipped: whether it is the one that comes with LCL Lab.
        runs: the readable runs, newest first.
        broken: run directories that cannot be read.
        data: datasets whose images may be shown in addition to the embedded ones.
        requested: the folder that the dashboard was started with, which shipped results may stand in for.
        state: what that folder contained; see `has_changed`.
    """

    folder: Path
    shipped: bool
    runs: tuple[store.RunInfo, ...]
    broken: tuple[store.BrokenRun, ...]
    data: tuple[str, ...] = ()
    requested: Path = Path("results")
    state: tuple[tuple[bytes, int], ...] = ()

    def command(self, program: Sequence[str]) -> str:
        """The command line of a program that writes runs to the folder that is shown, once it has any."""
        return shlex.join([*program, "--results", str(self.requested)])

    @cached_property
    def groups(self) -> list[RunGroup]:
        """All groups, the one with the newest run first."""
        sources: dict[tuple[str, str], list[Source]] = {}
        for run in self.runs:
            if not isinstance(run.config.get("models"), list):
                continue  # a report over several runs, which has no models
            design = {key: value for key, value in run.config.items() if key not in _NOT_DESIGN}
            seed = int(run.config.get("seed", 0))
            members = sources.setdefault((run.study, json.dumps(design, sort_keys=True)), [])
            members += [Source(str(model["name"]), seed, run) for model in run.config["models"]]
        return [
            RunGroup(study, {key: _as_text(value) for key, value in json.loads(design).items()}, tuple(members))
            for (study, design), members in sources.items()
        ]

    def groups_of(self, study: str) -> list[RunGroup]:
        """The groups of one study, the one with the newest finished run first."""
        groups = [group for group in self.groups if group.study == study]
        return sorted(groups, key=lambda group: not any(source.run.finished for source in group.all_sources))

    @cached_property
    def notes(self) -> Mapping[str, store.RunNotes]:
        """What the user wrote about each run, by its name."""
        return {run.run: store.read_notes(run.path) for run in self.runs}

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Each run as it is offered in controls, by its name: with its tags and the beginning of its note."""
        return {
            name: " · ".join(filter(None, [name, *notes.tags, textwrap.shorten(notes.note, _NOTE_LETTERS)]))
            for name, notes in self.notes.items()
        }

    @property
    def studies(self) -> list[str]:
        """The studies that have runs, the one with the newest first."""
        return list(dict.fromkeys(group.study for group in self.groups))


def read_index(config: DashboardConfig) -> RunIndex:
    """The runs of the configured folder as they are now; the shipped ones while that folder is empty."""
    results = config.results.absolute()
    state = _state(results)
    index = _read(os.fsencode(results), state)
    if not (index.runs or index.broken or (results / "sweeps").is_dir()):
        shipped = shipped_results()
        index = replace(_read(os.fsencode(shipped), _state(shipped)), shipped=True)
    return replace(index, data=config.data, requested=results, state=state)


def has_changed(index: RunIndex) -> bool:
    """Whether the configured folder has other runs or other records by now."""
    return _state(index.requested) != index.state


def read_folder(index: RunIndex, name: str) -> RunIndex:
    """The runs in a folder of the configured folder that is a results folder itself, such as the archive."""
    folder = index.requested / name
    listed = _read(os.fsencode(folder), _state(folder))
    return replace(index, folder=folder, shipped=False, runs=listed.runs, broken=listed.broken)


def shipped_results() -> Path:
    """The folder of the results that come with LCL Lab: in the installed package, or in the checkout next to it."""
    installed = _PACKAGE / "dashboard" / "shipped"
    return installed if installed.is_dir() else _PACKAGE.parent / "dashboards" / "shipped"


def _state(results: Path) -> tuple[tuple[bytes, int], ...]:
    """Changes whenever a run is started, gets a shard, is finished, or is damaged.

    Paths are bytes, since Streamlit cannot hash a text with bytes that are not UTF-8.
    """
    names = glob.glob("*/*-*", root_dir=results, include_hidden=True)  # `Path.glob` fails if a folder vanishes
    runs = [results / name for name in names]
    return tuple(sorted((os.fsencode(run), change) for run in runs for change in _changes(run)))


def content_state(run: Path) -> int:
    """Changes whenever the files of a run directory do that readers use."""
    return max(_changes(run), default=0)


def _changes(run: Path) -> Iterator[int]:
    """When the files and folders of a run that readers use were last changed."""
    for part in (run, *(run / name for name in _PARTS)):
        with suppress(OSError):
            yield part.stat().st_ctime_ns


@st.cache_resource(max_entries=4, show_spinner="Reading the list of runs …")
def _read(results: bytes, state: tuple[tuple[bytes, int], ...]) -> RunIndex:
    folder = Path(os.fsdecode(results))
    root = os.path.realpath(folder)
    readable, broken = store.all_runs(folder)
    return RunIndex(
        folder,
        shipped=False,
        runs=tuple(run for run in readable if _is_inside(run.path, root)),
        broken=tuple(run for run in broken if _is_inside(run.path, root)),
    )


def _is_inside(run: Path, root: str) -> bool:
    """Whether a run directory and its files are in the results folder once links are followed."""
    patterns = ["*.*"] if (run / "records.parquet").exists() else ["*.*", "records/*"]
    names = [name for pattern in patterns for name in glob.glob(pattern, root_dir=run, include_hidden=True)]
    files = [run, *(run / name for name in names)]
    return all(os.path.realpath(file).startswith(root + os.sep) for file in files)


def _as_text(value: Any) -> str:
    """A value of a configuration as it is shown in controls."""
    if isinstance(value, dict):
        return str(value.get("name", ", ".join(f"{key} {_as_text(inner)}" for key, inner in value.items())))
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    return reporting.format_value(value)
