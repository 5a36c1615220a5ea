"""Runs the trials of a sweep on this machine or on a cluster, and goes on with a killed one."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import ray
from filelock import FileLock, Timeout
from ray.util.client import ray as client
from rich.console import Console

from lcl_lab.errors import UserError
from lcl_lab.sweeps.experiment import loggers, tune_trials
from lcl_lab.sweeps.monitor import STARTING, Board
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.sweep_config import Sweep, Trial
from lcl_lab.sweeps.trial import TRAINING, Place, fetch_trial

__all__ = ["drive"]

_PATIENCE = 10  # seconds that a cluster has to answer
_HEAD = {"node:__internal_head__": 0.001}  # Ray's own name for the node that lasts as long as the cluster


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
        loggers(sweep, place.folder)
        with Console(stderr=True).status("starting Ray …"):
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
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    wanted = address or os.environ.get("RAY_ADDRESS")
    if wanted:
        try:
            _check_address(wanted)
            with warnings.catch_warnings(action="ignore"):  # the error says the same
                ray.init(address=address, **options)
        except (OSError, ValueError, RuntimeError) as error:  # the last: of another version of Ray
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise UserError(f"--address {wanted}: no cluster answers: {reason}") from error
    else:
        cores = max(workers * sweep.cpu if workers else os.cpu_count() or 1, sweep.cpu)
        check_resources(sweep, [{"CPU": float(cores), "GPU": float(_gpus() if sweep.gpu else 0)}])
        ray.init(num_cpus=cores, include_dashboard=False, **options)
    try:
        check_resources(sweep, [node["Resources"] for node in ray.nodes() if node["Alive"]])
    except UserError:
        ray.shutdown()
        raise


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _check_address(address: str) -> None:
    """Raises OSError where nobody listens, for which Ray looks many minutes; ValueError for what is no address."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        raise ValueError("give auto, HOST:PORT, or ray://HOST:PORT")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def check_resources(sweep: Sweep, nodes: Sequence[Mapping[str, float]]) -> None:
    """Whether one of some nodes has what a trial needs: Ray would wait for ever.

    Raises:
        UserError: none has.
    """
    needed = {"CPU": float(sweep.cpu), "GPU": sweep.gpu}
    for key, count in needed.items():
        most = max(node.get(key, 0.0) for node in nodes)
        if count > most:
            raise UserError(f"{key.lower()}: {count:g} a trial: the most that one machine has is {most:g}")
    if not any(all(node.get(key, 0.0) >= count for key, count in needed.items()) for node in nodes):
        raise UserError(f"cpu: {sweep.cpu}, gpu: {sweep.gpu:g} a trial: no machine of the cluster has both")


def _run(
    sweep: Sweep, place: Place, storage: Storage | None, trials: Sequence[Trial], workers: int | None
) -> dict[str, str]:
    by_name = {trial.name: trial for trial in trials}
    finished = [trial.name for trial in trials if place.finished(trial)]
    left = [trial for trial in trials if trial.name not in finished]

    def ended(name: str, told: dict[str, Any]) -> bool:
        trial = by_name[name]
        if storage:
            fetch_trial(trial, storage, place)
        if place.finished(trial) or sweep.stopping is None:
            return True
        place.finish(trial, stopped=told)
        return False

    parts = [STARTING, TRAINING, *(str(study["study"]) for study in sweep.studies)]
    with Board(place.folder, list(by_name), finished, parts, ended) as board:
        try:
            if client.is_connected():
                _follow(board, sweep, left, place, storage, workers)
            else:
                tune_trials(sweep, left, place, storage, workers, board.note)
        except (OSError, EOFError):  # of Ray's own files, on a full disk; the trials say why
            if not board.failed:
                raise
    return board.failed


def _follow(board: Board, sweep: Sweep, left: Sequence[Trial], *given: Any) -> None:
    """Drive from the cluster's head, since a client of `ray://` cannot, and show here what is noted there."""
    from ray.util.queue import Empty, Queue

    notes = Queue(actor_options={"num_cpus": 0, "resources": _HEAD})
    driver: Any = ray.remote(tune_trials).options(num_cpus=0, resources=_HEAD, max_retries=0)
    running = driver.remote(sweep, left, *given, lambda *told: notes.put(told))
    over = False
    while not over or not notes.empty():
        over = bool(ray.wait([running], timeout=0)[0])
        try:
            board.note(*notes.get(timeout=1))
        except Empty:
            continue
    ray.get(running)
