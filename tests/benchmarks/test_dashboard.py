"""The benchmark of the dashboard: real runs of the sizes that it says, and pages as their addresses open them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lcl_lab import store
from lcl_lab.benchmarks.cold_start import seconds_to_first_page, seconds_to_server
from lcl_lab.benchmarks.dashboard import View, time_view, views
from lcl_lab.benchmarks.large_results import LargeResults, write_large_results
from lcl_lab.errors import UserError
from tests.dashboard.factories import SHIPPED, copy_shipped


@dataclass(frozen=True)
class Written:
    folder: Path
    large: LargeResults


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("large")
    copy_shipped(folder / "shipped", "false_ratio", "zero_shot")
    (folder / "results").mkdir()
    large = write_large_results(folder / "shipped", folder / "results", least=40_000, large=14_000)
    return Written(folder / "results", large)


def test_runs_have_the_layout_sizes_and_checksums_of_real_ones(written: Written) -> None:
    runs, broken = store.all_runs(written.folder)
    assert not broken and all(run.finished for run in runs)
    assert len(runs) == written.large.runs
    assert sum(run.records for run in runs) == written.large.records >= 40_000
    assert {run.run: run.records for run in runs}[written.large.large] == written.large.large_records == 14_000


def test_repetitions_are_further_queries_with_the_same_choices(written: Written) -> None:
    (run,) = (run for run in store.runs(written.folder) if run.run == written.large.large)
    records = store.read_run(run.path)
    assert run.config["queries"] == 400
    cells = records.groupby(["model", "false_ratio"])
    assert (cells["query_id"].nunique() == 400).all() and (cells.size() == 400).all()
    original = next(run for run in store.runs(SHIPPED) if run.study == "false_ratio")
    shares = store.read_run(original.path).groupby(["model", "false_ratio"])["correct_candidate"].mean()
    assert cells["correct_candidate"].mean().equals(shares)
    chosen = records["loglik_true"] / records["tokens_true"] > records["loglik_other"] / records["tokens_other"]
    assert (chosen == records["correct_candidate"]).mean() > 0.99


def test_without_a_run_of_the_study_there_is_nothing_to_repeat(tmp_path: Path) -> None:
    copy_shipped(tmp_path, "zero_shot")
    with pytest.raises(UserError, match="no run of false_ratio"):
        write_large_results(tmp_path, tmp_path / "results", 1, 1)


def test_views_are_of_the_large_run_and_a_page_that_fails_is_an_error(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py", "--results", str(written.folder)])
    of_large = [view for view in views(written.folder, written.large) if view.parameters]
    assert {view.page for view in of_large} >= {"false_ratio", "overview", "compare", "episodes"}
    assert time_view(next(view for view in of_large if view.page == "episodes")) > 0
    with pytest.raises(RuntimeError, match="there is no"):
        time_view(View("unknown", "episodes", {"run": "false_ratio/20200101-000000-00000000"}))


@pytest.mark.slow
def test_a_cold_start_is_timed_in_new_processes(written: Written, tmp_path: Path) -> None:
    assert seconds_to_server(written.folder) > 0
    assert seconds_to_first_page(written.folder) > 0
    with pytest.raises(RuntimeError, match="AssertionError"):
        seconds_to_first_page(copy_shipped(tmp_path, "zero_shot"))  # without the study of the first page
