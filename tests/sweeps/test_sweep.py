"""Real sweeps on a real cluster of this machine, disturbed and not."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from lcl_lab.store import same_records
from tests.sweeps.grids import GRID, command, environment, records, run, wait_for, workers

pytestmark = pytest.mark.timeout(600)
ONE = GRID.replace("[2-way, mix]", "[2-way]")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep with one worker that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(folder, "--workers", "1", grid=ONE)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_trial_is_trained_and_put_to_its_studies_and_none_twice(undisturbed: Path) -> None:
    found = records(undisturbed)
    assert set(found["model"]) == {"2-way-seed-0", "2-way-seed-1", "mini/prototype"}
    assert set(found["study"]) == {"false_ratio", "shots"}
    folder = undisturbed / "results" / "sweeps" / "grid"
    seen = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {event["status"] for event in seen} == {"running", "finished"}
    assert any("accuracy" in event for event in seen)
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*.parquet")}
    done = run(undisturbed, grid=ONE)
    assert (done.returncode, done.stdout.strip()) == (0, str(folder))
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*.parquet")} == before


def test_what_the_cluster_has_not_is_told_at_once(tmp_path: Path) -> None:
    done = run(tmp_path, grid=f"{ONE}gpu: 1\n")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == "error: gpu: 1 a trial: the cluster has 0 in all"


@pytest.mark.slow
def test_two_workers_give_the_same_records(undisturbed: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "--workers", "2", grid=ONE)
    assert done.returncode == 0, done.stderr
    assert same_records(records(undisturbed), records(tmp_path), tolerance=1e-4) is None


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_twenty_kills_in_eight_trials_lose_double_and_change_nothing(tmp_path: Path) -> None:
    grid = GRID.replace("[2-way, mix]", "[2-way, 2-way-random, mix, fixed-4]") + "retries: 40\n"
    done = run(tmp_path / "undisturbed", grid=grid)
    assert done.returncode == 0, done.stderr
    moments = random.Random(0)
    arguments = command(tmp_path / "killed", "--workers", "2", grid=grid)
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment())
    driver, kills = psutil.Process(process.pid), 0
    while process.poll() is None and kills < 20:
        wait_for(lambda: process.poll() is not None or any(workers(driver)))
        try:
            process.wait(moments.uniform(0.5, 15))
        except subprocess.TimeoutExpired:
            for worker in list(workers(driver))[:1]:
                worker.kill()
                kills += 1
    assert process.wait(600) == 0
    assert kills == 20
    expected, found = records(tmp_path / "undisturbed"), records(tmp_path / "killed")
    assert len(found) == len(expected)
    assert same_records(expected, found, tolerance=1e-4) is None


@pytest.mark.slow
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
