"""A real head node with its own HOME: a real `ray job submit`, and a client of `ray://`."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from lcl_lab import run_study
from lcl_lab.store import records_digest, same_records
from tests.sweeps.grids import (
    PATIENCE,
    ROOT,
    command,
    documented,
    environment,
    killing_descendants,
    records,
    run,
    wait_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RAY = Path(sys.executable).with_name("ray")
FAILED = "failed-once"
GRID = """
strategies: [2-way]
train: {preset: tiny, steps: 2}
studies: [{study: false_ratio, preset: tiny, queries: 4}]
"""
EVALUATION = "models: [mini/2-way]\nstudies: [{study: false_ratio, preset: tiny, queries: 4, ratios: [0]}]\n"


def free_ports(count: int, below: int = 65_536) -> list[int]:
    """Ports that are not in use."""
    ports: list[int] = []
    for port in range(below - 1, 1024, -1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise AssertionError("no port is free")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _failing_once(home: Path) -> Path:
    """A folder with a `bash` that fails the first time that Ray starts the process of a client with it."""
    folder = home / "failing"
    folder.mkdir()
    shim = folder / "bash"
    shim.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *specific-server*) mkdir {shlex.quote(str(home / FAILED))} 2> /dev/null && exit 1;; esac\n'
        'exec /bin/bash "$@"\n'
    )
    shim.chmod(0o755)
    return folder


@dataclass(frozen=True)
class Head:
    """A head node: the environment of a shell on it, and the address for clients."""

    shell: dict[str, str]
    client: str
    home: Path


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    # Ray gives its workers ports above 10,000, and the agents of two clusters on one machine the same port.
    port, board, client, agent = free_ports(4, below=10_000)
    home = tmp_path_factory.mktemp("home")
    # The job's `python` is the first on the PATH of the head node; its sockets need a short path.
    path = f"{_failing_once(home)}:{Path(sys.executable).parent}:/usr/bin:/bin"
    with (
        tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as short,
        killing_descendants() as mark,
    ):
        shell = environment(HOME=str(home), PATH=path, RAY_API_SERVER_ADDRESS=f"http://127.0.0.1:{board}", **mark)
        shell |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}
        start = ["start", "--head", "--node-ip-address=127.0.0.1", f"--port={port}", f"--dashboard-port={board}"]
        start += [f"--ray-client-server-port={client}", f"--dashboard-agent-listen-port={agent}"]
        start += ["--num-cpus=2", "--disable-usage-stats", "--object-store-memory=200000000", f"--temp-dir={short}"]
        done = subprocess.run([RAY, *start], capture_output=True, text=True, env=shell, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        # The node accepts jobs only once its agent has started, which `ray start` does not wait for.
        wait_for(lambda: listens(agent))
        yield Head(shell, f"ray://127.0.0.1:{client}", home)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The records of the same sweep on a cluster of this machine."""
    folder = tmp_path_factory.mktemp("local")
    done = run(folder, grid=GRID)
    assert done.returncode == 0, done.stderr
    return records(folder)


def submitted(head: Head, folder: Path, file: str, grid: str) -> pd.DataFrame:
    """The records of a sweep that the documented command submits as a job."""
    working = folder / "working"
    (working / "studies").mkdir(parents=True)
    (working / "studies" / file).write_text(grid)
    (working / "studies" / "cluster").symlink_to(ROOT / "studies" / "cluster")
    (working / "lcl_lab").symlink_to(ROOT / "lcl_lab")
    line = documented(f"ray job submit .*{re.escape(file)}.*").replace("/shared/results", str(folder / "results"))
    words = [RAY, *shlex.split(line)[1:]]
    done = subprocess.run(words, cwd=working, capture_output=True, text=True, env=head.shell, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return records(folder)


def test_a_job_writes_its_records_to_the_given_folder(head: Head, local: pd.DataFrame, tmp_path: Path) -> None:
    frame = submitted(head, tmp_path, "paper_grid.yaml", GRID)
    assert set(frame["model"]) == {"2-way-seed-0", "mini/prototype"}
    assert same_records(local, frame, tolerance=1e-4) is None
    assert records_digest(local) == records_digest(frame)


def test_a_job_evaluates_models_that_exist(head: Head, tmp_path: Path) -> None:
    frame = submitted(head, tmp_path, "evaluation_grid.yaml", EVALUATION)
    options = {"preset": "tiny", "queries": 4, "ratios": (0,), "model": "mini/2-way"}
    single = run_study("false_ratio", **options, results=tmp_path / "single" / "results")
    assert same_records(single.records, frame[single.records.columns], tolerance=1e-4) is None


def test_a_client_of_a_cluster_shows_its_trials_and_stores_the_same_records(
    head: Head, local: pd.DataFrame, tmp_path: Path
) -> None:
    words = command(tmp_path, "--address", head.client, grid=GRID)
    done = subprocess.run(words, capture_output=True, text=True, env=head.shell, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert (head.home / FAILED).is_dir()  # the first attempt to connect failed on the head node
    assert "1 of 1 trials" in done.stderr
    events = (tmp_path / "results" / "sweeps" / "grid" / "events.jsonl").read_text().splitlines()
    assert [json.loads(events[0])["status"], json.loads(events[-1])["status"]] == ["waiting", "finished"]
    assert not any("tried again" in event for event in events)
    assert same_records(local, records(tmp_path), tolerance=1e-4) is None
