from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from lcl_lab.errors import UserError
from lcl_lab.sweeps import Stopping, SweepConfig
from lcl_lab.sweeps.experiment import Halving, create_loggers

CONFIG = SweepConfig.create(strategies="2-way", loggers="mlflow")
VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_ALLOW_FILE_STORE")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that it is restored afterwards
        monkeypatch.delenv(name)


def test_mlflow_writes_to_the_folder_of_the_sweep_by_default(tmp_path: Path) -> None:
    (logger,) = create_loggers(CONFIG, tmp_path)
    assert logger.experiment_name == tmp_path.name
    assert list((tmp_path / "mlflow").rglob("meta.yaml"))


def test_a_logger_that_cannot_be_used_is_reported_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    with pytest.raises(UserError, match="loggers mlflow: ") as error:
        create_loggers(CONFIG, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("last", "steps"), [(8, 8), (8, 100), (100, 8)])
def test_a_training_that_has_reached_its_last_step_is_not_stopped(last: int, steps: int) -> None:
    """Each of the steps 2, 4 and 8 decides; the second trial is the worse one at the last of them that it reports."""
    scheduler = Halving(Stopping(first=2, last=last, factor=2))

    def decisions(name: str, accuracies: dict[int, float]) -> list[str]:
        trial = SimpleNamespace(trial_id=name)
        scheduler.on_trial_add(None, trial)
        lines = [{"step": step, "steps": steps, "accuracy": accuracy} for step, accuracy in accuracies.items()]
        return [scheduler.on_trial_result(None, trial, line) for line in lines]

    assert decisions("first", {2: 0.5, 4: 0.5, 8: 0.5}) == ["CONTINUE"] * 3
    assert decisions("finished", {2: 0.5, 4: 0.5, 8: 0.1}) == ["CONTINUE"] * 3
    assert decisions("worse", {2: 0.5, 4: 0.1}) == ["CONTINUE", "STOP"]


def test_a_report_without_accuracy_stops_nothing() -> None:
    scheduler, trial = Halving(Stopping(first=2)), SimpleNamespace(trial_id="one")
    scheduler.on_trial_add(None, trial)
    assert scheduler.on_trial_result(None, trial, {"doing": "training"}) == "CONTINUE"
