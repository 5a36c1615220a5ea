from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.store import ARCHIVE, TRASH, Run, disk_use, is_open, move_run, read_notes, read_run, runs, write_notes

from .factories import CONFIG, STUDY, provenance, records


def finished_run(results: Path) -> Path:
    with Run.open(results, STUDY, CONFIG) as run:
        run.commit("a", records(3))
        run.finish(provenance())
    return run.path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("folder", [ARCHIVE, TRASH])
def test_a_run_moves_out_of_sight_with_all_its_files_and_back(folder: str, tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    write_notes(path, "keep", ["best"])
    (before,) = runs(tmp_path)
    content = files(path)
    moved = move_run(path, tmp_path / folder)
    assert moved == tmp_path / folder / STUDY / path.name
    assert runs(tmp_path) == [] and not path.exists()
    assert [run.run for run in runs(tmp_path / folder)] == [before.run]
    assert files(moved) == content
    assert move_run(moved, tmp_path) == path
    assert runs(tmp_path) == [before]


def test_a_run_that_is_open_stays(tmp_path: Path) -> None:
    with Run.open(tmp_path, STUDY, CONFIG) as run:
        assert is_open(run.path)
        with pytest.raises(UserError, match="is being run: wait for it, or stop it"):
            move_run(run.path, tmp_path / TRASH)
    assert run.path.is_dir()
    assert not is_open(run.path)
    move_run(run.path, tmp_path / TRASH)


def test_nothing_is_overwritten_and_only_runs_move(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    other = move_run(path, tmp_path / TRASH)
    again = finished_run(tmp_path)
    again = again.rename(path)
    with pytest.raises(UserError, match="already exists"):
        move_run(again, tmp_path / TRASH)
    assert files(other) and again.is_dir()
    for wrong in (tmp_path / STUDY, tmp_path / STUDY / "20200101-000000-01234567"):
        with pytest.raises(UserError, match="there is no run"):
            move_run(wrong, tmp_path / TRASH)


def test_a_configuration_whose_run_is_archived_is_run_again(tmp_path: Path) -> None:
    archived = move_run(finished_run(tmp_path), tmp_path / ARCHIVE)
    with Run.open(tmp_path, STUDY, CONFIG) as run:
        assert not run.finished
    assert archived.is_dir()


def test_disk_use_counts_files_and_follows_no_link(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "a").write_bytes(b"x" * 10)
    (folder / "inner" / "b").write_bytes(b"x" * 5)
    assert disk_use(folder) == 15
    (tmp_path / "large").write_bytes(b"x" * 10_000)
    (folder / "link").symlink_to(tmp_path)
    assert disk_use(folder) < 1_000
    assert disk_use(tmp_path / "missing") == 0


def test_notes_leave_the_run_as_it_is(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    (before,) = runs(tmp_path)
    answers = read_run(path)
    assert write_notes(path, " first \n", ["a  b", "", "a b", "c"]) == read_notes(path)
    assert (read_notes(path).note, read_notes(path).tags) == ("first", ("a b", "c"))
    assert runs(tmp_path) == [before]
    assert read_run(path).equals(answers)
    with Run.open(tmp_path, STUDY, CONFIG) as run:
        assert run.path == path and run.finished
    assert read_notes(path).note == "first"


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"note": 3}', b'{"note": "\\ud800"}', b"\xff", b"{" * 100_000])
def test_damaged_notes_are_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_bytes(content)
    assert (read_notes(tmp_path).note, read_notes(tmp_path).tags) == ("", ())


def test_notes_have_limits(tmp_path: Path) -> None:
    for note, tags, message in (
        ("x" * 10_001, [], "at most 10,000 characters"),
        ("", ["x" * 41], "a tag has at most 40"),
        ("", [str(number) for number in range(21)], "at most 20 tags"),
    ):
        with pytest.raises(UserError, match=message):
            write_notes(tmp_path, note, tags)
    with pytest.raises(UserError, match="there is no run"):
        write_notes(tmp_path / "gone", "", [])
    assert list(tmp_path.iterdir()) == []
