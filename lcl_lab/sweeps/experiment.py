"""A sweep's trials as an experiment of Ray Tune: where each runs, how often it is tried, when it is stopped early."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler

from lcl_lab.errors import UserError
from lcl_lab.sweeps.monitor import Watch
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.sweep_config import Logger, Stopping, Sweep, Trial
from lcl_lab.sweeps.trial import Place, run_stored_trial, run_trial

__all__ = ["loggers", "tune_trials"]

_EXPERIMENTS = "ray"  # of Ray Tune itself; nothing is read from there again


def tune_trials(
    sweep: Sweep,
    trials: Sequence[Trial],
    place: Place,
    storage: Storage | None,
    workers: int | None,
    note: Callable[[str, str, dict[str, Any]], None],
) -> None:
    """Run trials on the cluster that this process is connected to, at most `workers` at a time.

    `note` gets what becomes of each, see `Watch`. Raises OSError where Ray cannot write its own files.
    """
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # relative paths mean what they mean here
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"  # not every report has an accuracy
    os.environ["TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S"] = "0"
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # why a trial failed is noted
    by_name = {trial.name: trial for trial in trials}

    def trainable(config: dict[str, Any]) -> None:
        trial = by_name[config["trial"]["name"]]
        if storage:
            run_stored_trial(trial, storage, _tell)
        else:
            run_trial(trial, place, _tell)

    where: dict[str, Any] = {"storage_path": str(place.folder / _EXPERIMENTS)}
    if storage:
        where = {"storage_path": f"{storage.root}/{_EXPERIMENTS}", "storage_filesystem": storage.files}
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": sweep.cpu, "gpu": sweep.gpu}),
        param_space={"trial": tune.grid_search([trial.told for trial in trials])},
        tune_config=tune.TuneConfig(
            scheduler=_halving(sweep.stopping), max_concurrent_trials=workers, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="trials",
            failure_config=tune.FailureConfig(max_failures=sweep.retries),
            callbacks=[Watch(note), *loggers(sweep, place.folder)],
            verbose=0,
            **where,
        ),
    )
    with redirect_stdout(io.StringIO()):  # Ray prints of failed trials whatever its verbosity
        tuner.fit()


def _tell(line: dict[str, Any]) -> None:
    """Report to Ray Tune, by the steps of the training where a line has them."""
    tune.report({**line, "timesteps_total": line["step"]} if "step" in line else line)


def _halving(stopping: Stopping | None) -> ASHAScheduler | None:
    if stopping is None:
        return None
    return ASHAScheduler(
        time_attr="step",
        metric="accuracy",
        mode="max",
        grace_period=stopping.first,
        max_t=stopping.last,
        reduction_factor=stopping.factor,
        stop_last_trials=False,  # a training ends by itself, and its studies come after
    )


def loggers(sweep: Sweep, folder: Path) -> list[tune.Callback]:
    """The loggers of a sweep, ready. Where they keep things, and as whom, their own environment variables say.

    Raises:
        UserError: one of them cannot be used.
    """
    os.environ.setdefault("MLFLOW_TRACKING_URI", (folder / "mlflow").as_uri())
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    made = []
    for name in sweep.loggers:
        logger: Any = _LOGGERS[name](folder)
        try:
            logger.setup()
        except Exception as error:  # whatever their servers and settings lead to
            raise UserError(f"loggers: {name}: {' '.join(str(error).split())[:300]}") from error
        made.append(logger)
    return made


def _mlflow(folder: Path) -> tune.Callback:
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    return MLflowLoggerCallback(experiment_name=folder.name)


def _wandb(folder: Path) -> tune.Callback:
    from ray.air.integrations.wandb import WandbLoggerCallback

    return WandbLoggerCallback(project="lcl-lab", group=folder.name)


_LOGGERS: Mapping[Logger, Callable[[Path], tune.Callback]] = {"mlflow": _mlflow, "wandb": _wandb}
