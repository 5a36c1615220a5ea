"""A full disk, damaged checkpoints, and two drivers at once; nothing is simulated."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lcl_lab.store import same_records
from tests.sweeps.grids import ONE, files_below, records, run, started, wait_for

pytestmark = [pytest.mark.attack, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A separate file system of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_reported_and_the_sweep_resumes(disk: Path, undisturbed: Path) -> None:
    grid = f"{ONE}retries: 0\n"
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast.write_bytes(bytes(free - 6_000_000))  # a checkpoint fits, the whole sweep does not
    done = run(disk, "--workers", "1", grid=grid)
    assert done.returncode == 2
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("error: 2 trials failed")
    assert message.count("cannot write") == 2
    ballast.unlink()
    done = run(disk, "--workers", "1", grid=grid)
    assert done.returncode == 0, done.stderr
    assert same_records(records(undisturbed), records(disk), tolerance=1e-4) is None


def test_a_damaged_checkpoint_is_ignored(undisturbed: Path, tmp_path: Path) -> None:
    models = tmp_path / "results" / "sweeps" / "grid" / "models"
    weights_of_steps = "checkpoints/step-*/*.safetensors"
    with started(tmp_path, "--workers", "1", grid=ONE):
        wait_for(lambda: len({path.parent for path in files_below(models, weights_of_steps)}) > 1)
    newest = max(path.parent for path in files_below(models, weights_of_steps))
    weights = max(newest.iterdir(), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-100])
    done = run(tmp_path, "--workers", "1", grid=ONE)
    assert done.returncode == 0, done.stderr
    assert same_records(records(undisturbed), records(tmp_path), tolerance=1e-4) is None


def test_a_second_driver_is_refused_unless_the_first_was_killed(tmp_path: Path) -> None:
    with started(tmp_path, "--workers", "1", grid=ONE) as first:
        wait_for((tmp_path / "results" / "sweeps" / "grid" / "events.jsonl").exists)
        second = run(tmp_path, "--workers", "1", grid=ONE)
        assert second.returncode == 2
        assert "another process runs this sweep" in second.stderr
        first.kill()
        assert run(tmp_path, "--workers", "1", grid=ONE).returncode == 0  # its workers may still be alive
    assert len(records(tmp_path))
