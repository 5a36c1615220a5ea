from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from lcl_lab.errors import UserError
from lcl_lab.file_locks import is_held, locked


def test_a_held_lock_is_reported_with_the_option_and_released_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for wait in (0.0, 0.1):
        with (
            FileLock(path),
            pytest.raises(UserError, match=r"^out x: wait for it$"),
            locked(path, "wait for it", wait=wait, option="out", value="x"),
        ):
            pass
        with locked(path, "wait for it"):
            pass


def test_a_lock_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(UserError, match=f"^cannot lock {tmp_path}/lock: "), locked(tmp_path / "lock", "wait for it"):
        pass


def test_errors_of_the_block_are_not_those_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^of the block$"), locked(tmp_path / "lock", "wait for it"):
        raise OSError("of the block")


def test_a_lock_is_held_while_its_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    assert not path.exists()
    with FileLock(path):
        assert is_held(path)
    assert not is_held(path)
    (tmp_path / "folder").mkdir()
    assert not is_held(tmp_path / "folder")
