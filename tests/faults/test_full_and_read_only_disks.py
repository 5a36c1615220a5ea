"""Results on disks that are full or cannot be written: stored records stay, and finished runs are shown."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import lcl_lab as lcl
from lcl_lab import atomic, store
from lcl_lab.commands import main
from lcl_lab.errors import UserError
from lcl_lab.store import Run, broken_runs, runs, same_records

pytestmark = [pytest.mark.attack, pytest.mark.timeout(120)]

OPTIONS: dict[str, Any] = {"preset": "tiny", "model": "mini/prototype", "queries": 4}
COMMAND = "study false_ratio --preset tiny --model mini/prototype --queries 4 --results"
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> lcl.StudyResult:
    return lcl.run_study("false_ratio", results=tmp_path_factory.mktemp("finished"), **OPTIONS)


@pytest.fixture
def results(finished: lcl.StudyResult, tmp_path: Path) -> Path:
    """A copy of the results in which the report was not written."""
    copy = Path(shutil.copytree(finished.path.parents[1], tmp_path / "results"))
    (run,) = runs(copy)
    for file in (
        *run.path.glob("*.*g"),
        *run.path.glob("report.*"),
        run.path / "manifest.json",
        run.path / "records.parquet",
    ):
        file.unlink(missing_ok=True)
    return copy


def mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def complete(results: Path, finished: lcl.StudyResult) -> None:
    """The same command finishes the report, from the records that were stored."""
    result = lcl.run_study("false_ratio", results=results, **OPTIONS)
    assert result.path.name == finished.path.name
    assert same_records(result.records, finished.records) is None
    assert (result.path / "report.html").stat().st_size > 1000
    assert {file.name for file in result.path.iterdir()} == {file.name for file in finished.path.iterdir()}
    assert store.read_info(result.path).finished


def refused(results: Path) -> str:
    with pytest.raises(UserError) as caught:
        lcl.run_study("false_ratio", results=results, **OPTIONS)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert not broken_runs(results)
    (run,) = runs(results)
    assert not run.finished
    assert run.records
    return line


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("report.md", "report.html", "records.parquet", ".png")
        ),
    ],
)
def test_a_disk_that_gets_full_at_a_file_of_the_report_is_one_line(
    name: str, results: Path, finished: lcl.StudyResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "replace", _failing_for(name))
        assert "No space left on device" in refused(results)
    complete(results, finished)


def _failing_for(name: str) -> Callable[[Path, Path], None]:
    rename = os.rename

    def replace(source: Path, target: Path) -> None:
        if str(target).endswith(name):
            raise FULL
        rename(source, target)

    return replace


@pytest.mark.slow
@pytest.mark.parametrize("free", [0, 4096, 8192, 16384, 32768, 65536, 131072, 262144])
def test_a_full_disk_is_one_line_and_the_same_command_completes_the_report(
    free: int, results: Path, disk: Path, finished: lcl.StudyResult
) -> None:
    copy = Path(shutil.copytree(results, disk / "results"))
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(0, os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - free)))
    assert "No space left on device" in refused(copy)
    ballast.unlink()
    complete(copy, finished)


@pytest.fixture
def read_only(finished: lcl.StudyResult, tmp_path: Path) -> Iterator[Path]:
    """The results on a file system that cannot be written."""
    folder = tmp_path / "read_only"
    folder.mkdir()
    mount("--bind", finished.path.parents[1], folder)
    mount("-o", "remount,bind,ro", folder)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_finished_run_is_shown_where_nothing_can_be_written(
    read_only: Path, finished: lcl.StudyResult, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(read_only.rglob("*"))
    for command in (f"{COMMAND} {read_only}", f"report {read_only}/false_ratio/{finished.path.name}"):
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        printed = capsys.readouterr()
        assert ended.value.code == 0, printed.err
        assert "False labels" in printed.out
        assert printed.out.splitlines()[-1].endswith(finished.path.name)
    assert [info.finished for info in runs(read_only)] == [True]
    assert same_records(lcl.read_records(read_only).drop(columns="run"), finished.records) is None
    assert sorted(read_only.rglob("*")) == before


@pytest.mark.parametrize("options", ["--fresh", "--seed 7"])
def test_another_run_where_nothing_can_be_written_is_one_line(
    options: str, read_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*COMMAND.split(), str(read_only), *options.split()])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert printed.err.startswith("error: cannot ")
    assert "Read-only file system" in printed.err


def test_a_run_that_was_opened_for_reading_cannot_be_written(read_only: Path, finished: lcl.StudyResult) -> None:
    info = store.read_info(read_only / "false_ratio" / finished.path.name)
    with Run.open(read_only, "false_ratio", info.config) as run:
        assert run.finished
        assert len(run.records()) == len(finished.records)
        with pytest.raises(ValueError, match="is closed"):
            run.note("began")


@pytest.fixture
def open_to_all(finished: lcl.StudyResult) -> Iterator[Path]:
    """The results in a folder that all users may read; those of pytest are closed to others."""
    with TemporaryDirectory() as temporary:
        os.chmod(temporary, 0o755)
        results = Path(shutil.copytree(finished.path.parents[1], Path(temporary) / "results"))
        os.chmod(results, 0o755)
        yield results


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become another user")
def test_a_finished_run_of_another_user_is_shown(open_to_all: Path, finished: lcl.StudyResult) -> None:
    config = store.read_info(finished.path).config
    child = os.fork()  # which cannot become root again
    if child == 0:
        try:
            os.setuid(65534)
            with Run.open(open_to_all, "false_ratio", config) as run:
                os._exit(0 if run.finished and run.path.name == finished.path.name else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
