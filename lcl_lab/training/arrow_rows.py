"""Rows of Parquet files, and of folders that Hugging Face `datasets` has saved, without that library.

Tables of `datasets` are mapped into memory and read in place. A row of a Parquet file is read with its row group,
which has 100 rows where `datasets` writes images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lcl_lab.atomic import parse_json
from lcl_lab.errors import UserError, shorten
from lcl_lab.training.instruction_rows import IMAGES, MESSAGES, STORED, RowError
from lcl_lab.training.task_rows import Check

__all__ = ["PARQUET_MAGIC", "ArrowRows", "arrow_files", "index_arrow"]

PARQUET_MAGIC = b"PAR1"
"""The first bytes of a Parquet file."""
_STATE = "state.json"
_SPLITS = "dataset_dict.json"
_BATCH = 1000  # rows that are checked at a time


class _Group(Protocol):
    """Rows that are read together."""

    @property
    def names(self) -> Sequence[str]:
        """All columns."""

    @property
    def rows(self) -> int:
        """The number of rows."""

    def read(self, columns: Sequence[str], with_bytes: bool) -> pa.Table:
        """The table of some columns; without the content of images where it would have to be read."""


@dataclass(frozen=True)
class _Mapped:
    batch: pa.RecordBatch

    @property
    def names(self) -> Sequence[str]:
        return list(self.batch.schema.names)

    @property
    def rows(self) -> int:
        return int(self.batch.num_rows)

    def read(self, columns: Sequence[str], with_bytes: bool) -> pa.Table:
        return pa.Table.from_batches([self.batch]).select(list(columns))


@dataclass(frozen=True)
class _RowGroup:
    path: Path
    number: int
    rows: int
    names: Sequence[str]

    def read(self, columns: Sequence[str], with_bytes: bool) -> pa.Table:
        with pq.ParquetFile(self.path) as file:
            leaves = [file.schema.column(k).path for k in range(len(file.schema))]
            chosen = [
                leaf
                for leaf in leaves
                if leaf.partition(".")[0] in columns and (with_bytes or not leaf.endswith(".bytes"))
            ]
            return file.read_row_group(self.number, columns=chosen, use_threads=False)


@dataclass(frozen=True)
class ArrowRows:
    """The rows of a table.

    Attributes:
        path: the file or folder.
        groups: rows that are read together.
        ends: the number of rows up to the end of each group.
        messages: the column of turns.
        images: the column of images; None if there is none.
    """

    path: Path
    groups: Sequence[_Group]
    ends: NDArray[np.int64]
    messages: str
    images: str | None

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def row(self, number: int) -> object:
        """A row.

        Raises:
            RowError: the file has changed since.
        """
        try:
            table = self._slice(number, self._columns, with_bytes=False)
        except (OSError, pa.ArrowException, IndexError) as error:
            raise RowError(f"cannot be read any more: {_line(error)}; expected the file not to change") from error
        return _rows(table, self.messages, self.images)[0]

    def place(self, number: int) -> str:
        """Where a row is, such as "row 3"."""
        return f"row {number + 1}"

    def stored_image(self, number: int, image: int) -> bytes | str:
        """The content, or else the path, of image `image` of row `number`."""
        assert self.images is not None
        (value,) = self._slice(number, [self.images], with_bytes=True)[self.images].to_pylist()
        entry = value[image - 1] if isinstance(value, list) else value
        if isinstance(entry, bytes):
            return entry
        return entry["bytes"] if entry.get("bytes") is not None else str(entry.get("path"))

    @property
    def _columns(self) -> list[str]:
        return [self.messages, *([self.images] if self.images else [])]

    def _slice(self, number: int, columns: Sequence[str], with_bytes: bool) -> pa.Table:
        group = int(np.searchsorted(self.ends, number, side="right"))
        first = int(self.ends[group - 1]) if group else 0
        return self.groups[group].read(columns, with_bytes).slice(number - first, 1)


def arrow_files(path: Path) -> list[Path]:
    """The files of a table: a Parquet file, those of a folder, or those that `datasets` has saved into a folder.

    Raises:
        UserError: the folder has neither.
    """
    if not path.is_dir():
        return [path]
    if (path / _STATE).is_file():
        with _reporting(path):
            return [path / file["filename"] for file in parse_json((path / _STATE).read_bytes())["_data_files"]]
    files = sorted(path.glob("*.parquet"))
    if not files:
        splits = (path / _SPLITS).is_file()
        reason = "has several splits; give the folder of one, such as train" if splits else "has no Parquet files"
        expected = "" if splits else "; expected those, or a folder of datasets.save_to_disk"
        raise UserError(f"{reason}{expected}", option="tasks", value=path)
    return files


def index_arrow(path: Path, check: Check) -> ArrowRows:
    """Find and check the rows of a table. The content of images is not read.

    Args:
        path: a Parquet file, a folder of them, or a folder of `datasets.save_to_disk`.
        check: receives each row.

    Raises:
        UserError: it is no such table, or has no column of turns.
    """
    with _reporting(path):
        groups = [group for file in arrow_files(path) for group in _groups(file)]
        names = groups[0].names if groups else []
        messages = next((name for name in MESSAGES if name in names), None)
        if messages is None:
            reason = f"has the columns {', '.join(names)}" if names else "is empty"
            reason += f"; expected a column {' or '.join(MESSAGES)}"
            raise UserError(reason, option="tasks", value=path)
        images = next((name for name in IMAGES if name in names), None)
        ends = np.cumsum([group.rows for group in groups], dtype=np.int64)
        table = ArrowRows(path, groups, ends, messages, images)
        number = 0
        for group in groups:
            rows = group.read(table._columns, with_bytes=False)
            for start in range(0, group.rows, _BATCH):
                for row in _rows(rows.slice(start, _BATCH), messages, images):
                    check(row, number, table.place(number))
                    number += 1
    return table


def _groups(path: Path) -> Iterator[_Group]:
    with path.open("rb") as file:
        is_parquet = file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    if is_parquet:
        with pq.ParquetFile(path) as parquet:
            for number in range(parquet.num_row_groups):
                rows = parquet.metadata.row_group(number).num_rows
                yield _RowGroup(path, number, rows, parquet.schema_arrow.names)
    else:
        for batch in pa.ipc.open_stream(pa.memory_map(str(path))):
            yield _Mapped(batch)


def _rows(table: pa.Table, messages: str, images: str | None) -> list[dict[str, Any]]:
    """The rows of a table as JSON has them."""
    turns = map(_turns, table[messages].to_pylist())
    shown = _entries(table[images]) if images else [None] * len(table)
    return [{"messages": one, "images": several} for one, several in zip(turns, shown, strict=True)]


def _turns(value: object) -> object:
    """The turns of a row; older versions of `datasets` store a list of objects as an object of lists."""
    if not isinstance(value, Mapping) or not all(isinstance(column, list) for column in value.values()):
        return value
    return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]


def _entries(column: pa.ChunkedArray) -> list[Any]:
    """The images of each row: paths, or `STORED` for each, whose content is not read."""
    is_list = hasattr(column.type, "value_type")
    kind = column.type.value_type if is_list else column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return list(column.to_pylist())
    if is_list:
        return [[STORED] * (count or 0) for count in pc.list_value_length(column).to_pylist()]
    return [[STORED] if there else [] for there in column.is_valid().to_pylist()]


@contextmanager
def _reporting(path: Path) -> Iterator[None]:
    """Report what cannot be read in one line."""
    try:
        yield
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        reason = f"cannot be read: {_line(error)}; expected Parquet files or a folder of datasets.save_to_disk"
        raise UserError(reason, option="tasks", value=path) from error


def _line(error: Exception) -> str:
    return shorten(" ".join(str(error).split()))
