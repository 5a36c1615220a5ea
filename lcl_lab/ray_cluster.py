"""Joins a Ray cluster, or starts one on this machine that only this machine can reach."""

from __future__ import annotations

import json
import os
import socket
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

# Read when Ray is imported. Otherwise Ray, under `uv run`, packs the working directory for every worker.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
import yaml
from ray._private import ray_constants, worker
from ray._private.state import state
from ray.exceptions import RayError
from ray.experimental.internal_kv import _internal_kv_get

from lcl_lab.errors import UserError
from lcl_lab.safe_console import SafeConsole

__all__ = [
    "HEAD",
    "NodeGroup",
    "addable_nodes",
    "cluster_nodes",
    "given_address",
    "join_cluster",
    "leave_cluster",
    "node_groups",
    "nodes_with_room",
    "start_cluster",
]

HEAD = {"node:__internal_head__": 0.001}  # Ray's name for the node that lives as long as the cluster

_TIMEOUT = 10  # seconds that a cluster has to accept a connection
_ATTEMPTS = 3  # to connect, where the cluster fails to start the process of this client
_PAUSE = 2  # seconds between them
_GROUPS_TIMEOUT = 60  # seconds that the head node has to start a process, which reads what nodes may be added
_LAUNCHER_FILE = "~/ray_bootstrap_config.yaml"  # where `ray up` puts the configuration of the autoscaler
_print_to_stdstream = worker.print_to_stdstream
_OPTIONS: Mapping[str, Any] = {"log_to_driver": False, "logging_level": "error"}


def given_address() -> str | None:
    """The address in RAY_ADDRESS, where users of Ray expect one."""
    return os.environ.get("RAY_ADDRESS") or None


def start_cluster(cores: int) -> None:
    """Start a cluster on this machine.

    Args:
        cores: the number of CPU cores that it gives out.
    """
    _silence()
    with _on_loopback():
        # Without an address, Ray would join any cluster that was started on this machine.
        ray.init("local", num_cpus=cores, include_dashboard=False, **_OPTIONS)


def join_cluster(address: str) -> None:
    """Connect to a cluster that runs.

    Args:
        address: ``auto``, ``HOST:PORT``, or ``ray://HOST:PORT``.

    Raises:
        UserError: no cluster answers, or it has another version of Ray.
    """
    try:
        _check_address(address)
        _silence()
        with warnings.catch_warnings(action="ignore"):  # they repeat the exception
            _join(address)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: the cluster has another version of Ray
        reason = getattr(error, "strerror", None) or _last_exception(str(error))
        raise UserError(f"no cluster answers: {reason}", option="address", value=address) from error


