"""Runs the trials of a sweep with Ray Tune, on this machine or on a cluster, and goes on with a killed one."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import ray
from filelock import FileLock, Timeout
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from lcl_lab.errors import UserError
from lcl_lab.sweeps.plan import Logger, Stopping, Sweep, Trial
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.trial import Place, fetch_trial, run_stored_trial, run_trial
from lcl_lab.sweeps.watch import Watch

__all__ = ["drive"]

_EXPERIMENTS = "ray"  # of Ray Tune itself; nothing is read from there again


def drive(
    sweep: Sweep, place: Place, storage: Storage | None, address: str | None, workers: int | None
) -> dict[str, str]:
    """Run every trial that is not finished; the reasons of those that failed after all retries, by name.

    Without `storage` the workers share the folders of `place`; with it they work there, and what they find is brought
    here.

    Raises:
        UserError: another process has this sweep, the storage cannot be used, or the cluster has not what a trial
            needs.
    """
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {place.folder}: {error.strerror}") from error
    with _locked(place.folder), storage.claimed() if storage else nullcontext():
        trials = list(sweep.trials())
        if storage:
            for trial in trials:
                if not place.finished(trial):
                    fetch_trial(trial, storage, place)
        if all(place.finished(trial) for trial in trials):
            return {}
        _connect(sweep, address, workers)
        try:
            return _run(sweep, place, storage, trials, workers)
        finally:
            ray.shutdown()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / "sweep.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: another process runs this sweep; wait for it, or stop it") from None
    try:
        yield
    finally:
        lock.release()


def _connect(sweep: Sweep, address: str | None, workers: int | None) -> None:
    """A cluster of `address`, the one that a job runs on, or one on this machine."""
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # relative paths mean what they mean here
    os.environ["TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S"] = "0"
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # why a trial failed is told by the table
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address or os.environ.get("RAY_ADDRESS"):
        try:
            ray.init(address=address, **options)
        except (ConnectionError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"--address {address}: no cluster answers: {reason}") from error
    else:
        cores = workers * sweep.cpu if workers else os.cpu_count() or 1
        ray.init(num_cpus=max(cores, sweep.cpu), include_dashboard=False, **options)
    have = ray.cluster_resources()
    for name, key, needed in (("cpu", "CPU", sweep.cpu), ("gpu", "GPU", sweep.gpu)):
        if needed > have.get(key, 0):
            ray.shutdown()
            raise UserError(f"{name}: {needed:g} a trial: the cluster has {have.get(key, 0):g} in all")


def _run(
    sweep: Sweep, place: Place, storage: Storage | None, trials: Sequence[Trial], workers: int | None
) -> dict[str, str]:
    by_name = {trial.name: trial for trial in trials}
    left = [trial for trial in trials if not place.finished(trial)]

    def trainable(config: dict[str, Any]) -> None:
        trial = by_name[config["trial"]["name"]]
        if storage:
            run_stored_trial(trial, storage, _tell)
        else:
            run_trial(trial, place, _tell)

    def ended(name: str, told: dict[str, Any]) -> bool:
        trial = by_name[name]
        if storage:
            fetch_trial(trial, storage, place)
        if not place.finished(trial):
            place.finish(trial, stopped=told)
            return False
        return True

    where: dict[str, Any] = {"storage_path": str(place.folder / _EXPERIMENTS)}
    if storage:
        where = {"storage_path": f"{storage.root}/{_EXPERIMENTS}", "storage_filesystem": storage.files}
    watch = Watch(place.folder, list(by_name), [name for name, trial in by_name.items() if trial not in left], ended)
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": sweep.cpu, "gpu": sweep.gpu}),
        param_space={"trial": tune.grid_search([trial.told for trial in left])},
        tune_config=tune.TuneConfig(
            scheduler=_halving(sweep.stopping), max_concurrent_trials=workers, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="trials",
            failure_config=tune.FailureConfig(max_failures=sweep.retries),
            callbacks=[watch, *(_logger(name, place.folder) for name in sweep.loggers)],
            verbose=0,
            **where,
        ),
    )
    try:
        with redirect_stdout(io.StringIO()):  # Ray prints of failed trials whatever its verbosity
            tuner.fit()
    except (OSError, EOFError):  # of Ray's own files, on a full disk; the trials say why
        if not watch.failed:
            raise
    return watch.failed


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


def _logger(name: Logger, folder: Path) -> tune.Callback:
    """Where they keep things, and as whom, is said by their own environment variables."""
    if name == "mlflow":
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        return MLflowLoggerCallback(experiment_name=folder.name)
    from ray.air.integrations.wandb import WandbLoggerCallback

    return WandbLoggerCallback(project="lcl-lab", group=folder.name)
