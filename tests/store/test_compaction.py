from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.errors import UserError
from lcl_lab.store import Run, compaction, read_info, read_progress, read_run, same_records
from lcl_lab.store.event_log import append_event
from lcl_lab.store.record_files import level_of, shard_files
from tests.store import factories

CELLS = 11
FAN = 3  # 11 cells become one shard of 9 and two of their own


@pytest.fixture(autouse=True)
def small_fan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_FAN", FAN)


def open_run(results: Path) -> Run:
    return Run.open(results, factories.STUDY, factories.CONFIG)


def commit(run: Run, cells: range = range(CELLS)) -> None:
    for cell in cells:
        run.commit(f"cell-{cell}", [factories.record(query, seed=cell) for query in range(4)])


def test_a_growing_run_has_few_shards_and_all_its_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_run(tmp_path / "merged") as run:
        commit(run)
        assert sorted(map(level_of, shard_files(run.path))) == [0, 0, 2]
        assert run.committed() == {f"cell-{cell}" for cell in range(CELLS)}
        merged = run.records()
        info = read_info(run.path)
        assert info.records == len(read_run(run.path)) == 4 * CELLS
        run.note("planned", total=4 * CELLS, stored=0)
        progress = read_progress([*run.events()[-1:], *run.events()[:-1]])
        assert progress is not None
        assert progress.stored == 4 * CELLS
        run.finish(factories.provenance())
    monkeypatch.setattr(compaction, "_FAN", 100)
    with open_run(tmp_path / "apart") as run:
        commit(run)
        assert same_records(run.records(), merged, tolerance=0) is None
        run.finish(factories.provenance())
    packed = [next(tmp_path.glob(f"{name}/*/*/records.parquet")).read_bytes() for name in ("merged", "apart")]
    assert packed[0] == packed[1]


def test_readers_have_time_to_read_what_they_listed(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        commit(run, range(2))
        listed = shard_files(run.path)
        commit(run, range(2, 3))
        assert all(shard.exists() for shard in listed)
        (merged,) = shard_files(run.path)
        with pytest.raises(ValueError, match="already in"):
            run.commit("cell-0", factories.records(1))
        long_ago = time.time() - 2 * compaction._GRACE
        os.utime(merged, (long_ago, long_ago))
    with open_run(tmp_path) as run:
        assert list((run.path / "records").iterdir()) == [merged]
        assert len(run.records()) == 12
        with pytest.raises(ValueError, match="already in"):
            run.commit("cell-0", factories.records(1))


def test_shards_with_other_columns_stay_apart(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        for cell, ratio in enumerate([0, 0.5, "none", 0.25, 0.75]):
            run.commit(f"cell-{cell}", [factories.record(0, seed=cell, ratio=ratio)])
        assert sorted(map(level_of, shard_files(run.path))) == [0, 0, 1]
        assert len(run.records()) == 5


@pytest.mark.parametrize("place", [100, -1], ids=["its values", "its end"])
def test_a_damaged_shard_is_not_merged(tmp_path: Path, place: int) -> None:
    with open_run(tmp_path) as run:
        commit(run, range(2))
        shard = run.path / "records" / "cell-0.parquet"
        content = bytearray(shard.read_bytes())
        content[place] ^= 1
        shard.write_bytes(content)
        commit(run, range(2, 4))
        assert shard in shard_files(run.path)
        with pytest.raises(UserError, match="is broken: cell-0"):
            run.finish(factories.provenance())


def test_a_damaged_merged_shard_is_reported(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        commit(run, range(3))
        (merged,) = shard_files(run.path)
        for cell in range(3):
            (run.path / "records" / f"cell-{cell}.parquet").unlink()
        merged.write_bytes(merged.read_bytes()[:-1])
        with pytest.raises(UserError, match="is broken"):
            run.records()


class Killed(BaseException):
    """Stands for the end of the process."""


STEPS: dict[str, Callable[..., Any]] = {
    "os.replace": os.replace,
    "pathlib.Path.unlink": Path.unlink,
    "lcl_lab.store.run_directory.append_event": append_event,
}


@pytest.mark.parametrize("patched", STEPS)
def test_a_kill_at_any_step_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patched: str
) -> None:
    """The process ends before one call after another of those that change a run; each time, the run is resumed."""
    monkeypatch.setattr(compaction, "_GRACE", 0.0)
    kills = 0
    while True:
        with open_run(tmp_path) as run:
            assert len(run.records()) == 4 * len(run.committed())
            missing = [cell for cell in range(CELLS) if f"cell-{cell}" not in run.committed()]
            if not missing:
                break
            with monkeypatch.context() as patch:
                patch.setattr(patched, killing(STEPS[patched], calls=2 + kills % 5))
                try:
                    for cell in missing:
                        commit(run, range(cell, cell + 1))
                except Killed:
                    kills += 1
                    assert kills < 100
    assert kills
    with open_run(tmp_path) as run:
        assert run.committed() == {f"cell-{cell}" for cell in range(CELLS)}
        assert not run.records().duplicated(["seed", "query_id"]).any()
        assert len(shard_files(run.path)) == len(list((run.path / "records").iterdir())) < CELLS


def killing(function: Callable[..., Any], calls: int) -> Callable[..., Any]:
    """The function for some calls; then the process ends before the next one."""
    left = calls

    def called(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return function(*arguments, **options)

    return called
