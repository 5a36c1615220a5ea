"""Folders vanish while they are walked: a finished run packs its shards, a training removes a checkpoint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.dashboard import run_index
from lcl_lab.store.record_files import shard_files
from lcl_lab.store.run_layout import run_directories
from lcl_lab.sweeps import storage

pytestmark = pytest.mark.attack

RUN = "20260101-000000-0123abcd"


def removing(folder: Path) -> Callable[..., Any]:
    """`os.scandir` that finds a folder gone when it comes to it."""
    scandir = os.scandir

    def scan(path: Any = ".") -> Any:
        if not isinstance(path, int) and Path(os.fsdecode(path)) == folder:
            os.rename(folder, folder.with_name("elsewhere"))
        return scandir(path)

    return scan


def test_folders_that_vanish_while_they_are_read_leave_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for study in ("a", "b"):
        (tmp_path / "results" / study / RUN / "records").mkdir(parents=True)
        (tmp_path / "results" / study / RUN / "records" / "x.parquet").write_bytes(b"1")
    gone = tmp_path / "results" / "a"
    for walk, expected in (
        (lambda: run_directories(tmp_path / "results", "*/*"), [tmp_path / "results" / "b" / RUN]),
        (lambda: list(storage._scan(tmp_path / "results")), [f"b/{RUN}/records/x.parquet"]),
        (
            lambda: list({path for path, _ in run_index._state(tmp_path / "results")}),
            [os.fsencode(tmp_path / "results" / "b" / RUN)],
        ),
        (lambda: shard_files(gone.parent / "a" / RUN), []),
    ):
        victim = gone / RUN / "records" if expected == [] else gone
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", removing(victim))
            assert walk() == expected
        shutil.move(victim.with_name("elsewhere"), victim)
