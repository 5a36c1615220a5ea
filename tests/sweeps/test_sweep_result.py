from __future__ import annotations

from pathlib import Path

from lcl_lab.sweeps import SweepConfig, SweepPaths, SweepResult
from lcl_lab.sweeps.storage import Storage


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
