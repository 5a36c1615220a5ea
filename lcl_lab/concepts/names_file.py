"""Reads `names.csv`, which gives concepts other names."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from lcl_lab.concepts.csv_table import read_columns
from lcl_lab.concepts.dataset import Concept, comparable_name, name_problem
from lcl_lab.concepts.written_names import ids_by_written_name, written_key
from lcl_lab.errors import UserError, nearest_values

__all__ = ["read_names"]


def read_names(table: Path, concepts: Mapping[str, Concept], option: str, value: object) -> dict[str, str]:
    """Read new names of concepts.

    Args:
        table: a table with the columns ``concept``, an id or a present name, and ``name``, see `read_columns`.
        concepts: the concepts by id.
        option: the option that the file belongs to, for error messages.
        value: the value of the option, for error messages.

    Returns:
        The new name of each concept that the table lists, by id.

    Raises:
        UserError: the file cannot be read, has other columns or no rows, names an unknown concept, lists a concept
            twice, gives a name that cannot be part of a prompt, or leaves two concepts with the same name.
    """

    def fail(line: int, reason: str) -> UserError:
        return UserError(f"{table}, line {line}: {reason}", option=option, value=value)

    ids = ids_by_written_name(concepts)
    names: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, (concept, name) in read_columns(table, ("concept", "name"), option, value):
        id = ids.get(written_key(concept))
        if id is None:
            raise fail(line, f"there is no concept {concept!r}; {nearest_values(concept, concepts)}")
        if id in lines:
            raise fail(line, f"concept {id!r} already has a name in line {lines[id]}; remove one")
        if problem := name_problem(name):
            raise fail(line, f"the name of {id!r} {problem}")
        names[id], lines[id] = unicodedata.normalize("NFC", " ".join(name.split())), line
    if not names:
        raise UserError(f"{table} contains no names", option=option, value=value)
    _check_distinct(table, {id: names.get(id, concept.name) for id, concept in concepts.items()}, option, value)
    return names


def _check_distinct(table: Path, names: Mapping[str, str], option: str, value: object) -> None:
    ids: dict[str, str] = {}
    for id, name in names.items():
        first = ids.setdefault(comparable_name(name), id)
        if first != id:
            reason = f"{table}: concepts {first!r} and {id!r} have the same name, {name!r}; change one"
            raise UserError(reason, option=option, value=value)
