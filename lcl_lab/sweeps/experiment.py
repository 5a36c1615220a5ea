"""The trials as an experiment of Ray Tune: where each runs, how often it is retried, when it is stopped early."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.util.client import ray as client
from ray.util.queue import Empty, Queue

from lcl_lab.errors import UserError
from lcl_lab.ray_cluster import HEAD
from lcl_lab.sweeps.monitor import Note, TuneMonitor
from lcl_lab.sweeps.registrations import Registrations
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.suggested_trials import suggested_trial
from lcl_lab.sweeps.suggester import SuggestedBefore, Suggester
from lcl_lab.sweeps.sweep_config import Logger, Stopping, SweepConfig
from lcl_lab.sweeps.sweep_paths import SweepPaths
from lcl_lab.sweeps.trial import Trial
from lcl_lab.sweeps.trial_resources import needs_one_node, trial_bundles
from lcl_lab.sweeps.trial_worker import run_stored_trial, run_trial

__all__ = ["Halving", "create_loggers", "run_trials"]

_EXPERIMENTS = "ray"  # folder of Ray Tune itself; only TensorBoard reads it


def run_trials(
    config: SweepConfig,
    trials: Sequence[Trial],
    paths: SweepPaths,
    storage: Storage | None,
    note: Note,
    before: SuggestedBefore | None = None,
) -> None:
    """Run trials on the cluster that this process is connected to.

    Args:
        config: the sweep.
        trials: the trials to run.
        paths: where workers write if they share a folder.
        storage: where they write otherwise.
        note: receives what happens to each trial, see `TuneMonitor`, and in a search by Optuna which trials there are,
            see `Suggester`.
        before: the trials of a search by Optuna so far; others follow.

    Raises:
        OSError: Ray cannot write its files.
    """
    registrations = Registrations.for_trials(trials or config.probes())
    if client.is_connected():
        _run_on_head(config, trials, paths, storage, registrations, note, before)
    else:
        _tune(config, trials, paths, storage, registrations, note, before)


def _run_on_head(
    config: SweepConfig,
    trials: Sequence[Trial],
    paths: SweepPaths,
    storage: Storage | None,
    registrations: Registrations,
    note: Note,
    before: SuggestedBefore | None,
) -> None:
    """Run Ray Tune on the cluster's head, since a client of `ray://` cannot, and forward its notes to here."""
    notes = Queue(actor_options={"num_cpus": 0, "resources": HEAD})
    remote: Any = ray.remote(_tune).options(num_cpus=0, resources=HEAD, max_retries=0)
    running = remote.remote(config, trials, paths, storage, registrations, lambda *event: notes.put(event), before)
    ended = False
    while not ended or not notes.empty():
        ended = bool(ray.wait([running], timeout=0)[0])
        try:
            note(*notes.get(timeout=1))
        except Empty:
            continue
    ray.get(running)


def _tune(
    config: SweepConfig,
    trials: Sequence[Trial],
    paths: SweepPaths,
    storage: Storage | None,
    registrations: Registrations,
    note: Note,
    before: SuggestedBefore | None,
) -> None:
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # keeps relative paths valid
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"  # not every report has an accuracy
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # with it, an interrupted experiment counts as a finished one
    os.environ["TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S"] = "0"
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # the monitor shows why a trial failed
    by_name = {trial.name: trial for trial in trials}

    def trainable(parameters: dict[str, Any]) -> None:
        registrations.restore()
        name = parameters["trial"]["name"]
        if before and name not in by_name:
            trial = suggested_trial(config, before.metric, parameters["number"], parameters["setting"])
        else:
            trial = by_name[name]
        if storage:
            run_stored_trial(trial, storage, _report)
        else:
            run_trial(trial, paths, _report)

    location: dict[str, Any] = {"storage_path": str(paths.folder / _EXPERIMENTS)}
    if storage:
        location = {"storage_path": f"{storage.root}/{_EXPERIMENTS}", "storage_filesystem": storage.files}
    suggester = Suggester(config, before, config.workers or _fitting(config), note) if before else None
    strategy = "STRICT_PACK" if needs_one_node(config) else "PACK"
    tuner = tune.Tuner(
        tune.with_resources(trainable, tune.PlacementGroupFactory(trial_bundles(config), strategy=strategy)),
        param_space=None if suggester else {"trial": tune.grid_search([trial.parameters for trial in trials])},
        tune_config=tune.TuneConfig(
            search_alg=suggester,
            num_samples=suggester.remaining if suggester else 1,
            scheduler=Halving(config.stopping) if config.stopping else None,
            max_concurrent_trials=None if suggester else config.workers,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="trials",
            failure_config=tune.FailureConfig(max_failures=config.retries),
            callbacks=[TuneMonitor(note), *create_loggers(config, paths.folder)],
            verbose=0,
            **location,
        ),
    )
    with redirect_stdout(io.StringIO()):  # Ray prints failed trials whatever its verbosity
        tuner.fit()


def _fitting(config: SweepConfig) -> int:
    """How many trials run at once on the cluster, if each fits where there is room."""
    resources = ray.cluster_resources()
    bundles = trial_bundles(config)
    needed = {key: sum(bundle[key] for bundle in bundles) for key in bundles[0]}
    return max(1, int(min(resources.get(key, 0.0) / count for key, count in needed.items() if count)))


def _report(line: dict[str, Any]) -> None:
    """Report to Ray Tune; lines of the training's log count its steps."""
    tune.report({**line, "timesteps_total": line["step"]} if "step" in line else line)


class Halving(ASHAScheduler):
    """Asynchronous successive halving that never stops a training at its last step, since its studies come next.

    Args:
        stopping: the options of the sweep.
    """

    def __init__(self, stopping: Stopping) -> None:
        super().__init__(
            time_attr="step",
            metric="accuracy",
            mode="max",
            grace_period=stopping.first,
            max_t=stopping.last,
            reduction_factor=stopping.factor,
            stop_last_trials=False,
        )
        self._last = stopping.last

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """The decision about a trial that reports; `result` has the `step` and the `steps` of its training."""
        decision: str = super().on_trial_result(controller, trial, result)
        finished = "step" in result and result["step"] >= min(self._last, result["steps"])
        return TrialScheduler.CONTINUE if finished else decision


def create_loggers(config: SweepConfig, folder: Path) -> list[tune.Callback]:
    """Create and set up the loggers of a sweep. Their own environment variables say where they write, and as whom.

    Args:
        config: the sweep.
        folder: its folder, where MLflow writes by default.

    Raises:
        UserError: a logger cannot be used.
    """
    os.environ.setdefault("MLFLOW_TRACKING_URI", (folder / "mlflow").as_uri())
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    loggers = []
    for name in config.loggers:
        logger: Any = _LOGGERS[name](folder)
        try:
            logger.setup()
        except Exception as error:  # servers and settings fail in many ways
            raise UserError(" ".join(str(error).split())[:300], option="loggers", value=name) from error
        loggers.append(logger)
    return loggers


def _mlflow(folder: Path) -> tune.Callback:
    from ray.air.integrations.mlflow import MLflowLoggerCallback  # noqa: PLC0415 - needs an optional extra

    return MLflowLoggerCallback(experiment_name=folder.name)


def _wandb(folder: Path) -> tune.Callback:
    from ray.air.integrations.wandb import WandbLoggerCallback  # noqa: PLC0415 - needs an optional extra

    return WandbLoggerCallback(project="lcl-lab", group=folder.name)


_LOGGERS: Mapping[Logger, Callable[[Path], tune.Callback]] = {"mlflow": _mlflow, "wandb": _wandb}
