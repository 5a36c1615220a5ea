from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.sweeps import SweepConfig
from lcl_lab.sweeps.experiment import create_loggers

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
