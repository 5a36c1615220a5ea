"""Connects to a Ray cluster, or starts one on this machine, and checks that a trial fits on one of its nodes."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

# Read when Ray is imported. Otherwise Ray, under `uv run`, packs the working directory for every worker.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
import torch
from ray._private import ray_constants

from lcl_lab.errors import UserError
from lcl_lab.safe_console import SafeConsole
from lcl_lab.sweeps.sweep_config import SweepConfig

__all__ = ["check_resources", "connected"]

_TIMEOUT = 10  # seconds that a cluster has to accept a connection
_ATTEMPTS = 3  # to connect, where the cluster fails to start the process of this client
_PAUSE = 2  # seconds between them


@contextmanager
def connected(config: SweepConfig) -> Iterator[None]:
    """Connect to the cluster at `config.address` or RAY_ADDRESS, or start one on this machine.

    Raises:
        UserError: no cluster answers, or no node has the resources of a trial.
    """
    with SafeConsole(stderr=True, force_jupyter=False).status("starting Ray …"):
        _connect(config)
    try:
        check_resources(config, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        yield
    finally:
        ray.shutdown()


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
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    address = config.address or os.environ.get("RAY_ADDRESS")
    if not address:
        cores = max((config.workers or 0) * config.cpu or os.cpu_count() or 1, config.cpu)
        check_resources(config, [{"CPU": float(cores), "GPU": float(torch.cuda.device_count() if config.gpu else 0)}])
        with _on_loopback():
            # Without an address, Ray would join any cluster that was started on this machine.
            ray.init("local", num_cpus=cores, include_dashboard=False, **options)
        return
    try:
        _check_address(address)
        with warnings.catch_warnings(action="ignore"):  # they repeat the exception
            _join(address, options)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: the cluster has another version of Ray
        reason = getattr(error, "strerror", None) or _last_exception(str(error))
        raise UserError(f"no cluster answers: {reason}", option="address", value=address) from error


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


def _join(address: str, options: Mapping[str, Any]) -> None:
    """Connect to a running cluster, which has to start a process for every client; on a busy machine that may fail."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            ray.init(address=address, **options)
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
