"""Reads `folder:PATH`: one folder of images per concept, and pairs of look-alikes in an optional `pairs.csv`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lcl_lab.concepts.dataset import Concept, Pair, comparable_name, name_problem
from lcl_lab.concepts.folder_contents import scan_folder, verify_contents
from lcl_lab.concepts.image_files import ImageFiles
from lcl_lab.concepts.pairs_file import read_pairs
from lcl_lab.errors import UserError

__all__ = ["read_folder"]


def read_folder(path: Path) -> ImageFiles:
    """Read a folder that has one folder of images per concept.

    A concept is named after its folder, with spaces for underscores. Pairs are the rows of `pairs.csv` (columns
    ``positive`` and ``negative``, names of folders); without this file, concepts are paired in alphabetical order,
    the first with the second, the third with the fourth, and so on.

    All images are decoded once. Files that are not read, and identical images, are logged in one line each.

    Raises:
        UserError: there is no such folder, it has no concepts, a concept has no images that can be read, two concepts
            have the same name, a name cannot be part of a prompt, or `pairs.csv` is wrong.
    """
    contents = scan_folder(path)
    option = contents.option
    concepts = _concepts(contents.images)
    _check_names(option, concepts)
    table = path / "pairs.csv"
    pairs = read_pairs(option, table, concepts) if table.is_file() else _pair_in_order(option, path, list(concepts))
    verify_contents(contents)  # last, because it takes longest
    files = {id: tuple(images) for id, images in contents.images.items()}
    concepts = {id: Concept(id, concept.name, "", len(files[id])) for id, concept in concepts.items()}
    return ImageFiles(option, concepts, files, pairs)


def _concepts(ids: Iterable[str]) -> dict[str, Concept]:
    """Concepts without images. macOS decomposes the accents of folder names, which would be other tokens."""
    return {id: Concept(id, unicodedata.normalize("NFC", " ".join(id.replace("_", " ").split())), "", 0) for id in ids}


def _check_names(option: str, concepts: Mapping[str, Concept]) -> None:
    """Refuse names that break prompts, and names that no answer could distinguish."""
    ids: dict[str, str] = {}
    for id, concept in concepts.items():
        if problem := name_problem(concept.name):
            raise UserError(f"the name of the folder {id!r} {problem}; rename it", option="data", value=option)
        first = ids.setdefault(comparable_name(concept.name), id)
        if first != id:
            folders = f"the folders {_shown(first)} and {_shown(id)}"
            reason = f"{folders} give two concepts the same name, {concept.name!r}; rename one"
            raise UserError(reason, option="data", value=option)


def _shown(id: str) -> str:
    """Folders that differ in Unicode forms only would look the same."""
    return repr(id) if unicodedata.is_normalized("NFC", id) else ascii(id)


def _pair_in_order(option: str, path: Path, ids: Sequence[str]) -> list[Pair]:
    if len(ids) % 2:
        raise UserError(
            f"{len(ids)} concepts cannot all be paired; list the pairs in {path}/pairs.csv", option="data", value=option
        )
    return [Pair(ids[k], ids[k + 1]) for k in range(0, len(ids), 2)]
