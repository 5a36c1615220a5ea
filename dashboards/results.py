"""What the results folder has: runs by study and design, and their records by SQL.

Runs of one design (the same study, data, shots, …) with other models or other seeds are read together, as one run
would be: of each model under each seed the newest run.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from lcl_lab.cli import Parser
from lcl_lab.store import BrokenRun, RunInfo, broken_runs, connect_to, read_events, runs

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

__all__ = ["Design", "Lab", "Source", "State", "connected", "lab", "options_of", "records_of", "study_names"]

SHIPPED = Path(__file__).parent / "shipped"
_NOT_DESIGN = ("models", "seed", "dtype")
State = tuple[tuple[str, str, int, int], ...]
"""The states of several sources: what is kept of them holds as long as it is the same."""
_UNREAD = ("support", "run", "filename", "episode_id", "query_image", "question", "seconds")  # by any study
_APART = 1_000_000  # between the query ids of two seeds


@dataclass(frozen=True)
class Source:
    """The answers of one model under one seed, and the run that has them."""

    model: str
    seed: int
    run: RunInfo

    @property
    def state(self) -> tuple[str, str, int, int]:
        """Another one whenever the run has grown."""
        folders = (self.run.path, self.run.path / "records")
        newest = max((folder.stat().st_mtime_ns for folder in folders if folder.exists()), default=0)
        return self.run.run, self.model, self.seed, newest


@dataclass(frozen=True)
class Design:
    """What runs that can be read together have in common."""

    study: str
    values: Mapping[str, str]  # as text; what models and seeds there are is not of it
    every: tuple[Source, ...]  # the newest run first

    @cached_property
    def sources(self) -> list[Source]:
        """The newest of each model and seed."""
        newest: dict[tuple[str, int], Source] = {}
        for source in self.every:
            newest.setdefault((source.model, source.seed), source)
        return list(newest.values())

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(source.model for source in self.sources))

    @property
    def seeds(self) -> list[int]:
        return list(dict.fromkeys(source.seed for source in self.sources))

    def chosen(self, models: Sequence[str], seeds: Sequence[int]) -> list[Source]:
        return [source for source in self.sources if source.model in models and source.seed in seeds]


@dataclass(frozen=True)
class Lab:
    """A results folder at one moment; `shipped` says that it is the one that comes with the project."""

    folder: Path
    shipped: bool
    runs: tuple[RunInfo, ...]  # newest first
    broken: tuple[BrokenRun, ...]
    data: tuple[str, ...]  # concept sets whose images may be shown beside the embedded ones

    @cached_property
    def designs(self) -> list[Design]:
        """All designs, the one with the newest run first."""
        found: dict[tuple[str, str], list[Source]] = {}
        for run in self.runs:
            if not isinstance(run.config.get("models"), list):
                continue  # a collection of other runs has no models of its own
            values = {key: value for key, value in run.config.items() if key not in _NOT_DESIGN}
            sources = found.setdefault((run.study, json.dumps(values, sort_keys=True)), [])
            seed = int(run.config.get("seed", 0))
            sources += [Source(str(model["name"]), seed, run) for model in run.config["models"]]
        return [
            Design(study, {key: _told(value) for key, value in json.loads(values).items()}, tuple(sources))
            for (study, values), sources in found.items()
        ]

    def of(self, study: str) -> list[Design]:
        return [design for design in self.designs if design.study == study]

    def run(self, name: str) -> RunInfo | None:
        return next((run for run in self.runs if run.run == name), None)


def lab() -> Lab:
    """The results folder of the command line as it is now; the shipped one as long as that is empty.

    Raises:
        UserError: the command line is wrong.
    """
    results, data = _arguments()
    own = _read(str(results), _state(results))
    if own.runs or own.broken or (results / "sweeps").is_dir():
        found, shipped = own, False
    else:
        found, shipped = _read(str(SHIPPED), _state(SHIPPED)), True
    return Lab(found.folder, shipped, found.runs, found.broken, data)


def study_names(lab: Lab) -> list[str]:
    """The studies that have runs, the one with the newest first."""
    return list(dict.fromkeys(design.study for design in lab.designs))


def connected(infos: Iterable[RunInfo]) -> duckdb.DuckDBPyConnection:
    """The records of these runs as the view `records`; a new connection, since pages are drawn in threads."""
    return connect_to(list({info.run: info for info in infos}.values()))


def options_of(run: RunInfo) -> dict[str, Any]:
    """The options that a run was begun with, as far as its log has them."""
    began = [event for event in read_events(run.path) if event.get("event") == "began"]
    options = began[-1].get("options") if began else None
    return options if isinstance(options, dict) else {}


def records_of(sources: Sequence[Source], supports: tuple[str, str] | None = None) -> pd.DataFrame:
    """The records of these models and seeds; queries of two seeds are apart.

    Of supports there is, at most, which labels were false, where a column has a value: the rest weighs more than all
    other columns. What no study reads is not there.
    """
    seeds = sorted({source.seed for source in sources})
    with connected(source.run for source in sources) as connection:
        wanted = [(source.run.run, source.model, seeds.index(source.seed) * _APART) for source in sources]
        connection.execute("CREATE TABLE wanted (run VARCHAR, model VARCHAR, apart BIGINT)")
        connection.executemany("INSERT INTO wanted VALUES (?, ?, ?)", wanted)
        column, value = supports or ("study", "")  # no study is called so
        return connection.execute(
            f"SELECT records.* EXCLUDE ({', '.join(_UNREAD)}) "
            "REPLACE (query_id + apart AS query_id, support_id + apart AS support_id), "
            f"CASE WHEN {column} = ? THEN list_transform(support, lambda shot: {{'false': shot.false}}) END AS support "
            "FROM records JOIN wanted USING (run, model)",
            [value],
        ).df()


def _arguments() -> tuple[Path, tuple[str, ...]]:
    parser = Parser("streamlit run dashboards/app.py --")
    add = parser.add_argument
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="folder of all runs (default results)")
    add("--data", nargs="*", default=[], metavar="NAME", help="concept sets whose images may be shown, as folder:PATH")
    options = parser.parse_args(sys.argv[1:])
    return options.results.absolute(), tuple(options.data)


def _state(results: Path) -> tuple[tuple[str, int], ...]:
    """Changes whenever a run is begun, gets a shard, or is finished."""
    state = []
    for path in results.glob("*/*-*"):
        for part in (path, path / "records"):
            try:
                state.append((str(part), part.stat().st_mtime_ns))
            except OSError:
                continue
    return tuple(sorted(state))


@st.cache_resource(max_entries=4, show_spinner="Looking at the runs …")
def _read(results: str, state: tuple[tuple[str, int], ...]) -> Lab:
    folder = Path(results)
    root = os.path.realpath(folder)
    found = tuple(run for run in runs(folder) if _inside(run.path, root))
    return Lab(folder, False, found, tuple(run for run in broken_runs(folder) if _inside(run.path, root)), ())


def _inside(run: Path, root: str) -> bool:
    """Whether a run and its files lie in the results folder, links followed."""
    files = [run, *run.glob("*.*"), *([] if (run / "records.parquet").exists() else run.glob("records/*"))]
    return all(os.path.realpath(file).startswith(root + os.sep) for file in files)


def _told(value: Any) -> str:
    """A value of a configuration as people read it."""
    if isinstance(value, dict):
        return str(value.get("name", ", ".join(f"{key} {_told(inner)}" for key, inner in value.items())))
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
