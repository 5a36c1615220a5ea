"""Connects to a Ray cluster, or starts one on this machine, and checks that a trial fits on one of its nodes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from lcl_lab.errors import UserError
from lcl_lab.ray_cluster import given_address, join_cluster, leave_cluster, nodes_with_room, start_cluster
from lcl_lab.safe_console import SafeConsole
from lcl_lab.sweeps.sweep_config import SweepConfig

__all__ = ["check_resources", "connected"]


@contextmanager
def connected(config: SweepConfig, workers: int = 1, together: bool = False) -> Iterator[None]:
    """Connect to the cluster at `config.address` or RAY_ADDRESS, or start one on this machine.

    Args:
        config: the sweep.
        workers: of each trial.
        together: whether all of them need the same node.

    Raises:
        UserError: no cluster answers, or it has no room for a trial and cannot grow to have it.
    """
    with SafeConsole(stderr=True, force_jupyter=False).status("starting Ray …"):
        _connect(config, workers)
    try:
        waiting = "no trial fits yet; the sweep waits until the autoscaler of the cluster has added nodes"
        nodes_with_room(lambda nodes: check_resources(config, nodes, workers, together), workers, waiting)
        yield
    finally:
        leave_cluster()


def check_resources(
    config: SweepConfig, nodes: Sequence[Mapping[str, float]], workers: int = 1, together: bool = False
) -> None:
    """Check that each worker of a trial fits on a node, and that all of them fit at once; Ray would wait forever.

    Args:
        config: the sweep, with `cpu` and `gpu` of a worker.
        nodes: resources of each node, such as ``{"CPU": 8.0, "GPU": 1.0}``.
        workers: of a trial; a trial with one runs on a single node.
        together: whether all of them need the same node.

    Raises:
        UserError: the nodes do not have enough.
    """
    one = "a trial" if workers == 1 else "a worker"
    needed = {"CPU": float(config.cpu), "GPU": config.gpu}
    for key, count in needed.items():
        most = max(node.get(key, 0.0) for node in nodes)
        if count > most:
            reason = f"too many for {one}; the largest machine has {most:g}"
            raise UserError(reason, option=key.lower(), value=f"{count:g}")
    room = [min(int(node.get(key, 0.0) // count) for key, count in needed.items() if count) for node in nodes]
    fitting = max(room) if together else sum(room)
    if not fitting:
        reason = f"no machine of the cluster has {config.cpu} CPU cores and {config.gpu:g} GPUs together"
        raise UserError(reason, option="gpu", value=f"{config.gpu:g}")
    if fitting < workers:
        each = f"{config.cpu} CPU cores" + (f" and {config.gpu:g} GPUs" if config.gpu else "")
        where = " on one machine, which they need with storage" if together else ""
        reason = f"a trial has {workers} workers with {each} each, and there is room for {fitting}{where}"
        raise UserError(reason)  # of studies or of trainings


def _connect(config: SweepConfig, workers: int) -> None:
    address = config.address or given_address()
    if address:
        join_cluster(address)
        return
    cores = float(os.cpu_count() or 1)
    gpus = float(torch.cuda.device_count() if config.gpu else 0)
    # A trial may have more threads than there are cores; workers that share a core would only be slower.
    check_resources(config, [{"CPU": cores if workers > 1 else max(cores, float(config.cpu)), "GPU": gpus}], workers)
    start_cluster(max((config.workers or 0) * workers * config.cpu or int(cores), workers * config.cpu))
