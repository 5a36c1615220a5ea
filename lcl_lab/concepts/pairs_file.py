"""Reads `pairs.csv`, the pairs of look-alikes in a folder of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lcl_lab.concepts.csv_table import read_columns
from lcl_lab.concepts.dataset import Concept, Pair
from lcl_lab.concepts.written_names import ids_by_written_name, written_key
from lcl_lab.errors import UserError, nearest_values

__all__ = ["read_pairs"]


def read_pairs(option: str, table: Path, concepts: Mapping[str, Concept]) -> list[Pair]:
    """Read pairs of concepts, which may be written as their folders or as their names.

    Args:
        option: the name of the dataset, for error messages.
        table: a table with the columns ``positive`` and ``negative``, see `read_columns`.
        concepts: the concepts by id, all with different names.

    Returns:
        The pairs in the order of the file.

    Raises:
        UserError: the file cannot be read, has other columns or no pairs, names an unknown concept, pairs a concept
            with itself, or lists a pair twice, in either order.
    """

    def fail(line: int, reason: str) -> UserError:
        return UserError(f"{table}, line {line}: {reason}", option="data", value=option)

    ids = ids_by_written_name(concepts)
    lines: dict[frozenset[str], int] = {}
    pairs = []
    for line, names in read_columns(table, ("positive", "negative"), "data", option):
        for name in names:
            if written_key(name) not in ids:
                raise fail(line, f"there is no folder {name!r}; {nearest_values(name, concepts)}")
        pair = Pair(*(ids[written_key(name)] for name in names))
        if pair.positive == pair.negative:
            raise fail(line, f"{pair.positive!r} is paired with itself")
        first = lines.setdefault(frozenset(pair), line)
        if first != line:
            raise fail(line, f"{pair.positive!r} and {pair.negative!r} are already a pair in line {first}; remove one")
        pairs.append(pair)
    if not pairs:
        raise UserError(f"{table} contains no pairs", option="data", value=option)
    return pairs
