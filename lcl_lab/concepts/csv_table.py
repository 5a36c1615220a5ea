"""Reads small tables that users write by hand or export from a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lcl_lab.concepts.dataset import comparable_name
from lcl_lab.errors import UserError

__all__ = ["read_columns"]

_DELIMITERS = ",;\t"


def read_columns(table: Path, columns: Sequence[str], option: str, value: object) -> list[tuple[int, list[str]]]:
    """Read some columns of a table with a header. Other columns, and the case of the header, do not matter.

    Args:
        table: a text file in UTF-8, separated by commas, semicolons or tabs.
        columns: names of the C columns to read.
        option: the option that the file belongs to, for error messages.
        value: the value of the option, for error messages.

    Returns:
        For each row that is not blank its line number, and its C cells without surrounding white space; a missing cell
        is empty.

    Raises:
        UserError: the file cannot be read, or lacks a column.
    """
    try:
        rows = _rows(table.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = f"{table}: {getattr(error, 'strerror', None) or error}"
        raise UserError(reason, option=option, value=value) from error
    header = [comparable_name(cell) for cell in rows[0][1]] if rows else []
    if not set(columns) <= set(header):
        raise UserError(f"{table}, line 1: its columns must be {','.join(columns)}", option=option, value=value)
    places = [header.index(column) for column in columns]
    return [(line, [_cell(row, place) for place in places]) for line, row in rows[1:]]


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, with their line numbers."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=header.count))
    return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""
