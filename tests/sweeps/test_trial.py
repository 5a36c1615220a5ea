from __future__ import annotations

import pytest

from lcl_lab.errors import UserError
from lcl_lab.sweeps import SweepConfig, check_sweep


def test_a_missing_logger_is_reported_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcl_lab.sweeps.trial.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"loggers wandb: is not installed; uv sync --extra wandb"):
        check_sweep(SweepConfig.create(strategies="2-way", loggers="wandb"))


def test_parameters_of_a_trial_name_its_strategy_and_seed() -> None:
    (trial,) = SweepConfig.create(strategies="folder/mine.py", seeds=4).trials()
    assert trial.parameters == {"name": "mine-seed-4", "strategy": "mine", "seed": 4}
    assert trial.training.strategy == "folder/mine.py"
