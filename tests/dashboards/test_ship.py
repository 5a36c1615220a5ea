from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dashboards import ship
from lcl_lab.errors import UserError
from lcl_lab.store import read_run, runs, same_records
from tests.dashboards.making import SHIPPED


def test_what_ships_is_copied_without_shards_and_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED, tmp_path / "results")
    (old,) = (run for run in runs(SHIPPED) if run.study == "shots")
    (tmp_path / "results" / "shots" / old.path.name / "figure.html").write_text("large")
    monkeypatch.setattr(ship, "SHIPPED", tmp_path / "shipped")
    ship.main([str(tmp_path / "results")])
    assert not list((tmp_path / "shipped").rglob("*.html"))
    (new,) = (run for run in runs(tmp_path / "shipped") if run.study == "shots")
    assert same_records(read_run(old.path), read_run(new.path), tolerance=0) is None


def test_a_folder_that_lacks_a_study_ships_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(SHIPPED / "shots", tmp_path / "results" / "shots")
    monkeypatch.setattr(ship, "SHIPPED", tmp_path / "shipped")
    with pytest.raises(UserError, match="no finished run of arithmetic, "):
        ship.main([str(tmp_path / "results")])
    assert not (tmp_path / "shipped").exists()
