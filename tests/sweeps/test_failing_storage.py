"""A storage that fails while a sweep runs: the error names it, hides no other, and loses no trial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.fs
import pytest
from pyarrow.fs import PyFileSystem

from lcl_lab.errors import UserError
from lcl_lab.sweeps import driver
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.sweep_config import SweepConfig
from lcl_lab.sweeps.sweep_paths import SweepPaths
from lcl_lab.sweeps.trial import check_sweep

_OPERATIONS = ("get_file_info", "get_file_info_selector", "open_input_stream", "open_output_stream")


class _Failing(pyarrow.fs.FSSpecHandler):
    """A local folder whose operations raise while `operation` names them, as a network does."""

    operation = ""

    def __getattribute__(self, name: str) -> Any:
        if name in _OPERATIONS and name == object.__getattribute__(self, "operation"):
            raise OSError("curlCode: 7, Couldn't connect to server")
        return super().__getattribute__(name)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Storage, _Failing]:
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("LCL_LAB_CACHE", str(tmp_path / "cache"))
    storage = Storage((tmp_path / "shared").as_uri(), "grid")
    handler = _Failing(fsspec.filesystem("file", auto_mkdir=True))
    storage.files = PyFileSystem(handler)
    return storage, handler


@pytest.mark.parametrize("operation", ["get_file_info_selector", "open_input_stream"])
def test_an_error_of_the_storage_is_not_reported_as_one_of_the_local_folder(
    operation: str, storage: tuple[Storage, _Failing], tmp_path: Path
) -> None:
    files, handler = storage
    with files.folder("mix") as folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a").write_bytes(b"1")
    handler.operation = operation
    with pytest.raises(UserError, match=rf"^storage {files.url}: .*Couldn't connect") as error:
        files.fetch("mix", "", tmp_path / "here")
    assert str(tmp_path / "here") not in str(error.value)
    assert not (tmp_path / "here" / "a").exists()


def test_a_failing_last_copy_does_not_hide_why_the_trial_failed(storage: tuple[Storage, _Failing]) -> None:
    files, handler = storage
    with pytest.raises(UserError, match="the trial's own error"), files.folder("mix") as folder:
        _fill(folder, handler)
        raise UserError("the trial's own error")
    handler.operation = ""
    with pytest.raises(UserError, match=f"^storage {files.url}: .*Couldn't connect"), files.folder("mix") as folder:
        _fill(folder, handler)


@pytest.mark.parametrize("recovers", [True, False])
def test_a_trial_that_could_not_be_fetched_when_it_ended_is_fetched_after_the_others(
    recovers: bool, storage: tuple[Storage, _Failing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, handler = storage
    config = SweepConfig.create(models="mini/2-way", studies=[{"study": "false_ratio", "preset": "tiny"}])
    (trial,) = check_sweep(config)
    paths = SweepPaths(tmp_path / "sweep", tmp_path / "results")
    paths.folder.mkdir()

    def ends_while_the_storage_fails(*arguments: Any) -> None:
        note: Callable[[str, str, dict[str, Any]], None] = arguments[4]
        with files.folder(trial.name) as folder:
            SweepPaths(folder / "sweep", folder / "results").finish(trial.name, options=trial.options)
        handler.operation = "get_file_info"
        note(trial.name, "ended", {"doing": ""})
        handler.operation = "" if recovers else handler.operation

    monkeypatch.setattr(driver, "run_trials", ends_while_the_storage_fails)
    failed = driver._run(config, [trial], paths, files, None)
    assert paths.is_finished(trial.name, trial.options) is recovers
    assert [*failed] == ([] if recovers else [trial.name])
    assert all(reason.startswith(f"storage {files.url}: ") and "\n" not in reason for reason in failed.values())


def _fill(folder: Path, handler: _Failing) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a").write_bytes(b"1")
    handler.operation = "open_output_stream"
