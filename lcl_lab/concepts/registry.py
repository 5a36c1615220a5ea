"""Finds a concept set by its name, reads one from files, or makes one with a user's file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from lcl_lab.concepts.folder import read_folder
from lcl_lab.concepts.official import read_imagenet, read_isekai, read_isekai_from_hub
from lcl_lab.concepts.types import ConceptSet
from lcl_lab.concepts.world import isekai_mini, world_100, world_900, world_dev
from lcl_lab.plugins import find_maker

__all__ = ["DATASETS", "DOWNLOADS", "READERS", "load_concepts"]

DATASETS: dict[str, Callable[[], ConceptSet]] = {
    "world-100": world_100,
    "world-900": world_900,
    "world-dev": world_dev,
    "isekai-mini": isekai_mini,
}
"""The embedded ones."""
DOWNLOADS: dict[str, Callable[[], ConceptSet]] = {
    "isekai-10": partial(read_isekai_from_hub, "ISEKAI-10"),
    "isekai-pair": partial(read_isekai_from_hub, "ISEKAI-pair"),
}
READERS: dict[str, Callable[[Path], ConceptSet]] = {
    "folder": read_folder,
    "isekai": read_isekai,
    "imagenet": read_imagenet,
}
"""By the word before the colon of `--data WORD:PATH`."""


def load_concepts(name: str) -> ConceptSet:
    """The set of that name, what a reader makes of a path, or what `load()` returns in a Python file of that path.

    Raises:
        UserError: there is none.
    """
    kind, colon, path = name.partition(":")
    if colon and kind in READERS:
        return READERS[kind](Path(path))
    beside = [f"{reader}:PATH" for reader in READERS]
    made: ConceptSet = find_maker("--data", "dataset", name, DATASETS | DOWNLOADS, beside)()
    return made
