"""How long one waits for each page of the dashboard with millions of records in the store.

Store       the shipped runs, each repeated under other seeds and with the paper's number of queries, and one run of a
            million records: real runs in all but the repetition of their questions and answers
Page        one run of its script as the server makes it, with the modules imported and all caches empty, as after a new
            run; searches and sorts are of the page of episodes. Drawing in the browser is not included
Start       from the command to a server that answers, and from there to the first page with its charts, each in a new
            process
Command     python -m lcl_lab.benchmarks.dashboard
Time        three minutes on two cores
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st
from pydantic import Field
from rich.box import SIMPLE_HEAD
from rich.table import Table
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from lcl_lab import dashboard
from lcl_lab.analysis import sign_flip
from lcl_lab.benchmarks.cold_start import seconds_to_first_page, seconds_to_server
from lcl_lab.benchmarks.large_results import LargeResults, write_large_results
from lcl_lab.commands.program import Program
from lcl_lab.config import Config
from lcl_lab.dashboard.pages import find_pages
from lcl_lab.dashboard.run_index import read_index, shipped_results
from lcl_lab.safe_console import SafeConsole

__all__ = ["DashboardBenchmarkConfig", "View", "dashboard_program", "run_benchmark", "time_view", "views"]

_SCRIPT = Path(dashboard.__file__).parent / "app.py"
_DEFAULT = "overview"


class DashboardBenchmarkConfig(Config):
    """The size of the store."""

    records: int = Field(5_000_000, ge=1, le=1_000_000_000, description="records in the store, at least")
    run_records: int = Field(1_000_000, ge=1, le=100_000_000, description="records of its largest run, at least")


@dataclass(frozen=True)
class View:
    """What a user opens.

    Attributes:
        name: what the table calls it.
        page: the address of the page.
        parameters: those of the address.
    """

    name: str
    page: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def views(results: Path, large: LargeResults) -> Iterator[View]:
    """Every page as it opens, then the largest run: its statistics, and its episodes by search and sort."""
    paths = [page.path for section in find_pages().values() for page in section]
    yield from (View(path, path) for path in paths)
    index = read_index(dashboard.DashboardConfig.create(results=results))
    study = large.large.partition("/")[0]
    group = next(g for g in index.groups_of(study) if any(source.run.run == large.large for source in g.all_sources))
    design = {f"of_{name}": value for name, value in group.design.items()}
    size = f"{large.large_records:,} records"
    yield View(f"statistics of one run of {size}", study, design)
    yield View(f"overview of {size}", _DEFAULT, design)
    yield View(f"compare two models of {size}", "compare", {"study": study, **design})
    of_model = {"run": large.large, "model": group.models[0]}
    middle = large.large_records // len(group.models) // 20  # with ten on a page
    yield View(f"episodes of {size}", "episodes", of_model)
    yield View("a page from their middle", "episodes", {**of_model, "page": f"{middle}"})
    beside = {"beside": group.models[1]}
    yield View("those answered wrong", "episodes", {**of_model, "answers": "wrong"})
    yield View("a search in answers and names", "episodes", {**of_model, "find": "oo"})
    for order in ("lowest margin", "seconds"):
        yield View(f"sorted by {order}", "episodes", {**of_model, "sort": order})
    yield View("sorted by disagreement with another model", "episodes", {**of_model, **beside, "sort": "disagreement"})
    yield View("those that flip", "episodes", {**of_model, **beside, "answers": "flipped"})


def time_view(view: View) -> float:
    """The seconds that a page takes, with empty caches.

    Raises:
        RuntimeError: the page fails.
    """
    st.cache_resource.clear()
    st.cache_data.clear()
    sign_flip._interval.cache_clear()
    app = AppTest.from_file(str(_SCRIPT), default_timeout=300)
    app._page_hash = "" if view.page == _DEFAULT else calc_hash(view.page)  # selects the page as its address does
    for name, value in view.parameters.items():
        app.query_params[name] = value
    started = time.perf_counter()
    app.run()
    seconds = time.perf_counter() - started
    problems = [one.message for one in app.exception] + [one.value for one in [*app.error, *app.warning]]
    if problems:
        raise RuntimeError(f"{view.name}: {problems[0]}")
    return seconds


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Streamlit warns on every page that no server runs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@_no_warnings()
def run_benchmark(config: DashboardBenchmarkConfig) -> None:
    """Print the seconds of every page, of the largest run's statistics and episodes, and of a cold start."""
    with TemporaryDirectory() as folder:
        results = Path(folder)
        large = write_large_results(shipped_results(), results, config.records, config.run_records)
        sys.argv = ["app.py", "--results", folder]
        table = Table(box=SIMPLE_HEAD, title=f"{large.records:,} records in {large.runs} runs", title_justify="left")
        table.add_column("page")
        table.add_column("seconds", justify="right")
        time_view(View("to import everything and check all files once", _DEFAULT))
        for view in views(results, large):
            table.add_row(view.name, f"{time_view(view):.2f}")
        table.add_section()
        server, page = seconds_to_server(results), seconds_to_first_page(results)
        table.add_row("cold start: the server answers", f"{server:.2f}")
        table.add_row("its first page with charts", f"{page:.2f}")
        table.add_row("both", f"{server + page:.2f}")
        SafeConsole().print(table)


def dashboard_program(name: str = "python -m lcl_lab.benchmarks.dashboard") -> Program[DashboardBenchmarkConfig]:
    """The command that runs this benchmark."""
    return Program(name, DashboardBenchmarkConfig, run_benchmark, __doc__ or "")


if __name__ == "__main__":
    dashboard_program().main()
