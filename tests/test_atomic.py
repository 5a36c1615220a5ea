from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.atomic import (
    TEMPORARY,
    atomic_path,
    canonical_json,
    read_json,
    remove_temporary,
    write_atomic,
    write_json,
    write_text,
)
from lcl_lab.errors import UserError


def test_a_file_appears_complete_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "café")
    assert path.read_text(encoding="utf-8") == "café"
    write_atomic(path, b"again")
    assert path.read_bytes() == b"again"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        assert temporary.parent == tmp_path and temporary.name.endswith(TEMPORARY)
        assert path.read_text() == "old"
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_the_system_refuses_is_a_user_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=rf"^cannot write {tmp_path}/file/a\.txt: "):
        write_text(tmp_path / "file" / "a.txt", "x")

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"a\.txt: No space left on device"):
        write_text(tmp_path / "a.txt", "x")
    assert not (tmp_path / "a.txt").exists() and len(list(tmp_path.iterdir())) == 1


def test_json_is_read_back(tmp_path: Path) -> None:
    value: dict[str, Any] = {"b": [1, None, True], "a": {"ü": 0.1}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text(encoding="utf-8").startswith('{\n  "a": {\n    "ü": 0.1')


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff"])
def test_a_file_without_a_json_object_is_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    assert read_json(tmp_path / "a.json") is None


def test_equal_values_have_one_json_text() -> None:
    assert canonical_json({"b": 1, "a": (Path("x/y"), 2.5)}) == canonical_json({"a": ["x/y", 2.5], "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
    with pytest.raises(TypeError):
        canonical_json(object())


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"a.json.123{TEMPORARY}").write_text("half")
    (tmp_path / "b.json").write_text("{}")
    remove_temporary(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]
