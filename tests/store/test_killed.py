"""Real processes: killed at any time, refused while another lives, out of room."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.store import Run
from lcl_lab.store.record_files import stored_cells

from . import factories

ROWS = 50


@contextmanager
def writer(what: str, results: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process with the run open, and the run's directory."""
    process = subprocess.Popen(
        [sys.executable, factories.__file__, what, str(results)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def test_killed_writer_loses_and_doubles_nothing(tmp_path: Path) -> None:
    moments, grown = random.Random(0), 0
    for _ in range(4):
        with writer("write", tmp_path) as (process, path):
            while len(stored_cells(path)) <= grown:
                assert process.poll() is None
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.2))
            seen = stored_cells(path)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with Run.open(tmp_path, factories.STUDY, factories.CONFIG) as run:  # the lock is free
            assert run.path == path
            done = run.committed()
            assert seen <= done and done == {str(cell) for cell in range(len(done))}
            grown = len(done)
            assert {file.suffix for file in (path / "records").iterdir()} == {".parquet"}
            rows = run.records()
        assert len(rows) == ROWS * grown
        assert not rows.duplicated(["seed", "query_id"]).any()
        assert set(rows.seed.astype(str)) == done


def test_shard_that_was_never_renamed_is_gone_when_reopened(tmp_path: Path) -> None:
    with writer("die", tmp_path) as (process, path):
        assert process.wait(timeout=20) == -signal.SIGKILL
    assert [file.suffix for file in (path / "records").iterdir()] == [".tmp"]
    with Run.open(tmp_path, factories.STUDY, factories.CONFIG) as run:
        assert run.committed() == set() and list((path / "records").iterdir()) == []
        run.commit("late", factories.records(3))
        assert run.committed() == {"late"}


def test_second_live_process_is_refused_at_once(tmp_path: Path) -> None:
    with writer("write", tmp_path) as (process, path):
        start = time.monotonic()
        with pytest.raises(UserError, match=f"{path.name} is open in another process"):
            Run.open(tmp_path, factories.STUDY, factories.CONFIG)
        assert time.monotonic() - start < 1
        assert process.poll() is None


def test_full_disk_leaves_no_partial_shard(tmp_path: Path) -> None:
    command = [sys.executable, factories.__file__, "fill", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=20)
    assert done.stdout.startswith("UserError cannot write ") and "large.parquet: File too large" in done.stdout
    (folder,) = tmp_path.glob("*/*/records")
    assert [file.name for file in folder.iterdir()] == ["small.parquet"]
