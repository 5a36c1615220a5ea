"""Workers, drivers and head nodes that are killed in mid-sweep: the same command ends with the same records."""

from __future__ import annotations

import random
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from lcl_lab.store import same_records
from tests.sweeps.grids import GRID, ONE, command, environment, records, run, wait_for, workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def test_twenty_kills_in_eight_trials_lose_double_and_change_nothing(tmp_path: Path) -> None:
    grid = GRID.replace("[2-way, mix]", "[2-way, 2-way-random, mix, fixed-4]").replace("steps: 6", "steps: 30")
    grid += "retries: 40\n"
    done = run(tmp_path / "undisturbed", grid=grid)
    assert done.returncode == 0, done.stderr
    moments = random.Random(0)
    arguments = command(tmp_path / "killed", "--workers", "2", grid=grid)
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment())
    driver, kills = psutil.Process(process.pid), 0
    while process.poll() is None and kills < 20:
        wait_for(lambda: process.poll() is not None or any(workers(driver)))
        try:
            process.wait(moments.uniform(0.5, 7))
        except subprocess.TimeoutExpired:
            for worker in list(workers(driver))[:1]:
                worker.kill()
                kills += 1
    assert process.wait(600) == 0
    assert kills == 20
    expected, found = records(tmp_path / "undisturbed"), records(tmp_path / "killed")
    assert len(found) == len(expected)
    assert same_records(expected, found, tolerance=1e-4) is None


@pytest.mark.parametrize("victim", ["driver", "raylet", "gcs_server"])
def test_a_killed_driver_or_head_goes_on_with_the_same_command(victim: str, undisturbed: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tmp_path, "--workers", "1", grid=ONE), stderr=subprocess.DEVNULL, env=environment()
    )
    driver = psutil.Process(process.pid)
    models = tmp_path / "results" / "sweeps" / "grid" / "models"
    wait_for(lambda: any(models.glob("*/checkpoints/*")) or any(tmp_path.rglob("*.parquet")))
    family = driver.children(recursive=True)
    if victim == "driver":
        process.kill()
    else:
        (found,) = (child for child in family if victim in Path(child.exe()).name)
        found.kill()
    try:
        process.wait(90)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=30)
    for child in alive:
        child.kill()
    done = run(tmp_path, "--workers", "1", grid=ONE)
    assert done.returncode == 0, done.stderr
    assert same_records(records(undisturbed), records(tmp_path), tolerance=1e-4) is None
