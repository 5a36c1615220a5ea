from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lcl_lab.errors import UserError
from lcl_lab.training.arrow_rows import ArrowRows, index_arrow
from lcl_lab.training.instruction_rows import STORED, read_conversation
from tests.training.instruction_data import png, save_to_disk, write_parquet

TURNS = [{"role": "user", "content": "<image>\nWhat?"}, {"role": "assistant", "content": "red"}]
ROWS = [
    {"images": [{"bytes": png(colour), "path": None}], "messages": [TURNS[0], {"role": "assistant", "content": colour}]}
    for colour in ("red", "green", "blue", "white", "black")
]
WRITERS = {
    "parquet": lambda folder, rows: write_parquet(folder / "train.parquet", rows),
    "folder of parquet": lambda folder, rows: write_shards(folder / "shards", rows),
    "save_to_disk": lambda folder, rows: save_to_disk(folder / "saved", rows),
}
Write = Callable[[Path, list[dict[str, Any]]], Path]


def write_shards(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    write_parquet(folder / "train-00001-of-00002.parquet", rows[2:])
    write_parquet(folder / "train-00000-of-00002.parquet", rows[:2])
    return folder


def index(path: Path) -> tuple[ArrowRows, list[tuple[Any, int, str]]]:
    """The rows of a table, and what the check has received."""
    received: list[tuple[Any, int, str]] = []
    rows = index_arrow(path, lambda row, number, place: received.append((row, number, place)))
    return rows, received


@pytest.fixture(params=WRITERS.values(), ids=WRITERS)
def write(request: pytest.FixtureRequest) -> Write:
    function: Write = request.param
    return function


def test_rows_are_found_and_their_images_are_read_when_they_are_opened(tmp_path: Path, write: Write) -> None:
    rows, received = index(write(tmp_path, ROWS))
    expected = [{"messages": row["messages"], "images": [STORED]} for row in ROWS]
    assert [rows.row(number) for number in range(len(rows))] == expected
    assert received == [(row, k, f"row {k + 1}") for k, row in enumerate(expected)]
    assert [rows.stored_image(k, 1) for k in range(5)] == [row["images"][0]["bytes"] for row in ROWS]
    assert [rows.place(0), rows.place(4)] == ["row 1", "row 5"]


@pytest.mark.parametrize(
    ("image", "entry", "stored"),
    [
        ({"bytes": b"content", "path": "a.png"}, [STORED], b"content"),
        ({"bytes": None, "path": "a.png"}, [STORED], "a.png"),
        (b"content", [STORED], b"content"),
        ("a.png", "a.png", None),
    ],
)
def test_an_image_is_a_path_or_stored_with_its_row(
    tmp_path: Path, write: Write, image: object, entry: object, stored: object
) -> None:
    turns = [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "red"}]
    rows, _ = index(write(tmp_path, [{"image": image, "conversations": turns}] * 3))
    row: Any = rows.row(2)
    assert row == {"messages": turns, "images": entry}
    assert len(read_conversation(row, 2).prompt(1).images) == 1
    if stored is not None:
        assert rows.stored_image(2, 1) == stored


def test_rows_without_images_have_none(tmp_path: Path, write: Write) -> None:
    rows, _ = index(write(tmp_path, [{"messages": TURNS, "image": None}, {"messages": TURNS, "image": "a.png"}]))
    assert rows.row(0) == {"messages": TURNS, "images": None}
    assert rows.row(1) == {"messages": TURNS, "images": "a.png"}
    stored = [{"messages": TURNS, "image": None}, {"messages": TURNS, "image": {"bytes": b"a", "path": None}}]
    (tmp_path / "more").mkdir()
    more, _ = index(write(tmp_path / "more", stored))
    assert [row["images"] for row in map(more.row, range(2)) if isinstance(row, dict)] == [[], [STORED]]


def test_turns_as_an_object_of_lists_are_read(tmp_path: Path) -> None:
    columns = {"role": [turn["role"] for turn in TURNS], "content": [turn["content"] for turn in TURNS]}
    rows, _ = index(write_parquet(tmp_path / "rows.parquet", [{"messages": columns}] * 2))
    assert rows.row(0) == {"messages": TURNS, "images": None}


def test_the_content_of_images_is_not_read_while_indexing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = write_parquet(tmp_path / "rows.parquet", ROWS), pq.ParquetFile.read_row_group
    columns: set[str] = set()

    def recording(self: pq.ParquetFile, number: int, columns: list[str], **options: Any) -> pa.Table:
        seen.update(columns)
        return read(self, number, columns=columns, **options)

    seen = columns
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", recording)
    rows, _ = index(path)
    rows.row(3)
    assert "images.list.element.path" in columns
    assert not any("bytes" in column for column in columns)


def test_what_is_no_table_of_conversations_is_reported(tmp_path: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(UserError) as error:
            index(path)
        return str(error.value).removeprefix(f"tasks {path}: ")

    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty") == "has no Parquet files; expected those, or a folder of datasets.save_to_disk"
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert message(tmp_path / "splits") == "has several splits; give the folder of one, such as train"
    other = write_parquet(tmp_path / "other.parquet", [{"text": "a", "id": 1}])
    assert message(other) == "has the columns text, id; expected a column conversations or messages"
    (tmp_path / "cut.parquet").write_bytes(write_parquet(tmp_path / "whole.parquet", ROWS).read_bytes()[:-9])
    assert message(tmp_path / "cut.parquet").startswith("cannot be read: ")
    saved = save_to_disk(tmp_path / "saved", ROWS)
    (saved / "data-00001-of-00002.arrow").unlink()
    assert "data-00001-of-00002.arrow" in message(saved)
    (saved / "state.json").write_text(json.dumps({}))
    assert message(saved).startswith("cannot be read: '_data_files'; expected Parquet files or a folder")
