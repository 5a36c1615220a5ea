"""Connects to a Ray cluster, or starts one on this machine, and checks that a trial fits on one of its nodes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from lcl_lab.errors import UserError
from lcl_lab.ray_cluster import cluster_nodes, given_address, join_cluster, leave_cluster, start_cluster
from lcl_lab.safe_console import SafeConsole
from lcl_lab.sweeps.sweep_config import SweepConfig

__all__ = ["check_resources", "connected"]


@contextmanager
def connected(config: SweepConfig) -> Iterator[None]:
    """Connect to the cluster at `config.address` or RAY_ADDRESS, or start one on this machine.

    Raises:
        UserError: no cluster answers, or no node has the resources of a trial.
    """
    with SafeConsole(stderr=True, force_jupyter=False).status("starting Ray …"):
        _connect(config)
    try:
        check_resources(config, cluster_nodes())
        yield
    finally:
        leave_cluster()


def check_resources(config: SweepConfig, nodes: Sequence[Mapping[str, float]]) -> None:
    """Check that a trial fits on one node; Ray would wait forever.

    Args:
        config: the sweep, with `cpu` and `gpu` of a trial.
        nodes: resources of each node, such as ``{"CPU": 8.0, "GPU": 1.0}``.

    Raises:
        UserError: no node has enough.
    """
    needed = {"CPU": float(config.cpu), "GPU": config.gpu}
    for key, count in needed.items():
        most = max(node.get(key, 0.0) for node in nodes)
        if count > most:
            reason = f"too many for a trial; the largest machine has {most:g}"
            raise UserError(reason, option=key.lower(), value=f"{count:g}")
    if not any(all(node.get(key, 0.0) >= count for key, count in needed.items()) for node in nodes):
        reason = f"no machine of the cluster has {config.cpu} CPU cores and {config.gpu:g} GPUs together"
        raise UserError(reason, option="gpu", value=f"{config.gpu:g}")


def _connect(config: SweepConfig) -> None:
    address = config.address or given_address()
    if address:
        join_cluster(address)
        return
    cores = max((config.workers or 0) * config.cpu or os.cpu_count() or 1, config.cpu)
    check_resources(config, [{"CPU": float(cores), "GPU": float(torch.cuda.device_count() if config.gpu else 0)}])
    start_cluster(cores)
