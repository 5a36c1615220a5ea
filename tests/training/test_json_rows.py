from __future__ import annotations

import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcl_lab.errors import UserError
from lcl_lab.training import json_rows
from lcl_lab.training.instruction_rows import RowError
from lcl_lab.training.json_rows import index_json

VALUES: list[Any] = [{"a": 'é " \\ ] } , [', "b": [1, [2]]}, {}, {"c": "x" * 100, "d": None}, {"e": "\U0001f600"}]


def index(path: Path) -> tuple[json_rows.JsonRows, list[tuple[object, int, str]]]:
    """The rows of a file, and what the check has received."""
    received: list[tuple[object, int, str]] = []
    rows = index_json(path, lambda row, number, place: received.append((row, number, place)))
    return rows, received


def read(rows: json_rows.JsonRows) -> list[object]:
    return [rows.row(number) for number in range(len(rows))]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_rows_of_a_list_are_found_whatever_its_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None, ascii_only: bool
) -> None:
    monkeypatch.setattr(json_rows, "_CHUNK", chunk)
    path = tmp_path / "rows.json"
    path.write_text(" \n" + json.dumps(VALUES, indent=indent, ensure_ascii=ascii_only) + "\n", encoding="utf-8")
    rows, received = index(path)
    assert read(rows) == VALUES
    assert received == [(value, k, f"row {k + 1}") for k, value in enumerate(VALUES)]
    assert [rows.place(k) for k in range(4)] == ["row 1", "row 2", "row 3", "row 4"]


def test_the_rows_of_lines_are_found_and_blank_lines_count(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(value) for value in VALUES]
    path.write_text(f"\ufeff{lines[0]}\r\n\n\n{lines[1]}\n{lines[2]}\n \n{lines[3]}", encoding="utf-8")
    rows, received = index(path)
    assert read(rows) == VALUES
    places = ["line 1", "line 4", "line 5", "line 7"]
    assert [rows.place(k) for k in range(4)] == [place for _, _, place in received] == places


def test_a_list_may_be_empty_and_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("[ ]")
    assert len(index(tmp_path / "empty.json")[0]) == 0
    (tmp_path / "none.json").write_text("")
    assert len(index(tmp_path / "none.json")[0]) == 0
    (tmp_path / "bom.json").write_text('\ufeff[{"a": 1}]', encoding="utf-8")
    assert read(index(tmp_path / "bom.json")[0]) == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1}, {"a": }]', "row 2, byte 11: is not JSON: Expecting value"),
        ('[{"a": 1}, {"a": "x]', "row 2, byte 11: is not JSON: Unterminated string"),
        ('[{"a": 1} {"a": 2}]', "row 2, byte 10: found '{'; expected a comma or the end of the list"),
        ('[{"a": 1},', "row 2, byte 10: is not JSON: Expecting value"),
        ('[{"a": 1}', "row 2, byte 9: the file is cut off; expected a comma or the end of the list"),
        ("[", "row 1, byte 1: is not JSON: Expecting value"),
        ('[{"a": 1},]', "row 2, byte 10: is not JSON: Expecting value"),
        ('[{"a": 1}] {}', "row 2, byte 11: has text after the list"),
        ("[" * 100_000, "row 1, byte 1: is not JSON: nested too deeply"),
        ("[" + "9" * 5000 + "]", "row 1, byte 1: is not JSON: Exceeds the limit"),
    ],
)
@pytest.mark.parametrize("chunk", [4, 1 << 20])
def test_a_list_that_is_not_json_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, text: str, message: str
) -> None:
    monkeypatch.setattr(json_rows, "_CHUNK", chunk)
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(UserError) as error:
        index(tmp_path / "rows.json")
    assert str(error.value).startswith(f"tasks {tmp_path / 'rows.json'}: {message}")


def test_an_error_is_found_without_reading_the_rest_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "_CHUNK", 64)
    window = json_rows._Window
    sizes: list[int] = []

    class Counting(window):  # type: ignore[valid-type, misc]
        def _read(self, size: int) -> bool:
            sizes.append(size)
            return bool(super()._read(size))

    monkeypatch.setattr(json_rows, "_Window", Counting)
    (tmp_path / "rows.json").write_text('[{"a": 1}, {"a" 2}, ' + ", ".join(['{"a": 3}'] * 10_000) + "]")
    with pytest.raises(UserError, match=r"row 2.*Expecting ':'"):
        index(tmp_path / "rows.json")
    assert sum(sizes) < 1000


def test_lines_that_are_not_json_are_rows_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a":\n{"a": "\xff"}\n')
    errors = [str(row) for row, _, _ in index(path)[1] if isinstance(row, RowError)]
    assert errors == ["is not JSON: Expecting value; expected one JSON value", "is not UTF-8; expected JSON in UTF-8"]
    list_path = tmp_path / "rows.json"
    list_path.write_bytes(b'[{"a": 1}, {"a": "\xff"}]')
    assert str(index(list_path)[1][1][0]) == "is not UTF-8; expected JSON in UTF-8"


def test_a_file_that_has_changed_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(VALUES))
    rows, _ = index(path)
    path.write_text("[]")
    with pytest.raises(RowError, match=r"cannot be read any more: is not JSON.*expected the file not to change"):
        rows.row(1)
    path.unlink()
    with pytest.raises(RowError, match=r"cannot be read any more: .*No such file"):
        rows.row(1)


@pytest.mark.parametrize("separator", [",\n", "\n"])
def test_an_index_of_many_rows_holds_no_texts(tmp_path: Path, separator: str) -> None:
    path, count = tmp_path / "rows", 20_000
    row = json.dumps({"conversations": [{"from": "human", "value": "unmistakable " * 20}] * 4})  # 22 MB in all
    path.write_text(("[%s]" if "," in separator else "%s") % separator.join([row] * count))
    tracemalloc.start()
    rows = index_json(path, lambda row, number, place: None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (rows.starts.dtype, len(rows)) == (np.int64, count)
    assert rows.starts.nbytes + rows.ends.nbytes == 16 * count
    stored = pickle.dumps(rows)
    assert len(stored) < 16 * count + 1000
    assert b"unmistakable" not in stored
    assert peak < path.stat().st_size / 2
