"""Real searches on a Ray cluster of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lcl_lab import run_sweep
from lcl_lab.studies import read_search
from tests.sweeps.grids import StoredFiles, run, started, wait_for

SEARCH = (Path(__file__).parents[2] / "studies" / "search_grid.yaml").read_text(encoding="utf-8")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_a_search_resumes_after_its_driver_was_killed_and_repeats_no_finished_trial(tmp_path: Path) -> None:
    grid = SEARCH[: SEARCH.index("studies:")] + SEARCH[SEARCH.index("cpu:") :]
    folder, stored = tmp_path / "results" / "sweeps" / "grid", StoredFiles()
    with started(tmp_path, "--workers", "1", grid=grid) as driver:
        wait_for(lambda: len(list((folder / "trials").glob("*.json"))) >= 5)
        driver.kill()
        driver.wait()
    stored.add(tmp_path)
    before = (folder / "suggestions.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(before) < 12
    done = run(tmp_path, "--workers", "1", grid=grid)
    assert done.returncode == 0, done.stderr
    assert "12 of 12 trials" in done.stderr
    stored.assert_unchanged()
    suggested = (folder / "suggestions.jsonl").read_text(encoding="utf-8").splitlines()
    assert suggested[: len(before)] == before
    assert len(suggested) == len({json.loads(line)["trial"] for line in suggested}) == 12

    result = run_sweep(tmp_path / "grid.yaml", results=tmp_path / "results")  # everything has finished
    assert result.trials["status"].tolist() == ["finished"] * 12
    assert result.trials["value"].tolist() == result.trials["accuracy"].tolist()
    search = read_search(folder)
    assert search is not None
    assert search.trials["value"].is_monotonic_decreasing
    assert result.report is not None
    report = result.report.with_suffix(".md").read_text(encoding="utf-8")
    assert "## Search" in report and "## Which options matter" in report
    assert all(f"| {json.loads(line)['trial']} |" in report for line in suggested)
