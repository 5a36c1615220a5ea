"""Real sweeps on a real cluster of this machine, disturbed and not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.store import same_records
from lcl_lab.sweeps import read_sweep
from tests.sweeps.grids import ONE, records, run

pytestmark = pytest.mark.timeout(1800)


def test_every_trial_is_trained_and_put_to_its_studies_and_none_twice(undisturbed: Path) -> None:
    found = records(undisturbed)
    assert set(found["model"]) == {"2-way-seed-0", "2-way-seed-1", "mini/prototype"}
    assert set(found["study"]) == {"false_ratio", "shots"}
    folder = undisturbed / "results" / "sweeps" / "grid"
    seen = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {event["status"] for event in seen} == {"waiting", "running", "finished"}
    assert any("accuracy" in event for event in seen)
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*.parquet")}
    done = run(undisturbed, grid=ONE)
    assert (done.returncode, done.stdout.strip()) == (0, str(folder))
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*.parquet")} == before


def test_what_the_cluster_has_not_is_told_at_once(tmp_path: Path) -> None:
    done = run(tmp_path, grid=f"{ONE}gpu: 1\n")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == "error: gpu: 1 a trial: the most that one machine has is 0"


@pytest.mark.slow
def test_two_workers_give_the_same_records(undisturbed: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "--workers", "2", grid=ONE)
    assert done.returncode == 0, done.stderr
    assert same_records(records(undisturbed), records(tmp_path), tolerance=1e-4) is None


def test_what_does_worse_than_others_is_stopped_early_and_loggers_see_all(
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


def test_a_logger_that_is_not_there_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcl_lab.sweeps.sweep_config.find_spec", lambda name: None)
    (tmp_path / "grid.yaml").write_text("strategies: [2-way]\nloggers: [wandb]\n")
    with pytest.raises(UserError, match=r"loggers: wandb is not installed; uv sync --extra wandb"):
        read_sweep(tmp_path / "grid.yaml")
