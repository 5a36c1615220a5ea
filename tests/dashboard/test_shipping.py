from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dashboards.ship import PROGRAM
from lcl_lab.dashboard import ShipConfig, ship_runs
from lcl_lab.errors import UserError
from lcl_lab.store import read_run, runs, same_records
from tests.dashboard.factories import SHIPPED, STUDIES


def test_what_ships_is_copied_without_shards_and_reads_the_same(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "results")
    (old,) = (run for run in runs(SHIPPED) if run.study == "shots")
    (tmp_path / "results" / "shots" / old.path.name / "figure.html").write_text("large")
    written = ship_runs(ShipConfig(results=tmp_path / "results"), tmp_path / "shipped")
    assert len(written) == len(STUDIES)
    assert not list((tmp_path / "shipped").rglob("*.html"))
    (new,) = (run for run in runs(tmp_path / "shipped") if run.study == "shots")
    assert same_records(read_run(old.path), read_run(new.path), tolerance=0) is None


def test_a_folder_that_lacks_a_study_ships_nothing(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "shots", tmp_path / "results" / "shots")
    with pytest.raises(UserError, match="no finished run of arithmetic, "):
        ship_runs(ShipConfig(results=tmp_path / "results"), tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()


def test_the_command_takes_the_folder() -> None:
    assert PROGRAM.parse(["some/results"]) == ShipConfig(results=Path("some/results"))
    with pytest.raises(UserError, match="is required"):
        PROGRAM.parse([])
