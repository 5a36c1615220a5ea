"""Reads `pairs.csv`, the pairs of look-alikes in a folder of images."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from lcl_lab.concepts.dataset import Concept, Pair, comparable_name
from lcl_lab.errors import UserError, nearest_values

__all__ = ["read_pairs"]

_COLUMNS = ("positive", "negative")
_DELIMITERS = ",;\t"


def read_pairs(option: str, table: Path, concepts: Mapping[str, Concept]) -> list[Pair]:
    """Read pairs of concepts, which may be written as their folders or as their names.

    Args:
        option: the name of the dataset, for error messages.
        table: a text file with a header and the columns ``positive`` and ``negative``, separated by commas, semicolons
            or tabs.
        concepts: the concepts by id, all with different names.

    Returns:
        The pairs in the order of the file.

    Raises:
        UserError: the file cannot be read, has other columns or no pairs, names an unknown concept, pairs a concept
            with itself, or lists a pair twice, in either order.
    """

    def fail(line: int, reason: str) -> UserError:
        return UserError(f"{table}, line {line}: {reason}", option="data", value=option)

    try:
        rows = _rows(table.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = f"{table}: {getattr(error, 'strerror', None) or error}"
        raise UserError(reason, option="data", value=option) from error
    header = [comparable_name(cell) for cell in rows[0][1]] if rows else []
    if not set(_COLUMNS) <= set(header):
        raise fail(1, f"its columns must be {','.join(_COLUMNS)}")
    ids = {comparable_name(concept.name): id for id, concept in concepts.items()}
    lines: dict[frozenset[str], int] = {}
    pairs = []
    for line, row in rows[1:]:
        names = [_cell(row, header.index(column)) for column in _COLUMNS]
        for name in names:
            if _key(name) not in ids:
                raise fail(line, f"there is no folder {name!r}; {nearest_values(name, concepts)}")
        pair = Pair(*(ids[_key(name)] for name in names))
        if pair.positive == pair.negative:
            raise fail(line, f"{pair.positive!r} is paired with itself")
        first = lines.setdefault(frozenset(pair), line)
        if first != line:
            raise fail(line, f"{pair.positive!r} and {pair.negative!r} are already a pair in line {first}; remove one")
        pairs.append(pair)
    if not pairs:
        raise UserError(f"{table} contains no pairs", option="data", value=option)
    return pairs


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, with their line numbers."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=header.count))
    return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]


def _cell(row: Sequence[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _key(name: str) -> str:
    """Folders are found by their names, whichever way these are written."""
    return comparable_name(name.replace("_", " "))
