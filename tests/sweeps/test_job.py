"""A real head node and a real `ray job submit`, with a HOME of their own."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lcl_lab.store import read_run, runs, same_records
from tests.sweeps.grids import environment, records, run, wait_for

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RAY = Path(sys.executable).with_name("ray")
GRID = """
strategies: [2-way]
train: {preset: tiny, steps: 2}
studies: [{study: false_ratio, preset: tiny, queries: 4}]
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def end(home: str, pids: set[int]) -> None:
    """End the processes that have this HOME."""
    ended = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            if process.environ().get("HOME") == home:
                process.kill()
                ended.append(process)
        except psutil.Error:
            continue
    psutil.wait_procs(ended, timeout=20)


@pytest.fixture
def head(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a shell beside a head node; every process of the node is ended."""
    port, board = free_ports(2)
    (tmp_path / "home").mkdir()
    # The job's `python` is the first on the PATH of the head node; its sockets need a short path.
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as short:
        shell = environment(HOME=str(tmp_path / "home"), PATH=path, RAY_API_SERVER_ADDRESS=f"http://127.0.0.1:{board}")
        shell |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}
        before = set(psutil.pids())
        start = ["start", "--head", "--node-ip-address=127.0.0.1", f"--port={port}", f"--dashboard-port={board}"]
        start += ["--num-cpus=2", "--disable-usage-stats", "--object-store-memory=200000000", f"--temp-dir={short}"]
        done = subprocess.run([RAY, *start], capture_output=True, text=True, env=shell, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        try:
            yield shell
        finally:
            end(shell["HOME"], set(psutil.pids()) - before)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_leaves_its_records_where_it_was_told_to(head: dict[str, str], tmp_path: Path) -> None:
    (command,) = re.findall(r"^ray job submit .*$", README, flags=re.MULTILINE)
    folder = tmp_path / "working"
    (folder / "studies").mkdir(parents=True)
    (folder / "studies" / "paper_grid.yaml").write_text(GRID)
    (folder / "studies" / "cluster").symlink_to(ROOT / "studies" / "cluster")
    (folder / "lcl_lab").symlink_to(ROOT / "lcl_lab")
    words = shlex.split(command.replace("/shared/results", str(tmp_path / "results")))
    done = subprocess.run([RAY, *words[1:]], cwd=folder, capture_output=True, text=True, env=head, timeout=400)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    wait_for(lambda: bool(runs(tmp_path / "results")), 5)
    (found,) = runs(tmp_path / "results")
    assert found.finished
    assert set(read_run(found.path)["model"]) == {"2-way-seed-0", "mini/prototype"}
    here = run(tmp_path / "here", grid=GRID)
    assert here.returncode == 0, here.stderr
    assert same_records(records(tmp_path / "here"), read_run(found.path), tolerance=1e-4) is None
