from __future__ import annotations

import os
import time
from hashlib import blake2b
from pathlib import Path

import pytest

from lcl_lab.concepts import file_digests
from lcl_lab.concepts.file_digests import digest_files
from lcl_lab.errors import UserError


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three files that were written long ago, two of them equal."""
    paths = [tmp_path / name for name in "abc"]
    for path, content in zip(paths, (b"one", b"two", b"one"), strict=True):
        path.write_bytes(content)
        os.utime(path, (1000, 1000))
    return paths


@pytest.fixture
def digested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files whose content is read, in order."""
    names: list[str] = []
    digest = file_digests._digest

    def note(path: str) -> str:
        names.append(Path(path).name)
        return digest(path)

    monkeypatch.setattr(file_digests, "_digest", note)
    return names


def test_digests_are_of_the_content_in_the_order_of_files(files: list[Path]) -> None:
    one, two, three = digest_files(files)
    assert one == three == blake2b(b"one", digest_size=8).hexdigest()
    assert digest_files([files[1], files[0], files[1]]) == [two, one, two]


def test_unchanged_files_are_read_once(files: list[Path], digested: list[str]) -> None:
    first = digest_files(files)
    assert sorted(digested) == ["a", "b", "c"]
    assert digest_files(files) == first
    assert len(digested) == 3
    files[1].write_bytes(b"TWO")
    os.utime(files[1], (1001, 1001))
    assert digest_files(files) != first
    assert digested[3:] == ["b"]


def test_files_written_just_now_are_read_again(files: list[Path], digested: list[str]) -> None:
    os.utime(files[0], (time.time(), time.time()))
    digest_files(files)
    digest_files(files)
    assert digested[3:] == ["a"]


def test_a_damaged_or_unwritable_cache_does_not_matter(
    files: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = digest_files(files)
    (stored,) = (cache / "file_digests").iterdir()
    stored.write_text('{"a": ')
    assert digest_files(files) == first
    monkeypatch.setenv("LCL_LAB_CACHE", str(files[0] / "no folder"))
    assert digest_files(files) == first


def test_a_missing_file_is_reported(files: list[Path]) -> None:
    with pytest.raises(UserError, match=r"cannot read .*/none: No such file"):
        digest_files([*files, files[0].parent / "none"])


def test_many_files_are_quick_the_second_time(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}" for number in range(2000)]
    for file in files:
        file.write_bytes(file.name.encode())
        os.utime(file, (1000, 1000))
    first = digest_files(files)
    start = time.perf_counter()
    assert digest_files(files) == first
    assert time.perf_counter() - start < 0.5


def test_only_new_files_of_a_folder_are_read(files: list[Path], digested: list[str]) -> None:
    digest_files(files[:2])
    digest_files(files)
    assert sorted(digested[:2]) == ["a", "b"]
    assert digested[2:] == ["c"]


def test_files_that_swap_their_names_swap_their_digests(files: list[Path]) -> None:
    one, two, _ = digest_files(files)
    files[0].rename(files[0].with_name("x"))
    files[1].rename(files[0])
    files[0].with_name("x").rename(files[1])
    assert files[0].stat().st_mtime_ns == files[1].stat().st_mtime_ns
    assert digest_files(files[:2]) == [two, one]


def test_content_that_keeps_its_modification_time_is_read_again(files: list[Path]) -> None:
    _, two, _ = digest_files(files)
    time.sleep(0.05)  # longer than a tick of the file system's clock
    files[0].write_bytes(b"two")
    os.utime(files[0], (1000, 1000))
    assert digest_files(files[:1]) == [two]


def test_damaged_entries_of_the_cache_are_computed_again(files: list[Path], cache: Path) -> None:
    first = digest_files(files)
    (stored,) = (cache / "file_digests").iterdir()
    stored.write_text('{"a": 3, "b": [[1, 2, 3, 4], "x"], "c": [[], 5, 6]}')
    assert digest_files(files) == first
