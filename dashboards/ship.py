"""Copies the newest finished run of each study to the runs that ship: `python -m dashboards.ship results`.

Of each only what the dashboard reads: records in one file, configuration, manifest and log; no shards, no figures.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from dashboards.results import SHIPPED
from lcl_lab.cli import Parser, run_program
from lcl_lab.errors import UserError
from lcl_lab.store import runs
from lcl_lab.studies.all import studies

_FILES = ("config.json", "manifest.json", "events.jsonl", "records.parquet")


def main(arguments: Sequence[str]) -> None:
    """Replace what ships by the newest runs of a results folder."""
    parser = Parser(prog="python -m dashboards.ship", description=__doc__)
    parser.add_argument("results", type=Path, help="the folder of all runs, as `python -m lcl_lab.studies.all` makes")
    results: Path = parser.parse_args(arguments).results
    newest = {run.study: run for run in reversed(runs(results)) if run.finished}
    missing = [study.name for study in studies() if study.name not in newest]
    if missing:
        raise UserError(f"{results}: no finished run of {', '.join(missing)}; run python -m lcl_lab.studies.all first")
    shutil.rmtree(SHIPPED, ignore_errors=True)
    for study in studies():
        run = newest[study.name]
        folder = SHIPPED / study.name / run.path.name
        folder.mkdir(parents=True)
        for name in _FILES:
            shutil.copy(run.path / name, folder / name)
        print(folder)


if __name__ == "__main__":
    run_program(main)