def cluster_nodes() -> list[Mapping[str, float]]:
    """The resources of each node of the cluster that this process is connected to, such as ``{"CPU": 8.0}``."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


@dataclass(frozen=True)
class NodeGroup:
    """Nodes of one kind that an autoscaler adds and removes.

    Attributes:
        resources: of a node, such as ``{"CPU": 8.0, "GPU": 1.0}``.
        most: how many there may be at once; -1 for any number.
    """

    resources: Mapping[str, float]
    most: int


def nodes_with_room(
    check: Callable[[Sequence[Mapping[str, float]]], None], count: int, waiting: str
) -> list[Mapping[str, float]]:
    """The resources of the nodes of the joined cluster, with those that it can add if there is no room without them.

    Args:
        check: raises UserError where some nodes have no room for what is to run.
        count: how many added nodes of a kind are of use.
        waiting: what is printed if nodes must be added.

    Raises:
        UserError: there is no room, and the cluster cannot grow to have it.
    """
    nodes = cluster_nodes()
    try:
        check(nodes)
    except UserError:
        added = addable_nodes(node_groups(), nodes, count)
        if not added:
            raise
        nodes = [*nodes, *added]
        check(nodes)
        SafeConsole(stderr=True, force_jupyter=False).print(waiting, soft_wrap=True)
    return nodes


def node_groups() -> list[NodeGroup]:
    """The groups of nodes that the autoscaler of the joined cluster may add to; empty where none are known."""
    remote: Any = ray.remote(_read_groups).options(num_cpus=0, resources=HEAD, max_retries=0)
    try:
        groups: list[NodeGroup] = ray.get(remote.remote(), timeout=_GROUPS_TIMEOUT)
    except RayError:  # the head has another version of this package, or is busy: only what exists counts
        return []
    return groups


def addable_nodes(
    groups: Sequence[NodeGroup], nodes: Sequence[Mapping[str, float]], count: int
) -> list[dict[str, float]]:
    """The resources of each node that an autoscaler may still add, at most `count` of each group.

    Args:
        groups: see `node_groups`.
        nodes: the resources of the nodes that exist, which count towards the limit of a group with the same cores
            and GPUs.
        count: how many are of interest.
    """
    existing = Counter(_size(node) for node in nodes)
    added: list[dict[str, float]] = []
    for group in groups:
        left = count if group.most < 0 else min(count, max(0, group.most - existing[_size(group.resources)]))
        added += [dict(group.resources)] * left
    return added


def _size(resources: Mapping[str, float]) -> tuple[float, float]:
    return resources.get("CPU", 0.0), resources.get("GPU", 0.0)


def _read_groups() -> list[NodeGroup]:
    """The groups as the head node knows them; runs there.

    Ray has no public call for them. Some autoscalers report them to the cluster; that of Ray's launcher does not, but
    reads them from a file on the head node, and KubeRay's from Kubernetes.
    """
    reported = getattr(state, "get_cluster_config", lambda: None)()
    if reported is not None:
        return [NodeGroup(dict(group.resources), group.max_count) for group in reported.node_group_configs]
    return _groups_of_kuberay() or _groups_of_launcher()


def _groups_of_kuberay() -> list[NodeGroup]:
    """The groups of the resource that KubeRay has made this cluster from; the head of one that grows may read it."""
    name, namespace = os.environ.get("RAY_CLUSTER_NAME"), os.environ.get("RAY_CLUSTER_NAMESPACE")
    if not (name and namespace and "KUBERNETES_SERVICE_HOST" in os.environ):
        return []
    kuberay = import_module("ray.autoscaler._private.kuberay.autoscaling_config")
    resource = kuberay.node_provider.KubernetesHttpApiClient(namespace).get(f"rayclusters/{name}")
    if not resource["spec"].get("enableInTreeAutoscaling"):
        return []
    config = kuberay._derive_autoscaling_config_from_ray_cr(resource)
    kinds = {name: kind for name, kind in config["available_node_types"].items() if name != config["head_node_type"]}
    return [NodeGroup(kind["resources"], kind["max_workers"]) for kind in kinds.values()]


def _groups_of_launcher() -> list[NodeGroup]:
    """The groups in the file of Ray's launcher, if its autoscaler runs."""
    # The file may be left from another cluster: the autoscaler that runs knows each node by the name of its group.
    status = json.loads(_internal_kv_get(ray_constants.DEBUG_AUTOSCALING_STATUS) or "{}")
    names = ((status.get("autoscaler_report") or {}).get("node_type_mapping") or {}).values()
    file = Path(_LAUNCHER_FILE).expanduser()
    content = yaml.safe_load(file.read_text(encoding="utf-8")) if names and file.is_file() else {}
    kinds = content.get("available_node_types", {})
    if not set(names) & kinds.keys():
        return []
    most = content.get("max_workers", 0)
    return [
        NodeGroup(kind.get("resources", {}), min(most, kind.get("max_workers", most)))
        for name, kind in kinds.items()
        if name != content.get("head_node_type")
    ]


def leave_cluster() -> None:
    """Disconnect; ends a cluster that this process has started."""
    ray.shutdown()
    worker.print_to_stdstream = _print_to_stdstream


def _silence() -> None:
    """Ray prints long messages about lost processes to standard output, which is for results, whatever its settings."""
    worker.print_to_stdstream = lambda *_, **__: None


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Let a cluster that is started in the block listen on 127.0.0.1 only; whoever reaches Ray's ports can run code.

    `ray.init` replaces a loopback address by one that others can reach, unless Ray is set to support no clusters of
    several machines. It reads that setting when it is imported, and the processes of the cluster inherit it.
    """
    variable = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    before = ray_constants.ENABLE_RAY_CLUSTER, os.environ.get(variable)
    ray_constants.ENABLE_RAY_CLUSTER, os.environ[variable] = False, "0"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before[0]
        if before[1] is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before[1]


def _join(address: str) -> None:
    """Connect to a running cluster, which has to start a process for every client; on a busy machine that may fail."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            ray.init(address=address, **_OPTIONS)
        except ConnectionAbortedError:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _last_exception(text: str) -> str:
    """The message of Ray without the traceback of a remote process that it quotes."""
    _, quotes, rest = text.partition("Traceback (most recent call last):")
    lines = [line for line in rest.splitlines() if line[:1].strip()] if quotes else []
    return " ".join((lines[-1] if lines else text).split())


def _check_address(address: str) -> None:
    """Raise OSError where nothing listens, since Ray would retry for minutes; ValueError if malformed."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        raise ValueError("give auto, HOST:PORT, or ray://HOST:PORT")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT).close()
