"""Runs the trials of a sweep with Ray Tune, on this machine or on a cluster, and goes on with a killed one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import ray
from filelock import FileLock, Timeout
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from lcl_lab.errors import UserError
from lcl_lab.sweeps.plan import Sweep, Trial
from lcl_lab.sweeps.trial import Place, run_trial
from lcl_lab.sweeps.watch import Watch

__all__ = ["drive"]

_EXPERIMENTS = "ray"  # of Ray Tune itself; nothing is read from there again


def drive(sweep: Sweep, place: Place, address: str | None, workers: int | None) -> dict[str, str]:
    """Run every trial that is not finished; the reasons of those that failed after all retries, by name.

    Raises:
        UserError: another process has this sweep, or the cluster has not what a trial needs.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.folder / "sweep.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{place.folder}: another process runs this sweep; wait for it, or stop it") from None
    try:
        trials = list(sweep.trials())
        left = [trial for trial in trials if not place.finished(trial)]
        if not left:
            return {}
        _connect(sweep, address, workers)
        try:
            return _run(sweep, place, trials, left, workers)
        finally:
            ray.shutdown()
    finally:
        lock.release()


def _connect(sweep: Sweep, address: str | None, workers: int | None) -> None:
    """A cluster of `address`, the one that a job runs on, or one on this machine."""
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # relative paths mean what they mean here
    os.environ["TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S"] = "0"
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
    sweep: Sweep, place: Place, trials: Sequence[Trial], left: Sequence[Trial], workers: int | None
) -> dict[str, str]:
    names = [trial.name for trial in trials]
    finished = [trial.name for trial in trials if trial not in left]
    watch = Watch(place.folder, names, finished)

    def trainable(config: dict[str, Any]) -> None:
        run_trial(config["trial"], place, tune.report)

    stopping = None
    if sweep.stopping:
        stop = sweep.stopping
        stopping = ASHAScheduler(
            time_attr="step",
            metric="accuracy",
            mode="max",
            grace_period=stop.first,
            max_t=stop.last,
            reduction_factor=stop.factor,
        )
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": sweep.cpu, "gpu": sweep.gpu}),
        param_space={"trial": tune.grid_search(list(left))},
        tune_config=tune.TuneConfig(scheduler=stopping, max_concurrent_trials=workers, reuse_actors=True),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=str(place.folder / _EXPERIMENTS),
            failure_config=tune.FailureConfig(max_failures=sweep.retries),
            callbacks=[watch],
            verbose=0,
        ),
    )
    results = tuner.fit()
    failed = ((results[k].config or {}, results[k].error) for k in range(len(results)))
    return {config["trial"].name: str(error).strip().splitlines()[-1] for config, error in failed if error}
