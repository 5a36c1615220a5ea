"""What goes wrong around a sweep: processes that stand still, clocks, file systems, networks, and other clusters."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from lcl_lab.interrupts import EXIT_CODE, MESSAGE
from lcl_lab.store import same_records
from tests.sweeps.grids import (
    MESSAGES,
    ONE,
    PATIENCE,
    environment,
    files_below,
    killing_descendants,
    records,
    run,
    started,
    wait_for,
    workers,
)
from tests.sweeps.test_remote_cluster import RAY, free_ports, listens

pytestmark = [pytest.mark.attack, pytest.mark.slow, pytest.mark.timeout(1800)]

CLOCK = '''
"""Lets the clock of every Python process go back by an hour while a file exists."""
import os, time

_time, _time_ns = time.time, time.time_ns

def _back():
    return 3600 * os.path.exists(os.environ["LCL_LAB_TEST_CLOCK"])

time.time, time.time_ns = lambda: _time() - _back(), lambda: _time_ns() - _back() * 10**9
'''


def messages(folder: Path) -> str:
    return (folder / MESSAGES).read_text(encoding="utf-8", errors="replace")


def assert_same(undisturbed: Path, folder: Path) -> None:
    assert same_records(records(undisturbed), records(folder), tolerance=1e-4) is None


def stored(folder: Path) -> list[Path]:
    return files_below(folder, "records/*.parquet")


def events(folder: Path) -> str:
    return (folder / "results" / "sweeps" / "grid" / "events.jsonl").read_text(encoding="utf-8")


def administer(*words: object) -> None:
    """Change the system; skip the test where that is not allowed."""
    if shutil.which(str(words[0])) is None:
        pytest.skip(f"{words[0]} is not installed")
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{' '.join(map(str, words))}: {done.stderr.strip()}")


def test_a_worker_and_a_driver_that_stand_still_and_a_clock_set_back_change_nothing(
    undisturbed: Path, tmp_path: Path
) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(CLOCK)
    path = os.pathsep.join([str(tmp_path / "python"), os.environ.get("PYTHONPATH", "")])
    variables = {"PYTHONPATH": path, "LCL_LAB_TEST_CLOCK": str(tmp_path / "back")}
    with started(tmp_path, "--workers", "1", grid=ONE, **variables) as driver:
        wait_for(lambda: (stored(tmp_path) and workers(driver)) or driver.poll() is not None)
        (worker,) = workers(driver)
        worker.suspend()
        time.sleep(15)
        worker.resume()
        (tmp_path / "back").touch()
        driver.suspend()
        time.sleep(5)
        driver.resume()
        assert driver.wait(PATIENCE) == 0, messages(tmp_path)
    assert '"tried again"' not in events(tmp_path)
    assert_same(undisturbed, tmp_path)


def test_a_sweep_is_interrupted_by_ctrl_c_and_resumes(undisturbed: Path, tmp_path: Path) -> None:
    with started(tmp_path, "--workers", "1", grid=ONE) as driver:
        wait_for(lambda: len(stored(tmp_path)) > 2 and workers(driver))
        started_processes = driver.children(recursive=True)
        os.killpg(driver.pid, signal.SIGINT)
        assert driver.wait(PATIENCE) == EXIT_CODE, messages(tmp_path)
        assert messages(tmp_path).strip().splitlines()[-1] == MESSAGE
        assert "Traceback" not in messages(tmp_path)
        _, alive = psutil.wait_procs(started_processes, timeout=60)
        assert not alive
    done = run(tmp_path, "--workers", "1", grid=ONE)
    assert done.returncode == 0, done.stderr
    assert_same(undisturbed, tmp_path)


def test_a_results_folder_that_becomes_read_only_is_reported_and_the_sweep_resumes(
    undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    with started(folder, "--workers", "1", grid=f"{ONE}retries: 1\n") as driver:
        wait_for(lambda: stored(folder))
        # Files that are open stay writable, as they are when an administrator remounts a volume by force.
        administer("mount", "--bind", folder / "results", folder / "results")
        try:
            administer("mount", "-o", "remount,ro,bind", folder / "results")
            status = driver.wait(PATIENCE)
        finally:
            subprocess.run(["umount", "-l", folder / "results"], check=True)
    assert status == 2, messages(folder)
    last = messages(folder).strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert last.count("Read-only file system") == 2
    assert last.count("cannot") == 2  # no name of an exception
    assert "Traceback" not in messages(folder)
    done = run(folder, "--workers", "1", grid=ONE)
    assert done.returncode == 0, done.stderr
    assert_same(undisturbed, folder)


def test_a_sweep_runs_with_little_shared_memory(undisturbed: Path, tmp_path: Path) -> None:
    """64 MB is what a container has by default."""
    administer("unshare", "-m", "true")
    prefix = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"', "sh"]
    done = run(tmp_path, "--workers", "1", grid=ONE, prefix=prefix)
    assert done.returncode == 0, done.stderr
    assert_same(undisturbed, tmp_path)


@dataclass(frozen=True)
class Cluster:
    """A cluster on this machine, environment variables for its drivers, and the environment of its nodes."""

    address: str
    variables: dict[str, str]
    shell: dict[str, str]


@contextmanager
def cluster(cores: int, ip: str, port: int, client: int) -> Iterator[Cluster]:
    (agent,) = free_ports(1, below=8_000)
    with (
        tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as short,
        killing_descendants() as mark,
    ):
        # Ray demands a token from processes that reach a cluster through the network.
        variables = {"RAY_TMPDIR": short, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid4().hex}
        # By default, a driver notices after five minutes that a node has closed a connection while it was out of reach.
        variables |= {"RAY_grpc_client_keepalive_time_ms": "15000", "RAY_grpc_client_keepalive_timeout_ms": "10000"}
        shell = environment(**variables, **mark)
        shell.pop("RAY_ADDRESS", None)
        words = ["start", "--head", f"--node-ip-address={ip}", f"--port={port}", "--include-dashboard=false"]
        words += [f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}"]
        words += [f"--num-cpus={cores}", "--object-store-memory=200000000", "--disable-usage-stats"]
        done = subprocess.run([RAY, *words], capture_output=True, text=True, env=shell, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Cluster(f"{ip}:{port}", variables, shell)


def test_a_sweep_does_not_join_a_cluster_that_happens_to_run_here(undisturbed: Path, tmp_path: Path) -> None:
    """Not even the one that Ray would join by itself, which has the usual ports."""
    if any(listens(port) for port in (6379, 10001)):
        pytest.skip("the usual ports are in use")
    with cluster(cores=1, ip="127.0.0.1", port=6379, client=10001) as foreign:
        assert (Path(foreign.variables["RAY_TMPDIR"]) / "ray" / "ray_current_cluster").exists()
        done = run(tmp_path, "--workers", "1", grid=ONE, RAY_TMPDIR=foreign.variables["RAY_TMPDIR"])
        assert done.returncode == 0, done.stderr
        done = run(tmp_path, grid=ONE, RAY_ADDRESS="127.0.0.1:1")
        assert done.returncode == 0, "a finished sweep needs no cluster"
        done = run(tmp_path / "other", grid=ONE, RAY_ADDRESS="127.0.0.1:1")
        assert done.returncode == 2
        line = done.stderr.strip().splitlines()[-1]
        assert line == "error: --address 127.0.0.1:1: no cluster answers: Connection refused"
    assert_same(undisturbed, tmp_path)


@contextmanager
def network() -> Iterator[str]:
    """The name of a network namespace on this machine, and of the link to it."""
    name = f"lcl{uuid4().hex[:8]}"
    administer("ip", "netns", "add", name)
    try:
        administer("ip", "link", "add", name, "type", "veth", "peer", "name", "inside", "netns", name)
        administer("ip", "addr", "add", "10.213.77.1/24", "dev", name)
        administer("ip", "link", "set", name, "up")
        for words in ("addr add 10.213.77.2/24 dev inside", "link set inside up", "link set lo up"):
            administer("ip", "-n", name, *words.split())
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_a_node_that_loses_the_network_for_half_a_minute_changes_nothing(undisturbed: Path, tmp_path: Path) -> None:
    """The trial of the lost node is run again elsewhere, while its worker may still be alive."""
    port, client = free_ports(2, below=7_000)
    with network() as link, cluster(cores=0, ip="10.213.77.1", port=port, client=client) as head:
        node = ["ip", "netns", "exec", link, str(RAY), "start", f"--address={head.address}", "--num-cpus=1"]
        node += ["--node-ip-address=10.213.77.2", "--object-store-memory=100000000", "--disable-usage-stats"]
        done = subprocess.run(node, capture_output=True, text=True, env=head.shell, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        grid = f"{ONE}retries: 20\n"
        with started(tmp_path, "--address", head.address, grid=grid, **head.variables) as driver:
            wait_for(lambda: len(stored(tmp_path)) > 2 or driver.poll() is not None)
            assert driver.poll() is None, messages(tmp_path)
            subprocess.run(["ip", "link", "set", link, "down"], check=True)
            time.sleep(30)
            subprocess.run(["ip", "link", "set", link, "up"], check=True)
            subprocess.run(node, capture_output=True, env=head.shell, timeout=PATIENCE)  # the cluster gave it up
            assert driver.wait(PATIENCE) == 0, messages(tmp_path)
    assert_same(undisturbed, tmp_path)
