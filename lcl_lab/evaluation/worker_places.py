"""Where workers run: on this machine, on the nodes of a cluster, or in the resources of a trial of a sweep."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

# Read when Ray is imported; see `ray_cluster`.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
import torch
from ray.util import get_current_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from lcl_lab.errors import UserError
from lcl_lab.ray_cluster import given_address, join_cluster, leave_cluster, nodes_with_room, start_cluster

__all__ = ["Place", "check_workers", "connected_places"]


@dataclass(frozen=True)
class Place:
    """Where a worker runs.

    Attributes:
        options: of its actor.
        threads: its CPU threads.
        processes: the workers that share the memory of this machine; 1 where this is not known.
        visible_gpus: value of CUDA_VISIBLE_DEVICES, if it uses the GPUs of this process.
    """

    options: Mapping[str, Any]
    threads: int
    processes: int = 1
    visible_gpus: str | None = None


def check_workers(count: int, gpus: int | None) -> None:
    """Check that this machine has room for some workers, unless they run on a cluster.

    Args:
        count: the number of workers.
        gpus: GPUs of each; None for one where there are GPUs.

    Raises:
        UserError: there are too few CPU cores or GPUs.
    """
    if not (ray.is_initialized() or given_address()):
        _check_nodes(count, gpus, [_this_machine()])


@contextmanager
def connected_places(count: int, gpus: int | None) -> Iterator[list[Place]]:
    """Connect to a cluster, or start one on this machine, and find a place for each worker.

    Args:
        count: the number of workers.
        gpus: GPUs of each; None for one where there are GPUs.

    Raises:
        UserError: no cluster answers, or there are too few CPU cores or GPUs.
    """
    if ray.is_initialized():  # in a trial, or a notebook
        yield _places_in_trial(count) or _places_on_nodes(count, gpus)
        return
    address = given_address()
    if address:
        try:
            join_cluster(address)
        except UserError as error:
            raise UserError(f"RAY_ADDRESS {address}: {error.reason}") from error
    else:
        check_workers(count, gpus)
        start_cluster(count)
    try:
        if address:
            yield _places_on_nodes(count, gpus)
        else:
            threads = max(1, torch.get_num_threads() // count)
            options = {"num_cpus": 1, "num_gpus": _gpus_per_worker(gpus, [_this_machine()])}
            yield [Place(options, threads, count)] * count
    finally:
        leave_cluster()


def _places_in_trial(count: int) -> list[Place]:
    """The bundles that a sweep has reserved for this trial; none outside a trial.

    The trial's own process holds the resources of the first bundle and waits for the workers, so one of them may use
    these.
    """
    group = get_current_placement_group()
    if group is None:
        return []
    places = []
    for number, bundle in enumerate(group.bundle_specs[:count]):
        strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number)
        cores, gpus = (bundle.get("CPU", 0), bundle.get("GPU", 0)) if number else (0, 0)
        options = {"num_cpus": cores, "num_gpus": gpus, "scheduling_strategy": strategy}
        visible = None if number else os.environ.get("CUDA_VISIBLE_DEVICES")
        places.append(Place(options, max(1, int(bundle.get("CPU", 1))), visible_gpus=visible))
    return places


def _places_on_nodes(count: int, gpus: int | None) -> list[Place]:
    waiting = "waiting until the autoscaler of the cluster has added nodes for all workers"
    nodes = nodes_with_room(partial(_check_nodes, count, gpus), count, waiting)
    return [Place({"num_cpus": 1, "num_gpus": _gpus_per_worker(gpus, nodes)}, threads=1)] * count


def _check_nodes(count: int, gpus: int | None, nodes: Sequence[Mapping[str, float]]) -> None:
    """Refuse workers that do not fit; Ray would wait forever."""
    where = "this machine" if len(nodes) == 1 else "the cluster"
    cores = sum(int(node.get("CPU", 0)) for node in nodes)
    if count > cores:
        raise UserError(f"too many; {where} has {cores} CPU cores", option="workers", value=count)
    per_worker = _gpus_per_worker(gpus, nodes)
    if not per_worker:
        return
    available = sum(int(node.get("GPU", 0)) for node in nodes)
    if per_worker > max(int(node.get("GPU", 0)) for node in nodes):
        most = max(int(node.get("GPU", 0)) for node in nodes)
        raise UserError(f"too many; the largest machine has {most}", option="gpus_per_worker", value=per_worker)
    fitting = sum(min(int(node.get("GPU", 0)) // per_worker, int(node.get("CPU", 0))) for node in nodes)
    if count > fitting:
        each = "1 GPU" if per_worker == 1 else f"{per_worker} GPUs"
        reason = f"too many with {each} each; {where} has {available}, enough for {fitting}"
        raise UserError(reason, option="workers", value=count)


def _gpus_per_worker(gpus: int | None, nodes: Sequence[Mapping[str, float]]) -> int:
    return gpus if gpus is not None else int(any(node.get("GPU", 0) >= 1 for node in nodes))


def _this_machine() -> dict[str, float]:
    return {"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count())}
