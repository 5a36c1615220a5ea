"""Real sweeps on a Ray cluster of this machine."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from lcl_lab import run_study, run_sweep, train_model
from lcl_lab.errors import UserError
from lcl_lab.store import same_records
from tests.sweeps.grids import ONE, records, run

EVALUATIONS = """
models: [mini/base, mini/2-way]
data: [world-100, isekai-mini]
studies:
  - {study: false_ratio, preset: tiny, queries: 2}
  - {study: shots, preset: tiny, queries: 2, fixed: []}
"""

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.slow
def test_every_trial_is_trained_and_evaluated_once(undisturbed: Path) -> None:
    frame = records(undisturbed)
    assert set(frame["model"]) == {"2-way-seed-0", "2-way-seed-1", "mini/prototype"}
    assert set(frame["study"]) == {"false_ratio", "shots"}
    folder = undisturbed / "results" / "sweeps" / "grid"
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {event["status"] for event in events} == {"waiting", "running", "finished"}
    assert any("accuracy" in event for event in events)
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*.parquet")}
    done = run(undisturbed, grid=ONE)
    assert (done.returncode, done.stdout.strip()) == (0, str(folder))
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*.parquet")} == before


@pytest.mark.slow
def test_the_result_has_all_records(undisturbed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = run_sweep(undisturbed / "grid.yaml", results=undisturbed / "results")
    assert capfd.readouterr().out == ""
    assert result.trials["status"].tolist() == ["finished", "finished"]
    assert result.trials["runs"].map(len).tolist() == [2, 2]
    assert len(result.records) == len(records(undisturbed))


@pytest.mark.slow
def test_the_report_of_a_sweep_links_its_models_and_runs(undisturbed: Path) -> None:
    result = run_sweep(undisturbed / "grid.yaml", results=undisturbed / "results")
    assert result.report == undisturbed / "results" / "sweeps" / "grid" / "report.html"
    assert result.trials["steps"].tolist() == [6, 6]
    assert result.trials["accuracy"].between(0, 1).all()
    assert (result.trials["memory"] > 1 << 20).all()
    page = result.report.read_text(encoding="utf-8")
    addresses = re.findall('href="([^"]+)"', page)
    assert len(addresses) == 6  # two models and four runs
    assert all((result.path / address).exists() for address in addresses)
    assert "2-way (2 trainings)" in page
    assert "2 trials: 2 finished" in page
    assert f"lcl sweep {undisturbed / 'grid.yaml'} --results" in page


@pytest.mark.slow
def test_models_by_datasets_by_studies_have_the_records_of_single_runs(tmp_path: Path) -> None:
    done = run(tmp_path, "--workers", "2", grid=EVALUATIONS)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 trials" in done.stderr
    chosen = {"false_ratio": {"queries": 2}, "shots": {"queries": 2, "fixed": ()}}
    for study, model, data in product(chosen, ("mini/base", "mini/2-way"), ("world-100", "isekai-mini")):
        options = {"preset": "tiny", "model": model, "data": data, **chosen[study]}
        run_study(study, **options, results=tmp_path / "single" / "results")
    swept = records(tmp_path)
    assert same_records(records(tmp_path / "single"), swept) is None
    assert set(swept["model"]) == {"mini/base", "mini/2-way", "mini/prototype"}

    result = run_sweep(tmp_path / "grid.yaml", results=tmp_path / "results")  # everything has finished
    assert result.trials["model"].tolist() == ["mini/base"] * 2 + ["mini/2-way"] * 2
    assert result.report is not None
    report = result.report.with_suffix(".md").read_text(encoding="utf-8")
    assert "| mini/2-way | isekai-mini | candidate |" in report
    assert len(result.records) == len(swept)


@pytest.mark.slow
def test_missing_resources_are_reported_at_once(tmp_path: Path) -> None:
    done = run(tmp_path, grid=f"{ONE}gpu: 1\n")
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert line == "error: --gpu 1: too many for a trial; the largest machine has 0"


def test_a_second_driver_is_refused_and_an_abandoned_lock_is_not(tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text("strategies: [2-way]\ntrain: {preset: tiny}\n")
    folder = tmp_path / "results" / "sweeps" / "grid"
    (folder / "trials").mkdir(parents=True)
    (folder / "trials" / "2-way-seed-0.json").write_text("{}")
    with FileLock(folder / "sweep.lock"), pytest.raises(UserError, match="another process runs this sweep"):
        run_sweep(tmp_path / "grid.yaml", results=tmp_path / "results")
    assert (folder / "sweep.lock").exists()
    run_sweep(tmp_path / "grid.yaml", results=tmp_path / "results")  # its only trial has finished


@pytest.mark.slow
def test_a_failed_trial_is_reported_with_its_reason_and_others_finish(tmp_path: Path) -> None:
    """The strategy passes all checks and fails when it draws."""
    (tmp_path / "broken.py").write_text(
        "from lcl_lab.strategies import Stage, Strategy\n\n"
        "def draw(data, rng):\n    raise RuntimeError('out of ideas')\n\n"
        "def load():\n    return Strategy('broken', 'base', (Stage(5, 4, draw),))\n"
    )
    grid = f"strategies: [{tmp_path / 'broken.py'}, 2-way]\ntrain: {{preset: tiny, steps: 2}}\nretries: 1\n"
    done = run(tmp_path, "--workers", "1", grid=grid)
    folder = tmp_path / "results" / "sweeps" / "grid"
    assert (done.returncode, done.stdout.strip()) == (2, str(folder))
    line = done.stderr.strip().splitlines()[-1]
    reason = "strategy: draw of stage 1 fails: RuntimeError: out of ideas"
    assert line == f"error: 1 trials failed; run the sweep again to retry them: broken-seed-0: {reason}"
    assert [path.stem for path in (folder / "trials").glob("*.json")] == ["2-way-seed-0"]
    assert (folder / "events.jsonl").read_text().count('"tried again"') == 1


@pytest.mark.slow
def test_two_workers_give_the_same_records(undisturbed: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "--workers", "2", grid=ONE)
    assert done.returncode == 0, done.stderr
    assert same_records(records(undisturbed), records(tmp_path), tolerance=1e-4) is None


@pytest.mark.slow
def test_trials_worse_than_others_are_stopped_early_and_loggers_receive_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'mlflow'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    grid = (
        "strategies: [2-way]\nseeds: [0, 1, 2, 3]\ntrain: {preset: tiny, steps: 8, learning_rate: 1}\n"
        "stopping: {first: 2, last: 8, factor: 2}\nloggers: [mlflow]\n"
    )
    done = run(tmp_path, "--workers", "1", grid=grid)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "sweeps" / "grid"
    marks = {path.stem: json.loads(path.read_text()) for path in (folder / "trials").glob("*.json")}
    stopped = {name for name, mark in marks.items() if "stopped" in mark}
    assert len(marks) == 4
    assert 0 < len(stopped) < 4
    assert all(marks[name]["stopped"]["step"] < 8 for name in stopped)
    trained = {path.parent.name for path in (folder / "models").glob("*/card.json")}
    assert trained == marks.keys() - stopped
    events = (folder / "events.jsonl").read_text()
    assert events.count('"stopped early"') == len(stopped)
    assert run(tmp_path, grid=grid).returncode == 0
    assert (folder / "events.jsonl").read_text() == events  # a stopped trial is finished too

    boards = list((folder / "ray").rglob("events.out.tfevents.*"))
    assert len(boards) == 4
    assert all(b"ray/tune/accuracy" in board.read_bytes() for board in boards)
    logged = list((tmp_path / "mlflow").rglob("metrics/accuracy"))
    assert len(logged) == 4
    assert {path.read_text() for path in (tmp_path / "mlflow").rglob("params/trial/seed")} == {"0", "1", "2", "3"}


@pytest.mark.slow
def test_a_study_of_a_trial_may_have_workers(tmp_path: Path) -> None:
    grid = "models: [mini/2-way]\nstudies: [{study: false_ratio, preset: tiny, queries: 4, ratios: [0], workers: 2}]"
    done = run(tmp_path, grid=grid)
    assert done.returncode == 0, done.stderr
    options = {"preset": "tiny", "queries": 4, "ratios": (0,), "model": "mini/2-way"}
    single = run_study("false_ratio", **options, results=tmp_path / "single" / "results")
    (path,) = (tmp_path / "results" / "false_ratio").glob("*/manifest.json")
    assert json.loads(path.read_text())["provenance"]["workers"] == 2
    assert same_records(single.records, records(tmp_path)[single.records.columns], tolerance=1e-4) is None


@pytest.mark.slow
def test_a_training_of_a_trial_may_have_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # sums in bfloat16 depend on how a batch is split
    grid = (
        "strategies: [2-way]\ntrain: {preset: tiny, steps: 2, workers: 2}\n"
        "studies: [{study: false_ratio, preset: tiny, queries: 4, ratios: [0]}]\n"
    )
    done = run(tmp_path, grid=grid)
    assert done.returncode == 0, done.stderr
    model = train_model(preset="tiny", strategy="2-way", steps=2, threads=1, out=tmp_path / "2-way-seed-0")
    weights = load_file(tmp_path / "results" / "sweeps" / "grid" / "models" / "2-way-seed-0" / "model.safetensors")
    torch.testing.assert_close(weights, load_file(model.path / "model.safetensors"), atol=1e-5, rtol=0.0)
    assert set(records(tmp_path)["model"]) == {"2-way-seed-0", "mini/prototype"}
