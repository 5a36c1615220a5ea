from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.sweeps import SweepConfig, SweepPaths, SweepResult
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.sweep_report import write_sweep_report


def test_a_stopped_trial_has_no_model_and_says_why(tmp_path: Path) -> None:
    config = SweepConfig.create(strategies="2-way", seeds=[0, 1], results=tmp_path)
    paths = SweepPaths.of(config.name, config.results)
    paths.finish("2-way-seed-0", seconds=1.5, runs=[])
    paths.finish("2-way-seed-1", stopped={"step": 4, "accuracy": 0.5})
    result = SweepResult.read(config.trials(), paths)
    assert result.path == tmp_path / "sweeps" / "sweep"
    assert result.trials["status"].tolist() == ["finished", "stopped early"]
    assert result.trials["model"].dropna().tolist() == [str(paths.model("2-way-seed-0"))]
    assert result.trials["reason"].tolist() == ["", "held-out accuracy 0.5 at step 4"]
    assert result.records.empty


def test_with_a_storage_models_are_at_its_url(tmp_path: Path) -> None:
    config = SweepConfig.create(strategies="2-way", results=tmp_path, storage=(tmp_path / "shared").as_uri())
    assert config.storage
    paths = SweepPaths.of(config.name, config.results)
    paths.finish("2-way-seed-0", seconds=1.5, runs=[])
    result = SweepResult.read(config.trials(), paths, Storage(config.storage, config.name))
    assert result.trials["model"].tolist() == [f"{config.storage}/sweep/trials/2-way-seed-0/sweep/models/2-way-seed-0"]


def test_a_failed_trial_is_a_row_with_its_reason_and_is_in_the_report(tmp_path: Path) -> None:
    config = SweepConfig.create(models=["mini/base", "mini/mix"], studies=["shots"], results=tmp_path)
    paths, trials = SweepPaths.of(config.name, config.results), config.trials()
    paths.finish(trials[0].name, seconds=1.5, runs=[], device="cpu", memory=3 << 29)
    result = SweepResult.read(trials, paths, failed={trials[1].name: "its worker died"})
    assert result.trials["status"].tolist() == ["finished", "failed"]
    assert result.trials["model"].tolist() == ["mini/base", "mini/mix"]
    assert write_sweep_report(config, trials, result, ["lcl", "sweep", "x.yaml"]) == result.path / "report.html"
    report = (result.path / "report.md").read_text(encoding="utf-8")
    assert "- 2 trials: 1 finished, 1 failed; together they took 2 s" in report
    assert "| mini_base-seed-0 | 0 | finished | 1.5 | cpu | 1.5 GiB | mini/base |  |" in report
    assert "| mini_mix-seed-0 | 0 | failed |  |  |  | mini/mix | its worker died |" in report


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = SweepConfig.create(models=["mini/base"], studies=["shots"], results=tmp_path)
    paths = SweepPaths.of(config.name, config.results)
    paths.finish("mini_base-seed-0", seconds=1.5, runs=["shots/gone"])
    result = SweepResult.read(config.trials(), paths)
    assert write_sweep_report(config, config.trials(), result, ["lcl"]) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("the report of the sweep could not be written: ")
