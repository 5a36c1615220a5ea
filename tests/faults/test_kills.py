"""Workers, drivers and head nodes killed in mid-sweep: running the sweep again ends with the same records."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lcl_lab.store import same_records
from tests.faults.kills import ROUNDS, SWEEP_WORKERS
from tests.sweeps.grids import GRID, ONE, PATIENCE, StoredFiles, files_below, records, run, started, wait_for, workers

pytestmark = [pytest.mark.attack, pytest.mark.slow, pytest.mark.timeout(2700)]


def test_kills_in_four_trials_lose_repeat_and_change_nothing(tmp_path: Path) -> None:
    grid = GRID.replace("steps: 6", f"steps: {30 * ROUNDS}") + f"retries: {20 * ROUNDS}\n"
    done = run(tmp_path / "undisturbed", grid=grid)
    assert done.returncode == 0, done.stderr
    chance, kills, stored = random.Random(0), 0, StoredFiles()
    events = tmp_path / "killed" / "results" / "sweeps" / "grid" / "events.jsonl"

    def reports() -> int:
        """Reports of trials so far; each kill waits for a new one, so that not all of them hit imports."""
        return events.read_text().count('"doing"') if events.exists() else 0

    with started(tmp_path / "killed", "--workers", "2", grid=grid) as driver:
        before = 0
        while driver.poll() is None and kills < SWEEP_WORKERS:
            wait_for(lambda before=before: driver.poll() is not None or reports() > before)
            if kills % 4 == 3:  # however slow the machine is, some kills follow stored results
                wait_for(lambda: driver.poll() is not None or stored.has_grown(tmp_path / "killed"))
            time.sleep(chance.uniform(0, 2) ** 4)  # usually soon, sometimes late enough to hit a study
            alive = workers(driver)
            if alive:
                stored.add(tmp_path / "killed")
                before = reports()
                chance.choice(alive).kill()
                kills += 1
        assert driver.wait(PATIENCE) == 0
    assert kills == SWEEP_WORKERS
    stored.assert_unchanged()
    expected, actual = records(tmp_path / "undisturbed"), records(tmp_path / "killed")
    assert len(actual) == len(expected)
    assert same_records(expected, actual, tolerance=1e-4) is None


@pytest.mark.parametrize("victim", ["driver", "raylet", "gcs_server"])
def test_a_sweep_resumes_after_its_driver_or_head_was_killed(victim: str, undisturbed: Path, tmp_path: Path) -> None:
    stored = StoredFiles()
    variables = {"RAY_gcs_rpc_server_reconnect_timeout_s": "10"}  # a minute by default
    with started(tmp_path, "--workers", "1", grid=ONE, **variables) as driver:
        wait_for(lambda: len(files_below(tmp_path, "records/*.parquet")) > 2)
        stored.add(tmp_path)
        matching = [child for child in driver.children(recursive=True) if victim in Path(child.exe()).name]
        (driver if victim == "driver" else matching[0]).kill()
        with suppress(psutil.TimeoutExpired):
            driver.wait(90)
        with suppress(psutil.NoSuchProcess):
            driver.kill()  # as a user kills a process that hangs
        done = run(tmp_path, "--workers", "1", grid=ONE)
        assert done.returncode == 0, done.stderr
    stored.assert_unchanged()
    assert same_records(records(undisturbed), records(tmp_path), tolerance=1e-4) is None
