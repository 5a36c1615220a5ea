from __future__ import annotations

from pathlib import Path

from lcl_lab.dashboard import DashboardConfig
from lcl_lab.dashboard.run_index import read_index, shipped_results
from lcl_lab.store import runs
from lcl_lab.studies import stored_options
from tests.dashboard.factories import SHIPPED, STUDIES


def test_what_ships_is_real_and_small() -> None:
    shipped = runs(SHIPPED)
    assert {run.study for run in shipped} == set(STUDIES)
    assert all(run.finished and run.provenance and not run.provenance.dirty for run in shipped)
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*")) < 4_000_000
    assert not list(SHIPPED.rglob("records/*"))


def test_an_empty_folder_shows_what_ships(tmp_path: Path) -> None:
    index = read_index(DashboardConfig(results=tmp_path, data=("folder:photos",)))
    assert index.shipped
    assert index.folder == shipped_results() == SHIPPED
    assert set(index.studies) == set(STUDIES)
    assert index.data == ("folder:photos",)


def test_options_are_those_that_a_run_was_started_with() -> None:
    (run,) = (run for run in runs(SHIPPED) if run.study == "false_ratio")
    assert stored_options(run)["shots"] == run.config["shots"]
