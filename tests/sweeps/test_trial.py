from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lcl_lab.errors import UserError
from lcl_lab.store import read_run, runs, same_records
from lcl_lab.sweeps import Sweep
from lcl_lab.sweeps.trial import Place, run_trial

SWEEP = Sweep(
    strategies=("2-way",),
    train={"preset": "tiny", "steps": 2},
    studies=({"study": "false_ratio", "preset": "tiny", "queries": 4},),
)


def test_a_damaged_model_is_trained_again_to_the_same_records(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (trial,) = SWEEP.trials()
    told: list[dict[str, Any]] = []
    place = Place(tmp_path / "sweep", tmp_path / "results")
    run_trial(trial, place, told.append)
    assert place.finished(trial)
    assert [line["doing"] for line in told][-1] == "false_ratio"
    assert any("accuracy" in line for line in told)
    assert "2-way-seed-0: 5.9 MiB of weights in float32, prompts of up to " in capfd.readouterr().err
    (first,) = runs(tmp_path / "results")
    run_trial(trial, place, _never)

    place.mark(trial).unlink()
    weights = place.model(trial) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    again = Place(tmp_path / "sweep", tmp_path / "again")
    run_trial(trial, again, told.append)
    (second,) = runs(tmp_path / "again")
    assert same_records(read_run(first.path), read_run(second.path), tolerance=0) is None


def test_what_is_trained_is_not_trained_again(tmp_path: Path) -> None:
    (trial,) = SWEEP.trials()
    place = Place(tmp_path / "sweep", tmp_path / "results")
    run_trial(trial, place, lambda line: None)
    before = (place.model(trial) / "model.safetensors").stat().st_mtime_ns
    place.mark(trial).unlink()
    told: list[dict[str, Any]] = []
    run_trial(trial, Place(tmp_path / "sweep", tmp_path / "other"), told.append)
    assert (place.model(trial) / "model.safetensors").stat().st_mtime_ns == before
    assert {line["doing"] for line in told} == {"false_ratio"}


def test_a_trial_that_another_worker_has_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trial,) = SWEEP.trials()
    place = Place(tmp_path / "sweep", tmp_path / "results")
    monkeypatch.setattr("lcl_lab.sweeps.trial._LINGERS", 0.1)
    with place.lock(trial), pytest.raises(UserError, match="2-way-seed-0: another process has this trial"):
        run_trial(trial, place, _never)


def _never(line: dict[str, Any]) -> None:
    raise AssertionError(line)
