"""Finds a concept set by its name, reads one from files, or makes one with a user's file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from lcl_lab.concepts.dataset import Dataset
from lcl_lab.concepts.image_folder import read_folder
from lcl_lab.concepts.release import read_imagenet, read_isekai, read_isekai_from_hub
from lcl_lab.concepts.world import isekai_mini, world_100, world_900, world_dev
from lcl_lab.plugins import find_maker

__all__ = ["DATASETS", "DOWNLOADS", "READERS", "load_dataset"]

DATASETS: dict[str, Callable[[], Dataset]] = {
    "world-100": world_100,
    "world-900": world_900,
    "world-dev": world_dev,
    "isekai-mini": isekai_mini,
}
"""The embedded ones."""
DOWNLOADS: dict[str, Callable[[], Dataset]] = {
    "isekai-10": partial(read_isekai_from_hub, "ISEKAI-10"),
    "isekai-pair": partial(read_isekai_from_hub, "ISEKAI-pair"),
}
READERS: dict[str, Callable[[Path], Dataset]] = {
    "folder": read_folder,
    "isekai": read_isekai,
    "imagenet": read_imagenet,
}
"""By the word before the colon of `--data WORD:PATH`."""


def load_dataset(name: str) -> Dataset:
    """The set of that name, what a reader makes of a path, or what `load()` returns in a Python file of that path.

    Raises:
        UserError: there is none.
    """
    kind, colon, path = name.partition(":")
    if colon and kind in READERS:
        return READERS[kind](Path(path))
    beside = [f"{reader}:PATH" for reader in READERS]
    made: Dataset = find_maker("--data", "dataset", name, DATASETS | DOWNLOADS, beside)()
    return made
