"""No process that the package starts can be reached from other machines, unless the user opens it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.listening import listening, open_to_others
from tests.servers import answers, free_port
from tests.sweeps.grids import environment, killing_descendants, wait_for

pytestmark = pytest.mark.attack

ROOT = Path(__file__).parents[2]
LCL = ["-c", "from lcl_lab.commands import main; main()", "dashboard", "--headless", "--port"]
STREAMLIT = ["-m", "streamlit", "run", str(ROOT / "dashboards" / "app.py"), "--server.headless=true", "--server.port"]
OPEN_LCL = [*LCL[:-1], "--address", "0.0.0.0", "--port"]
OPEN_STREAMLIT = [*STREAMLIT[:-1], "--server.address=0.0.0.0", "--server.port"]
CLUSTER = """
import sys, time, ray
from pathlib import Path
from lcl_lab.sweeps import SweepConfig
from lcl_lab.sweeps.cluster import connected

@ray.remote
def work():
    return 1

with connected(SweepConfig.create(strategies="2-way", workers=1)):
    assert ray.get(work.remote()) == 1
    Path(sys.argv[1]).touch()
    time.sleep(600)
"""


@contextmanager
def running(*words: str, folder: Path) -> Iterator[psutil.Process]:
    with killing_descendants() as mark:
        started = psutil.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment(PYTHONPATH=str(ROOT), **mark),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        yield started


@pytest.mark.parametrize("command", [LCL, STREAMLIT], ids=["lcl dashboard", "streamlit run"])
def test_the_dashboard_listens_on_loopback(command: list[str], tmp_path: Path) -> None:
    port = free_port()
    with running(*command, str(port), folder=tmp_path) as process:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"), 90)
        assert port in {listened for _, _, listened in listening(process)}
        assert not open_to_others(process)


@pytest.mark.parametrize("command", [OPEN_LCL, OPEN_STREAMLIT], ids=["lcl dashboard", "streamlit run"])
def test_an_option_opens_the_dashboard_to_other_machines(command: list[str], tmp_path: Path) -> None:
    port = free_port()
    with running(*command, str(port), folder=tmp_path) as process:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"), 90)
        assert {found[1:] for found in open_to_others(process)} == {("0.0.0.0", port)}


@pytest.mark.slow
def test_the_cluster_of_a_sweep_on_this_machine_listens_on_loopback(tmp_path: Path) -> None:
    with running("-c", CLUSTER, str(tmp_path / "ready"), folder=tmp_path) as process:
        wait_for((tmp_path / "ready").exists, 180)
        wait_for(lambda: any("Agent" in name for name, _, _ in listening(process)), 60)
        assert {"gcs_server", "raylet"} <= {name for name, _, _ in listening(process)}
        assert not open_to_others(process)
