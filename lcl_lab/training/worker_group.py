"""Trains one model in several processes of a Ray cluster, which share each batch as under `accelerate launch`.

The processes are actors in the resources of the sweep's trial, or on the nodes of a cluster. A `TorchTrainer` of Ray
Train reserves a second placement group next to that of the trial, so trials that wait for each other could block.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Read when Ray is imported; see `ray_cluster`.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
from ray.exceptions import RayActorError, RayError
from rich.progress import Progress

from lcl_lab import concepts, strategies, training
from lcl_lab.concepts.dataset import Dataset
from lcl_lab.concepts.datasets import registered_datasets
from lcl_lab.errors import UserError
from lcl_lab.evaluation.worker_places import Place, connected_places
from lcl_lab.models.checkpoint import TRAINING
from lcl_lab.safe_console import SafeConsole
from lcl_lab.strategies.registry import registered_strategies
from lcl_lab.strategies.strategy import Strategy
from lcl_lab.training.log import COLUMNS, TrainingLog
from lcl_lab.training.plan import check_training
from lcl_lab.training.train_config import TrainConfig

__all__ = ["Trained", "train_on_workers"]

_MOST_LOSSES = 3  # how often the group is started again after a worker was lost
_MOMENT = 0.5  # seconds between two looks at the progress
# What `accelerate launch` sets. Layers are sharded one by one; the module of the loss names their classes.
_SHARDED = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP"}
_GRACE = 10.0  # seconds in which the reason of a failure appears: the others fail because one is lost

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Trained:
    """What is known of a training that has finished: its steps and its seconds."""

    steps: int
    seconds: float


@dataclass(frozen=True)
class _Job:
    """What each worker needs to train: the options, and what is registered in the driver's process."""

    config: TrainConfig
    folder: str
    datasets: dict[str, Dataset] = field(default_factory=registered_datasets)
    strategies: dict[str, Strategy] = field(default_factory=registered_strategies)


@dataclass(frozen=True)
class _Look:
    """The progress of a worker: its steps, all steps, the note of its bar, and lines since the last look."""

    done: int
    steps: int | None
    note: str
    lines: Sequence[dict[str, Any]]


class _Worker:
    """One process of a training."""

    def __init__(self) -> None:
        self._log: TrainingLog | None = None
        self._lines: list[dict[str, Any]] = []

    def address(self) -> tuple[str, int]:
        """Where this process can listen for the others."""
        with socket.socket() as free:
            free.bind(("", 0))
            return ray.util.get_node_ip_address(), int(free.getsockname()[1])

    def train(self, job: _Job, variables: dict[str, str]) -> Trained | UserError:
        """Train, and return the error of a user rather than raise it, which would wrap it."""
        os.environ.update(variables)
        if os.path.isdir(job.folder):
            os.chdir(job.folder)
        for name, dataset in job.datasets.items():
            concepts.register_dataset(dataset, name)
        for strategy in job.strategies.values():
            strategies.register_strategy(strategy)
        config = job.config
        if not (config.out / TRAINING).exists():
            return UserError("is not a folder that all workers share", option="out", value=config.out)
        try:
            self._log = TrainingLog(config.out, config.strategy, self._lines.append)
            training.train_strategy(check_training(config), self._log)
        except UserError as error:
            return error
        return Trained(self._log.done, self._log.seconds)

    def look(self) -> _Look:
        """The progress so far."""
        lines, self._lines[:] = list(self._lines), []
        log = self._log
        return _Look(log.done, log.steps, log.note, lines) if log else _Look(0, None, "", lines)


def train_on_workers(config: TrainConfig, threads: int, report: Report | None) -> Trained:
    """Train in `config.workers` processes. A lost one restarts all of them from the last checkpoint.

    Args:
        config: the options; the output folder exists and is shared by all workers.
        threads: CPU threads of all workers together, on this machine.
        report: see `train_model`.

    Raises:
        UserError: training is not possible, or workers were lost too often.
    """
    with connected_places(config.workers, None) as places:
        for _ in range(_MOST_LOSSES + 1):
            trained = _train_once(config, places, threads, report)
            if trained is not None:
                return trained
    reason = f"a worker was lost {_MOST_LOSSES + 1} times, perhaps for lack of memory; the same command resumes"
    raise UserError(reason, option="workers", value=config.workers)


def _train_once(config: TrainConfig, places: Sequence[Place], threads: int, report: Report | None) -> Trained | None:
    """One attempt; None if a worker was lost."""
    actor: Any = ray.remote(_Worker)
    workers = [actor.options(**place.options, max_concurrency=2).remote() for place in places]
    try:
        with SafeConsole(stderr=True, force_jupyter=False).status(f"starting {len(workers)} workers …"):
            host, port = ray.get(workers[0].address.remote())
        running = []
        for rank, (worker, place) in enumerate(zip(workers, places, strict=True)):
            cores = config.threads or max(place.threads, threads // place.processes if place.processes > 1 else 1)
            own = config.model_copy(update={"out": Path(config.out).absolute(), "threads": cores})
            variables = _variables(rank, len(workers), host, port, cores, place) | (_SHARDED if config.fsdp else {})
            running.append(worker.train.remote(_Job(own, os.getcwd()), variables))
        return _follow(workers[0], running, config.strategy, report)
    except RayActorError:
        return None
    finally:
        for worker in workers:
            ray.kill(worker)


def _variables(rank: int, count: int, host: str, port: int, threads: int, place: Place) -> dict[str, str]:
    """What `torchrun` would set; each worker sees its own GPUs only, as the only process of a machine would."""
    variables = {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    variables |= {"MASTER_ADDR": host, "MASTER_PORT": str(port), "OMP_NUM_THREADS": str(threads)}
    return variables | ({"CUDA_VISIBLE_DEVICES": place.visible_gpus} if place.visible_gpus is not None else {})


def _follow(main: Any, running: Sequence[Any], title: str, report: Report | None) -> Trained:
    """Show the progress of the main worker until all have finished.

    Raises:
        UserError: a worker returned it.
        RayActorError: a worker was lost.
    """
    waiting = list(running)
    with Progress(*COLUMNS, console=SafeConsole(stderr=True, force_jupyter=False)) as bar:
        task = bar.add_task(title, total=None, note="")
        while True:
            ended, waiting = ray.wait(waiting, timeout=_MOMENT) if waiting else ([], [])
            failure = next(filter(None, map(_failure, ended)), None)
            if failure is not None:
                raise _reason(failure, waiting)
            look: _Look = ray.get(main.look.remote())
            bar.update(task, total=look.steps, completed=look.done, note=look.note)
            for line in look.lines if report else ():
                assert report is not None
                report(line)
            if not waiting:
                trained: Trained = ray.get(running[0])
                return trained


def _failure(ended: Any) -> Exception | None:
    try:
        result = ray.get(ended)
    except RayError as error:
        return error
    return result if isinstance(result, UserError) else None


def _reason(failure: Exception, waiting: list[Any]) -> Exception:
    """Why a group failed: a user's mistake or a lost worker rather than the broken connection of the others."""
    failures = [failure]
    while waiting and not any(isinstance(one, UserError | RayActorError) for one in failures):
        ended, waiting = ray.wait(waiting, timeout=_GRACE)
        if not ended:
            break
        failures += filter(None, map(_failure, ended))
    return next((one for one in failures if isinstance(one, UserError | RayActorError)), failure)
