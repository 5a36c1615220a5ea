"""Workers, drivers and head nodes that are killed in mid-sweep: the same command ends with the same records."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lcl_lab.store import same_records
from tests.sweeps.grids import GRID, ONE, PATIENCE, Stored, records, run, started, wait_for, workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2700)]


def test_twenty_kills_in_twelve_trials_lose_double_and_change_nothing(tmp_path: Path) -> None:
    grid = GRID.replace("[2-way, mix]", "[2-way, 2-way-random, mix, fixed-4]").replace("[0, 1]", "[0, 1, 2]")
    grid = grid.replace("steps: 6", "steps: 30")
    grid += "retries: 40\n"
    done = run(tmp_path / "undisturbed", grid=grid)
    assert done.returncode == 0, done.stderr
    chance, kills, stored = random.Random(0), 0, Stored()
    events = tmp_path / "killed" / "results" / "sweeps" / "grid" / "events.jsonl"

    def reports() -> int:
        """How often trials have told what they do; each kill waits for one more, so that none strikes only imports."""
        return events.read_text().count('"doing"') if events.exists() else 0

    with started(tmp_path / "killed", "--workers", "2", grid=grid) as driver:
        before = 0
        while driver.poll() is None and kills < 20:
            wait_for(lambda before=before: driver.poll() is not None or reports() > before)
            time.sleep(chance.uniform(0, 2) ** 4)  # soon as a rule, and now and then not before a study
            alive = workers(driver)
            if alive:
                stored.look(tmp_path / "killed")
                before = reports()
                chance.choice(alive).kill()
                kills += 1
        assert driver.wait(PATIENCE) == 0
    assert kills == 20
    stored.is_unchanged()
    expected, found = records(tmp_path / "undisturbed"), records(tmp_path / "killed")
    assert len(found) == len(expected)
    assert same_records(expected, found, tolerance=1e-4) is None


@pytest.mark.parametrize("victim", ["driver", "raylet", "gcs_server"])
def test_a_killed_driver_or_head_goes_on_with_the_same_command(victim: str, undisturbed: Path, tmp_path: Path) -> None:
    stored = Stored()
    with started(tmp_path, "--workers", "1", grid=ONE) as driver:
        wait_for(lambda: len(list(tmp_path.rglob("records/*.parquet"))) > 2)
        stored.look(tmp_path)
        found = [child for child in driver.children(recursive=True) if victim in Path(child.exe()).name]
        (driver if victim == "driver" else found[0]).kill()
        with suppress(psutil.TimeoutExpired):
            driver.wait(90)
        with suppress(psutil.NoSuchProcess):
            driver.kill()  # as a user does with what hangs
        done = run(tmp_path, "--workers", "1", grid=ONE)
        assert done.returncode == 0, done.stderr
    stored.is_unchanged()
    assert same_records(records(undisturbed), records(tmp_path), tolerance=1e-4) is None
