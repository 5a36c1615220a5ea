"""How long each page of the dashboard takes with millions of records in the store.

Store       the shipped runs, each repeated under other seeds and with the paper's number of queries: real runs in all
            but the repetition of their answers
Page        one run of its script as the server makes it, with empty caches; drawing in the browser is not included
Command     python -m lcl_lab.benchmarks.dashboard
Time        two minutes on two cores
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import streamlit as st
from pydantic import Field
from rich.box import SIMPLE_HEAD
from rich.table import Table
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from lcl_lab import dashboard, store
from lcl_lab.atomic import write_json
from lcl_lab.commands.program import Program
from lcl_lab.config import Config
from lcl_lab.dashboard.pages import find_pages
from lcl_lab.dashboard.run_index import shipped_results
from lcl_lab.errors import UserError
from lcl_lab.progress import track
from lcl_lab.safe_console import SafeConsole
from lcl_lab.store.run_layout import STAMP, config_digest, creation_time

__all__ = ["DashboardBenchmarkConfig", "dashboard_program", "multiply_runs", "run_benchmark", "time_pages"]

_SCRIPT = Path(dashboard.__file__).parent / "app.py"
_REPEATS = 25  # of each query: shipped runs have 200 under most conditions, the paper 5,000


class DashboardBenchmarkConfig(Config):
    """The size of the store."""

    records: int = Field(5_000_000, ge=1, le=1_000_000_000, description="records in the store")


def multiply_runs(shipped: Path, results: Path, least: int) -> tuple[int, int]:
    """Write finished runs with at least `least` records, which repeat those of the shipped runs.

    Args:
        shipped: the shipped results.
        results: the folder to write to.
        least: number of records.

    Returns:
        The numbers of records and runs written.

    Raises:
        UserError: there are no shipped runs.
    """
    sizes = {run.path: run.records for run in store.runs(shipped)}
    if not sizes:
        raise UserError(f"{shipped}: there are no runs")
    rounds = -(-least // (sum(sizes.values()) * _REPEATS))
    with duckdb.connect() as connection:
        for seed, path in track([(seed, path) for seed in range(rounds) for path in sizes], "writing"):
            _repeat(connection, path, results, seed, sizes[path] * _REPEATS)
    return rounds * sum(sizes.values()) * _REPEATS, rounds * len(sizes)


def _repeat(connection: duckdb.DuckDBPyConnection, run: Path, results: Path, seed: int, records: int) -> None:
    """Write one run under another seed, with every query repeated."""
    config, manifest = (_read(run / name) for name in ("config.json", "manifest.json"))
    config["config"]["seed"] = seed
    manifest["totals"] = {"records": records}
    created = creation_time(run).replace(year=2020, month=1, day=1) + timedelta(days=seed)
    path = results / run.parent.name / f"{created.strftime(STAMP)}-{config_digest(config)}"
    path.mkdir(parents=True)
    connection.execute(
        "COPY (SELECT * EXCLUDE (again) REPLACE (? AS seed, query_id + 10000 * again AS query_id, "
        "support_id + 10000 * again AS support_id) "
        f"FROM read_parquet(?), range({_REPEATS}) AS times(again)) TO '{path / 'records.parquet'}' "
        "(FORMAT parquet, COMPRESSION zstd)",
        [seed, str(run / "records.parquet")],
    )
    write_json(path / "config.json", config)
    write_json(path / "manifest.json", manifest)
    (path / "events.jsonl").write_bytes((run / "events.jsonl").read_bytes())


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def time_pages(results: Path) -> Iterator[tuple[str, float]]:
    """The seconds that each page takes for the first time; the first also imports everything.

    Raises:
        RuntimeError: a page fails.
    """
    logging.disable(logging.WARNING)  # Streamlit warns that no server runs
    sys.argv = ["app.py", "--results", str(results)]
    paths = [page.path for section in find_pages().values() for page in section]
    for number, path in enumerate(["overview", *paths]):
        st.cache_resource.clear()
        st.cache_data.clear()
        app = AppTest.from_file(str(_SCRIPT), default_timeout=300)
        app._page_hash = "" if path == "overview" else calc_hash(path)  # selects the page as its address does
        started = time.perf_counter()
        app.run()
        seconds = time.perf_counter() - started
        if app.exception:
            raise RuntimeError(f"{path}: {app.exception[0].message}")
        yield ("the first page of all, with imports" if number == 0 else path, seconds)


def run_benchmark(config: DashboardBenchmarkConfig) -> None:
    """Print the seconds of every page."""
    with TemporaryDirectory() as folder:
        records, runs = multiply_runs(shipped_results(), Path(folder), config.records)
        table = Table(box=SIMPLE_HEAD, title=f"{records:,} records in {runs} runs", title_justify="left")
        table.add_column("page")
        table.add_column("seconds", justify="right")
        for page, seconds in time_pages(Path(folder)):
            table.add_row(page, f"{seconds:.2f}")
        SafeConsole().print(table)


def dashboard_program(name: str = "python -m lcl_lab.benchmarks.dashboard") -> Program[DashboardBenchmarkConfig]:
    """The command that runs this benchmark."""
    return Program(name, DashboardBenchmarkConfig, run_benchmark, __doc__ or "")


if __name__ == "__main__":
    dashboard_program().main()
