"""Finds the concepts that users refer to in files, however they write their names."""

from __future__ import annotations

from collections.abc import Mapping

from lcl_lab.concepts.dataset import Concept, comparable_name

__all__ = ["ids_by_written_name", "written_key"]


def ids_by_written_name(concepts: Mapping[str, Concept]) -> dict[str, str]:
    """The ids of concepts by the keys of their names and of their ids; an id takes precedence over another's name."""
    by_name = {written_key(concept.name): id for id, concept in concepts.items()}
    return by_name | {written_key(id): id for id in concepts}


def written_key(name: str) -> str:
    """The form in which names are looked up: Unicode, letter case, white space and underscores do not matter."""
    return comparable_name(name.replace("_", " "))
