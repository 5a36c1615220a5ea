from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lcl_lab.errors import UserError
from lcl_lab.models import Checkpoint, TransformersModel, load_transformers_model
from lcl_lab.store import read_run, runs, same_records
from lcl_lab.sweeps import SweepConfig, SweepPaths, SweepResult, check_sweep
from lcl_lab.sweeps.search_space import setting_name
from lcl_lab.sweeps.trial_worker import run_trial
from tests.sweeps.grids import StoredFiles

CONFIG = SweepConfig.create(
    strategies="2-way",
    train={"preset": "tiny", "steps": 2},
    studies=[{"study": "false_ratio", "preset": "tiny", "queries": 4}],
)


@pytest.mark.slow
def test_a_damaged_model_is_trained_again_to_the_same_records(tmp_path: Path) -> None:
    (trial,) = CONFIG.trials()
    reports: list[dict[str, Any]] = []
    paths = SweepPaths(tmp_path / "sweep", tmp_path / "results")
    run_trial(trial, paths, reports.append)
    assert paths.is_finished(trial.name, trial.options)
    assert [line["doing"] for line in reports][-1] == "false_ratio"
    assert any("accuracy" in line for line in reports)
    (first,) = runs(tmp_path / "results")
    run_trial(trial, paths, _fail)
    _check_result(SweepResult.read([trial], paths), first.path)

    paths.mark(trial.name).unlink()
    weights = paths.model(trial.name) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    run_trial(trial, SweepPaths(tmp_path / "sweep", tmp_path / "again"), reports.append)
    (second,) = runs(tmp_path / "again")
    assert same_records(read_run(first.path), read_run(second.path), tolerance=0) is None


def _check_result(result: SweepResult, run: Path) -> None:
    """The table and the records of a sweep with one trial and one run."""
    (row,) = result.trials.to_dict("records")
    assert (row["trial"], row["strategy"], row["seed"], row["status"]) == ("2-way-seed-0", "2-way", 0, "finished")
    assert Path(row["model"]).is_dir()
    assert row["runs"] == [f"false_ratio/{run.name}"]
    assert same_records(result.records.drop(columns=["trial", "run"]), read_run(run), tolerance=0) is None
    assert set(result.records["trial"]) == {"2-way-seed-0"}
    assert repr(result).startswith("Sweep of 1 trials: 1 finished\n")


@pytest.mark.slow
def test_a_trained_model_is_not_trained_again(tmp_path: Path) -> None:
    (trial,) = CONFIG.trials()
    paths = SweepPaths(tmp_path / "sweep", tmp_path / "results")
    run_trial(trial, paths, lambda line: None)
    before = (paths.model(trial.name) / "model.safetensors").stat().st_mtime_ns
    paths.mark(trial.name).unlink()
    reports: list[dict[str, Any]] = []
    run_trial(trial, SweepPaths(tmp_path / "sweep", tmp_path / "other"), reports.append)
    assert (paths.model(trial.name) / "model.safetensors").stat().st_mtime_ns == before
    assert {line["doing"] for line in reports} == {"false_ratio"}


def test_a_trial_that_another_worker_runs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trial,) = CONFIG.trials()
    paths = SweepPaths(tmp_path / "sweep", tmp_path / "results")
    monkeypatch.setattr("lcl_lab.sweeps.sweep_paths._LOCK_TIMEOUT", 0.1)
    with paths.lock(trial.name), pytest.raises(UserError, match="2-way-seed-0: another process runs this trial"):
        run_trial(trial, paths, _fail)


def test_the_model_of_a_trial_is_loaded_once_for_all_of_its_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def count(checkpoint: Checkpoint, *arguments: Any) -> TransformersModel:
        loaded.append(checkpoint.name)
        return load_transformers_model(checkpoint, *arguments)

    monkeypatch.setattr("lcl_lab.models.load_transformers_model", count)
    monkeypatch.setattr("lcl_lab.sweeps.trial_worker._REPORT_EVERY", 0.0)
    studies = [
        {"study": "false_ratio", "preset": "tiny", "queries": 2},
        {"study": "shots", "preset": "tiny", "queries": 2, "fixed": []},
    ]
    (trial,) = check_sweep(SweepConfig.create(models="mini/2-way", studies=studies))
    reports: list[dict[str, Any]] = []
    paths = SweepPaths(tmp_path / "sweep", tmp_path / "results")
    run_trial(trial, paths, reports.append)
    assert loaded == ["mini/2-way"]
    assert list(dict.fromkeys(line["doing"] for line in reports)) == ["false_ratio", "shots"]
    assert reports[-1]["answered"] == reports[-1]["prompts"] > 0

    mark = paths.read_mark(trial.name)
    assert mark["device"] in ("cpu", "cuda:0")
    assert mark["memory"] > 1 << 20
    (row,) = SweepResult.read([trial], paths).trials.to_dict("records")
    assert (row["trial"], row["model"], row["status"]) == ("mini_2-way-seed-0", "mini/2-way", "finished")
    run_trial(trial, paths, _fail)

    written = StoredFiles()
    written.add(tmp_path)
    paths.mark(trial.name).unlink()  # killed before its last step
    run_trial(trial, paths, reports.append)
    written.assert_unchanged()
    assert paths.read_mark(trial.name)["runs"] == mark["runs"]
    assert loaded == ["mini/2-way"]


def test_a_trial_of_a_search_reports_its_metric_also_when_it_finished_with_another(tmp_path: Path) -> None:
    """Its mark has the setting and the value, and a value of another metric is never taken for it."""
    paths = SweepPaths(tmp_path / "sweep", tmp_path / "results")
    study = {"study": "false_ratio", "preset": "tiny", "queries": {"grid": [4]}}
    values = {}
    for metric in ("link_score", "false_ratio/accuracy/candidate/false_ratio=0.5"):
        sweep = SweepConfig.create(models="mini/2-way", studies=[study], search={"metric": metric})
        (trial,) = check_sweep(sweep)
        assert trial.name == f"mini_2-way-seed-0-{setting_name({'false_ratio.queries': 4})}"
        (before,) = SweepResult.read([trial], paths).trials["value"]
        assert before is None
        reports: list[dict[str, Any]] = []
        run_trial(trial, paths, reports.append)
        mark = paths.read_mark(trial.name)
        assert (mark["setting"], mark["metric"]) == ({"false_ratio.queries": 4}, metric)
        assert reports[-1] == {"doing": "false_ratio", "value": mark["value"]}
        (values[metric],) = SweepResult.read([trial], paths).trials["value"]
    (run,) = runs(tmp_path / "results")
    records = read_run(run.path)
    of_ratio = records[(records["model"] == "mini/2-way") & (records["false_ratio"] == 0.5)]
    first, second = values.values()
    assert 0 <= first <= 1
    assert second == pytest.approx(of_ratio["correct_candidate"].mean())


def _fail(line: dict[str, Any]) -> None:
    raise AssertionError(line)
