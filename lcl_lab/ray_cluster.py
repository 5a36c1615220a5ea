"""Joins a Ray cluster, or starts one on this machine that only this machine can reach."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

# Read when Ray is imported. Otherwise Ray, under `uv run`, packs the working directory for every worker.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
from ray._private import ray_constants, worker

from lcl_lab.errors import UserError

__all__ = ["cluster_nodes", "given_address", "join_cluster", "leave_cluster", "start_cluster"]

_TIMEOUT = 10  # seconds that a cluster has to accept a connection
_ATTEMPTS = 3  # to connect, where the cluster fails to start the process of this client
_PAUSE = 2  # seconds between them
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
