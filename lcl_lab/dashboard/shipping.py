"""Copies runs to the results that come with LCL Lab, with only what the dashboard reads: no shards, no figures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from lcl_lab import store, studies
from lcl_lab.config import Config
from lcl_lab.dashboard.run_index import shipped_results
from lcl_lab.errors import UserError

__all__ = ["ShipConfig", "ship_runs"]

_FILES = ("config.json", "manifest.json", "events.jsonl", "records.parquet")


class ShipConfig(Config):
    """Which results are shipped."""

    POSITIONAL: ClassVar[tuple[str, ...]] = ("results",)

    results: Path = Field(description="folder with a finished run of every study, as `lcl study all` writes it")


def ship_runs(config: ShipConfig, shipped: Path | None = None) -> list[Path]:
    """Replace the shipped results with the newest finished run of each study.

    Args:
        config: the results to ship.
        shipped: the folder to write; by default the one that the dashboard reads.

    Returns:
        The directories that were written, one per study.

    Raises:
        UserError: a study has no finished run.
    """
    target = shipped or shipped_results()
    newest = {run.study: run for run in reversed(store.runs(config.results)) if run.finished}
    names = [study.name for study in studies.find_studies()]
    missing = [name for name in names if name not in newest]
    if missing:
        reason = f"no finished run of {', '.join(missing)}; run python -m lcl_lab.studies.all first"
        raise UserError(reason, option="results", value=config.results)
    shutil.rmtree(target, ignore_errors=True)
    return [_copy(newest[name], target) for name in names]


def _copy(run: store.RunInfo, target: Path) -> Path:
    folder = target / run.study / run.path.name
    folder.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(run.path / name, folder / name)
    return folder
