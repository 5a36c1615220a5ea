"""Finds a concept set by its name, or makes one with a user's file."""

from __future__ import annotations

from collections.abc import Callable

from lcl_lab.concepts.types import ConceptSet
from lcl_lab.concepts.world import isekai_mini, world_100, world_900, world_dev
from lcl_lab.plugins import find_maker

__all__ = ["DATASETS", "load_concepts"]

DATASETS: dict[str, Callable[[], ConceptSet]] = {
    "world-100": world_100,
    "world-900": world_900,
    "world-dev": world_dev,
    "isekai-mini": isekai_mini,
}


def load_concepts(name: str) -> ConceptSet:
    """The set of that name, or what `load()` returns in a Python file of that path.

    Raises:
        UserError: there is none.
    """
    made: ConceptSet = find_maker("--data", "dataset", name, DATASETS)()
    return made
