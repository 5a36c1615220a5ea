"""How long each page of the dashboard takes with millions of records in the store.

Store       the runs that ship, each again under other seeds, with as many queries as the paper's: every run is real
            but for its numbers' repetition, and is read as any other
Page        one run of its script as the server makes it, nothing of the page kept from before; the browser's drawing
            is not in it
Command     python -m lcl_lab.benchmarks.dashboard
Time        two minutes on two cores
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lcl_lab.cli import Parser, at_least, run_program
from lcl_lab.errors import UserError

__all__ = ["main", "many"]

_ROOT = Path(__file__).parents[2] / "dashboards"
_QUERIES = 25  # times those of the shipped runs, which are 200 under most conditions: the paper's 5,000


def main(arguments: Sequence[str]) -> None:
    """Print the seconds of every page."""
    parser = Parser(prog="python -m lcl_lab.benchmarks.dashboard", description=__doc__ or "")
    parser.add_argument("--records", type=at_least(1), default=5_000_000, help="in the store (default 5,000,000)")
    options = parser.parse_args(arguments)
    if not (_ROOT / "app.py").exists():
        raise UserError(f"{_ROOT}: the dashboard is not there; it comes with the project's repository")

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    with TemporaryDirectory() as place:
        count, runs = many(_ROOT / "shipped", Path(place), options.records)
        table = Table(box=SIMPLE_HEAD, title=f"{count:,} records in {runs} runs", title_justify="left")
        table.add_column("page")
        table.add_column("seconds", justify="right")
        for page, seconds in _pages(Path(place)):
            table.add_row(page, f"{seconds:.2f}")
        Console().print(table)


def many(shipped: Path, results: Path, least: int) -> tuple[int, int]:
    """Write at least so many records, as finished runs made of the shipped ones; how many records and runs."""
    import duckdb

    from lcl_lab.progress import track
    from lcl_lab.store import runs
    from lcl_lab.store.shards import rows_in

    found = [run for run in runs(shipped) if (run.path / "records.parquet").exists()]
    if not found:
        raise UserError(f"{shipped}: there are no runs")
    records, made = 0, 0
    with duckdb.connect() as connection:
        sizes = {run.run: rows_in(run.path / "records.parquet") for run in found}
        rounds = -(-least // (sum(sizes.values()) * _QUERIES))
        for seed, run in track([(seed, run) for seed in range(rounds) for run in found], "writing"):
            stamp, _, digest = run.path.name.rpartition("-")
            day = f"{20200101 + seed}"
            path = results / run.study / f"{day}{stamp[8:]}-{digest}"
            path.mkdir(parents=True)
            connection.execute(
                "COPY (SELECT * EXCLUDE (again) REPLACE (? AS seed, query_id + 10000 * again AS query_id, "
                "support_id + 10000 * again AS support_id) "
                f"FROM read_parquet(?), range({_QUERIES}) AS times(again)) TO '{path / 'records.parquet'}' "
                "(FORMAT parquet, COMPRESSION zstd)",
                [seed, str(run.path / "records.parquet")],
            )
            config = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
            config["config"]["seed"] = seed
            (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
            manifest = json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))
            manifest["totals"]["records"] = sizes[run.run] * _QUERIES
            (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
            (path / "events.jsonl").write_bytes((run.path / "events.jsonl").read_bytes())
            records, made = records + sizes[run.run] * _QUERIES, made + 1
    return records, made


def _pages(results: Path) -> Iterator[tuple[str, float]]:
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    from lcl_lab.studies.all import studies

    logging.disable(logging.WARNING)  # Streamlit's, that no server runs
    sys.argv = ["app.py", "--results", str(results)]
    names = ["", *(study.name for study in studies()), "episodes", "compare", "sweeps", "provenance"]
    for number, name in enumerate(["provenance", *names]):
        app = AppTest.from_file(str(_ROOT / "app.py"), default_timeout=300)
        app._page_hash = calc_hash(name) if name else ""  # what the address of a page chooses
        began = time.perf_counter()
        app.run()
        seconds = time.perf_counter() - began
        if app.exception:
            raise RuntimeError(f"{name}: {app.exception[0].message}")
        yield ("the first page of all, with imports" if number == 0 else name or "overview", seconds)


if __name__ == "__main__":
    run_program(main)
